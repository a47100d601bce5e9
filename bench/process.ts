/** Processes of a bench: started, waited for, stopped by pid. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The unit of /proc/PID/stat: a hundredth of a second wherever Node runs. */
const TICK_MS = 10;

const ROOT = fileURLToPath(new URL('../', import.meta.url));

export interface BenchProcess extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
}

/** Starts a script and waits for its ready line, `{"url": …}` or any JSON. */
export async function start(args: readonly string[]): Promise<BenchProcess> {
  const child: ChildProcess = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const line = await new Promise<string>((resolve, reject) => {
    if (child.stdout !== null) createInterface({ input: child.stdout }).once('line', resolve);
    void gone.then(() => reject(new Error(`${args.join(' ')} ended before it was ready`)));
  });
  const { url = '' } = JSON.parse(line) as { url?: string };
  return {
    pid: child.pid ?? 0,
    url,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** The resident memory of a process in MiB, now or at its peak so far; NaN where /proc is not. */
export function memoryOf(pid: number, when: 'now' | 'peak' = 'now'): number {
  const field = when === 'now' ? /VmRSS:\s+(\d+) kB/ : /VmHWM:\s+(\d+) kB/;
  try {
    const kib = field.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kib) / 1_024;
  } catch {
    return Number.NaN;
  }
}

/** The processor time a process has used so far, in milliseconds; NaN where /proc is not. Of a busy machine it says more than the clock. */
export function cpuOf(pid: number): number {
  try {
    const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) (?!.*\) )/);
    const [user, system] = fields.split(' ').slice(11, 13);
    return (Number(user) + Number(system)) * TICK_MS;
  } catch {
    return Number.NaN;
  }
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

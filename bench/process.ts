/**
 * Processes of a bench, seen from the one that measures: started fresh, asked in turn, ended by pid. Each prints one JSON
 * line when it is ready and one for every line it is asked; child.ts is the other end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** What a process answers about itself. Sizes in bytes, `cpuUs` in microseconds since its start. */
export interface Vitals {
  readonly rss: number;
  /** The JavaScript heap and the bytes outside of it that it keeps alive. */
  readonly held: number;
  readonly cpuUs: number;
}

export interface BenchProcess extends AsyncDisposable {
  readonly pid: number;
  /** What its ready line said. */
  readonly ready: { readonly url?: string };
  /** Asks for something, and gives what was answered. Rejects if the process ends first. */
  ask<Answer>(what: string, details?: Readonly<Record<string, unknown>>): Promise<Answer>;
}

/** Starts `bench/NAME.ts` and waits until it is ready. */
export async function start(
  name: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<BenchProcess> {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--expose-gc', '--import', 'tsx', `bench/${name}.ts`, ...args],
    // Without its paths, `pincer` is what users install: dist, and not src.
    {
      cwd: ROOT,
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env, TSX_TSCONFIG_PATH: 'bench/tsconfig.json' },
    },
  );
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('a bench process has no pipes');
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const waiting: ((line: string) => void)[] = [];
  createInterface({ input: stdout }).on('line', (line) => waiting.shift()?.(line));
  // What was asked of a process that has just ended is told by its end.
  stdin.on('error', () => {});
  const next = <Answer>(): Promise<Answer> =>
    new Promise((resolve, reject) => {
      waiting.push((line) => resolve(JSON.parse(line) as Answer));
      void gone.then(() => reject(new Error(`bench/${name}.ts ended before it answered`)));
    });
  const ready = await next<{ url?: string }>();
  return {
    pid: child.pid ?? 0,
    ready,
    ask<Answer>(what: string, details: Readonly<Record<string, unknown>> = {}) {
      const answer = next<Answer>();
      stdin.write(`${JSON.stringify({ what, ...details })}\n`);
      return answer;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

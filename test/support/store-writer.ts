/** A process that writes to a store at full speed, what it was told is kept, and whether the store still has that. */
import { spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Store } from '../../src/actors/store/store.ts';

const WRITER = fileURLToPath(new URL('../fixtures/store/writer.mjs', import.meta.url));

/** What a writer was told, over all its lives. */
export interface Ledger {
  readonly submitted: Set<string>;
  readonly completed: Set<string>;
}

export function emptyLedger(): Ledger {
  return { submitted: new Set(), completed: new Set() };
}

export interface Writer {
  readonly pid: number;
  /** How long it took to open the store. */
  readonly openMs: Promise<number>;
  /** Codes with which it was refused. */
  readonly refusals: readonly string[];
  readonly ended: Promise<{ readonly signal: NodeJS.Signals | null; readonly stderr: string }>;
  kill(): void;
}

/** Starts a writer on a directory; what it is told goes into the ledger. */
export function startWriter(
  dir: string,
  ledger: Ledger,
  options: { lanes?: number; noSync?: boolean; env?: Record<string, string> } = {},
): Writer {
  const args = [WRITER, dir, String(options.lanes ?? 32), options.noSync === true ? 'noSync' : ''];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const refusals: string[] = [];
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const lines = createInterface({ input: child.stdout });
  const openMs = new Promise<number>((resolve, reject) => {
    lines.on('line', (line) => {
      const [what, name = ''] = line.split(' ');
      if (what === 'open') resolve(Number(name));
      if (what === 's') ledger.submitted.add(name);
      if (what === 'c') ledger.completed.add(name);
      if (what === 'r') refusals.push(name);
    });
    child.once('close', () => reject(new Error(`the writer ended before it had opened the store: ${stderr}`)));
  });
  // Who does not ask when it was open is not to fail for it.
  openMs.catch(() => {});
  const ended = new Promise<{ signal: NodeJS.Signals | null; stderr: string }>((resolve) => {
    child.once('close', (_, signal) => resolve({ signal, stderr }));
  });
  return { pid: child.pid ?? 0, openMs, refusals, ended, kill: () => void child.kill('SIGKILL') };
}

/** What the ledger has and the store has not, as sentences. */
export async function missingIn(store: Store, { submitted, completed }: Ledger): Promise<string[]> {
  const missing: string[] = [];
  for (const taskId of submitted) if ((await store.get(taskId)) === null) missing.push(`${taskId} is not known`);
  for (const taskId of completed) {
    const record = await store.get(taskId);
    const bytes = (await store.result(taskId))?.byteLength;
    if (record?.status !== 'completed' || bytes !== 300)
      missing.push(`${taskId} is ${record?.status}, with ${bytes} bytes`);
  }
  return missing;
}

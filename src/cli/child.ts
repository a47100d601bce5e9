/** A process of this same command line, started by another of its commands; gone with it. */
import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PincerError } from '../client.ts';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));

export interface Child {
  readonly pid: number;
  /** What its ready line said. */
  readonly ready: Readonly<Record<string, unknown>>;
  readonly isRunning: boolean;
  /** Sends a signal; SIGKILL leaves it no last word. */
  kill(signal: NodeJS.Signals): void;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

/**
 * Starts `pincer …args --json` and resolves with its ready line.
 * @throws PincerError `INTERNAL` with what it said on stderr, when it ends before it is ready.
 */
export async function startChild(args: readonly string[]): Promise<Child> {
  const child: ChildProcess = spawn(process.execPath, [MAIN, ...args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let isRunning = true;
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-2_000);
  });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      isRunning = false;
      resolve();
    });
  });
  const killOnExit = (): void => void child.kill('SIGKILL');
  process.once('exit', killOnExit);
  void ended.then(() => process.off('exit', killOnExit));
  const ready = await new Promise<Record<string, unknown>>((resolve, reject) => {
    const fail = (why: string): void =>
      reject(new PincerError('INTERNAL', `pincer ${args.join(' ')}: ${why}\n${said}`));
    child.once('error', (error) => fail(error.message));
    void ended.then(() => fail('ended before it was ready'));
    if (child.stdout === null) return fail('has no output');
    createInterface({ input: child.stdout }).once('line', (line) =>
      resolve(JSON.parse(line) as Record<string, unknown>),
    );
  });
  return {
    pid: child.pid ?? 0,
    ready,
    ended,
    get isRunning() {
      return isRunning;
    },
    kill: (signal) => void child.kill(signal),
  };
}

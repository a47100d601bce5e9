/**
 * One run of a program: started without a shell as the leader of its own process group, read no faster than its progress
 * is taken, and over only when nothing of its process tree is left.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { PincerError } from '../protocol/failure.ts';
import type { Clock } from '../protocol/ports.ts';
import { BoundedText } from './bounded-text.ts';
import { ProcessTree } from './process-tree.ts';

/** What is run. Everything is checked before it comes here. */
export interface Command {
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: string | Uint8Array | undefined;
  /** Unique; also in the environment, under RUN_VARIABLE. */
  readonly run: string;
}

export interface CommandRunOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number | undefined;
  readonly killGraceMs: number;
  readonly outputBytesMax: number;
  readonly clock: Clock;
  progress(report: { stream: 'stdout' | 'stderr'; chunk: string }): Promise<void>;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly truncated: boolean;
}

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Runs a command to its end. Rejects with the reason of `signal`, with TASK_TIMED_OUT, or with why there is no exit code. */
export async function runCommand(command: Command, options: CommandRunOptions): Promise<CommandResult> {
  const { signal, timeoutMs, killGraceMs, clock } = options;
  signal.throwIfAborted();
  const child = await start(command);
  const tree = new ProcessTree(child.pid, command.run, killGraceMs, clock);

  const stdout = new OutputReader(child.stdout, 'stdout', options, stop);
  const stderr = new OutputReader(child.stderr, 'stderr', options, stop);
  const exited = new Promise<Exit>((resolve) => {
    child.process.once('exit', (code, signalName) => {
      tree.leaderExited();
      resolve({ code, signal: signalName });
    });
  });
  const allRead = new Promise<void>((resolve) => child.process.once('close', () => resolve())).then(() =>
    Promise.all([stdout.reported, stderr.reported]),
  );
  allRead.catch(() => {}); // Then `stop` has been called, with the same reason.

  let stopped: { readonly reason: unknown } | null = null;
  let announceStop = (): void => {};
  const stopping = new Promise<void>((resolve) => {
    announceStop = resolve;
  });
  function stop(reason: unknown): void {
    stopped ??= { reason };
    // Still read, so that a program that says goodbye is not stuck in a full pipe; but nobody listens any more.
    stdout.drop();
    stderr.drop();
    void tree.end(0);
    announceStop();
  }

  const onAbort = (): void => stop(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const cancelTimer =
    timeoutMs === undefined
      ? undefined
      : clock.schedule(timeoutMs, () =>
          stop(new PincerError('TASK_TIMED_OUT', `${command.name} took longer than ${timeoutMs} ms`)),
        );
  try {
    feed(child.process, command.stdin);
    const exit = await exited;
    // What it left behind gets the grace to finish by itself (a filter at the end of a pipe, say) before it is told to stop.
    await tree.end(killGraceMs);
    await Promise.race([allRead, stopping]);
    throwIfStopped(stopped);
    if (exit.code === null) {
      throw new PincerError('COMMAND_KILLED', `${command.name} was ended by ${exit.signal ?? 'a signal'}`);
    }
    return {
      exitCode: exit.code,
      stdout: stdout.text,
      stderr: stderr.text,
      truncated: stdout.isTruncated || stderr.isTruncated,
    };
  } finally {
    cancelTimer?.();
    signal.removeEventListener('abort', onAbort);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

// A function, because the compiler cannot see that `stop` ran while the caller waited.
function throwIfStopped(stopped: { readonly reason: unknown } | null): void {
  if (stopped !== null) throw stopped.reason;
}

interface Started {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
}

async function start(command: Command): Promise<Started> {
  let child: ChildProcess;
  try {
    child = spawn(command.path, command.args, {
      cwd: command.directory,
      env: command.environment,
      shell: false,
      // A group and session of its own, so that a signal reaches all of it and a Ctrl-C in our terminal none of it.
      detached: process.platform !== 'win32',
      windowsHide: true,
      stdio: [command.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
  } catch (error) {
    throw startFailure(command, error);
  }
  const { pid, stdout, stderr } = child;
  if (pid !== undefined && stdout !== null && stderr !== null) {
    child.on('error', () => {}); // Only a start can fail; what else is said here has no consequence.
    return { process: child, pid, stdout, stderr };
  }
  throw startFailure(command, await new Promise((resolve) => child.once('error', resolve)));
}

function startFailure(command: Command, error: unknown): PincerError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  if (code === 'E2BIG') {
    return new PincerError('PAYLOAD_INVALID', 'input.args: together longer than the system allows (E2BIG)');
  }
  const why = code === 'ENOENT' && !existsSync(command.directory) ? 'the directory it runs in is gone' : code;
  return new PincerError('HANDLER_FAILED', `${command.name} could not be started: ${why}`);
}

function feed(child: ChildProcess, stdin: string | Uint8Array | undefined): void {
  if (stdin === undefined) return;
  child.stdin?.on('error', () => {}); // EPIPE: a program need not read what it is given.
  child.stdin?.end(stdin);
}

/** Reads one output stream: keeps what fits, reports it, and reads on only when every report was taken. */
class OutputReader {
  readonly #source: Readable;
  readonly #kept: BoundedText;
  #isDropping = false;
  #waiting = 0;
  #reported: Promise<void> = Promise.resolve();

  constructor(
    source: Readable,
    stream: 'stdout' | 'stderr',
    { outputBytesMax, progress }: CommandRunOptions,
    fail: (reason: unknown) => void,
  ) {
    this.#source = source;
    this.#kept = new BoundedText(outputBytesMax);
    // Reports form a queue, because Node resumes a paused stream by itself when its process exits.
    const report = (chunk: string): void => {
      if (chunk === '') return;
      this.#waiting += 1;
      source.pause();
      this.#reported = this.#reported.then(async () => {
        if (!this.#isDropping) await progress({ stream, chunk });
        this.#waiting -= 1;
        if (this.#waiting === 0) source.resume();
      });
      this.#reported.catch(fail);
    };
    source.on('data', (bytes: Uint8Array) => {
      if (!this.#isDropping) report(this.#kept.add(bytes));
    });
    source.on('end', () => {
      if (!this.#isDropping) report(this.#kept.end());
    });
    source.on('error', fail);
  }

  /** Resolves when every report so far was taken. */
  get reported(): Promise<void> {
    return this.#reported;
  }

  get text(): string {
    return this.#kept.text;
  }

  get isTruncated(): boolean {
    return this.#kept.isTruncated;
  }

  drop(): void {
    this.#isDropping = true;
    this.#source.resume();
  }
}

/**
 * An isolate that is a process of its own, with a group of its own: whatever it does, exits and native crashes included,
 * it does to itself, and it is ended together with everything it has started.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { Readable } from 'node:stream';
import { RUN_VARIABLE, runNamed } from '../handlers/process-table.ts';
import { ProcessTree } from '../handlers/process-tree.ts';
import { type Failure, PincerError } from '../protocol/failure.ts';
import { entryFile, flagsOf } from './built.ts';
import { type Isolate, type IsolateOptions, mebibytesOf, notStarted } from './isolate.ts';
import { parseFromIsolate } from './messages.ts';
import { MEMORY_EXCEEDED, WATCH_DESCRIPTOR } from './watch-words.ts';

/** What Node itself may take of memory, beside the heap that the handler has. */
const NODE_BYTES = 134_217_728;

/** The last of stderr, in which V8 says that the heap was too small. */
const STDERR_TAIL = 4_096;

let isolates = 0;

export function startProcess(options: IsolateOptions): Isolate {
  const { memoryBytesMax, killGraceMs, clock, onMessage } = options;
  const memoryMb = mebibytesOf(memoryBytesMax);
  isolates += 1;
  const run = runNamed(`isolate:${process.pid}.${isolates}`);
  let child: ChildProcess;
  try {
    child = fork(entryFile(), [String(memoryBytesMax + NODE_BYTES)], {
      execArgv: [
        ...flagsOf(process.execArgv).filter((flag) => !flag.startsWith('--inspect')),
        `--max-old-space-size=${memoryMb}`,
      ],
      env: { ...process.env, [RUN_VARIABLE]: run },
      serialization: 'advanced',
      // A Ctrl-C in our terminal is for us to pass on.
      detached: process.platform !== 'win32',
      // The last is the watch’s: it ends when this process does, however that ends.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
    });
  } catch (error) {
    return notStarted(error);
  }
  const { pid, stdout, stderr } = child;
  if (pid === undefined || stdout === null || stderr === null) {
    return notStarted(new Promise((resolve) => child.once('error', resolve)));
  }
  const watch = child.stdio[WATCH_DESCRIPTOR];
  const tree = new ProcessTree(pid, run, killGraceMs, clock);
  let tail = '';
  let isMemoryExceeded = false;
  child.on('error', () => {}); // A message that came too late; what matters is the exit.
  child.on('message', (said: unknown) => {
    const message = parseFromIsolate(said);
    if (message !== null) onMessage(message);
  });
  stderr.on('data', (bytes: Uint8Array) => {
    tail = (tail + Buffer.from(bytes).toString('latin1')).slice(-STDERR_TAIL);
  });
  if (watch instanceof Readable) {
    watch.on('data', (bytes: Uint8Array) => {
      if (bytes.includes(MEMORY_EXCEEDED)) isMemoryExceeded = true;
    });
    watch.on('error', () => {});
  }
  const exited = new Promise<Failure>((resolve) => {
    const closed = new Promise<void>((closes) => child.once('close', () => closes()));
    child.once('exit', async (code, signal) => {
      tree.leaderExited();
      await tree.end(0);
      // What it has said may still be on its way; but who has escaped the tree may hold its pipes for ever.
      let cancel = (): void => {};
      const tired = new Promise<void>((resolve) => {
        cancel = clock.schedule(killGraceMs, resolve);
      });
      await Promise.race([closed, tired]);
      cancel();
      for (const pipe of child.stdio) pipe?.destroy();
      resolve(failureOf(code, signal));
    });
  });

  function failureOf(code: number | null, signal: NodeJS.Signals | null): Failure {
    if (isMemoryExceeded || /JavaScript heap out of memory/.test(tail)) {
      const message = `the handler needs more than ${memoryMb} MiB of heap, or ${memoryMb} MiB beside what Node needs`;
      return new PincerError('HANDLER_OUT_OF_MEMORY', message).toFailure();
    }
    const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
    return new PincerError('HANDLER_EXITED', `the process of the handler ${how}`).toFailure();
  }

  return {
    stdout,
    stderr,
    ended: exited,
    post(message) {
      if (child.connected) child.send(message);
    },
    end: () => void tree.end(0),
    kill() {
      // The group at once, and then whoever has left it.
      if (process.platform === 'win32') child.kill('SIGKILL');
      else killGroup(pid);
      void tree.end(0);
    },
  };
}

// ESRCH: all of it has ended by itself.
function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {}
}

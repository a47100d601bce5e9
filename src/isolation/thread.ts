/** An isolate that is a worker thread: quick to start, and its heap is its own; a crash of native code is everybody’s. */
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import { type Failure, PincerError, toFailure } from '../protocol/failure.ts';
import { entryFile, flagsOf } from './built.ts';
import { type Isolate, type IsolateOptions, mebibytesOf, notStarted } from './isolate.ts';
import { parseFromIsolate } from './messages.ts';

export function startThread({ memoryBytesMax, onMessage }: IsolateOptions): Isolate {
  const memoryMb = mebibytesOf(memoryBytesMax);
  let worker: Worker;
  const flags = flagsOf(process.execArgv);
  try {
    worker = new Worker(entryFile(), {
      stdin: false,
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
      // Only where they differ: of flags that are named a thread refuses those that are its process's alone.
      ...(flags.length === process.execArgv.length ? {} : { execArgv: flags }),
    });
  } catch (error) {
    return notStarted(error);
  }
  let reason: Failure | null = null;
  worker.on('message', (said: unknown) => {
    const message = parseFromIsolate(said);
    if (message !== null) onMessage(message);
  });
  worker.on('messageerror', () => {}); // What cannot be read is none of ours.
  worker.on('error', (error: unknown) => {
    reason ??= failureOf(error, memoryMb);
  });
  const ended = new Promise<Failure>((resolve) => {
    worker.once('exit', (code) => resolve(reason ?? exited(`the thread of the handler ended with code ${code}`)));
  });
  const terminate = (): void => void worker.terminate();
  return {
    stdout: worker.stdout,
    stderr: worker.stderr,
    ended,
    post: (message) => worker.postMessage(message),
    end: terminate,
    kill: terminate,
  };
}

function failureOf(error: unknown, memoryMb: number): Failure {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new PincerError('HANDLER_OUT_OF_MEMORY', `the handler needs more than ${memoryMb} MiB of heap`).toFailure();
  }
  return toFailure(error, 'HANDLER_FAILED');
}

function exited(message: string): Failure {
  return new PincerError('HANDLER_EXITED', message).toFailure();
}

/** One thread or process that runs handlers, as the node sees it: whom to speak to, and how it came to its end. */
import { Readable } from 'node:stream';
import { type Failure, toFailure } from '../protocol/failure.ts';
import type { Clock } from '../protocol/ports.ts';
import type { FromIsolate, ToIsolate } from './messages.ts';

/** Where an isolated handler runs. */
export type IsolateKind = 'thread' | 'process';

export interface IsolateOptions {
  readonly memoryBytesMax: number;
  readonly killGraceMs: number;
  readonly clock: Clock;
  onMessage(message: FromIsolate): void;
}

export interface Isolate {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when nothing of it runs any more, with how it ended. */
  readonly ended: Promise<Failure>;
  post(message: ToIsolate): void;
  /** Ends it in order: a process may still catch SIGTERM. */
  end(): void;
  /** Ends it at once. */
  kill(): void;
}

/** Starts an isolate. Never throws: one that cannot be started has ended, and says why. */
export type StartIsolate = (options: IsolateOptions) => Isolate;

const MEBIBYTE = 1_048_576;

/** An isolate that could not be started, for a reason that may still be on its way. */
export function notStarted(error: unknown): Isolate {
  const nothing = (): void => {};
  return {
    stdout: Readable.from([]),
    stderr: Readable.from([]),
    ended: Promise.resolve(error).then((reason) => toFailure(reason, 'HANDLER_NOT_LOADED')),
    post: nothing,
    end: nothing,
    kill: nothing,
  };
}

/** Bytes as whole MiB, which is what V8 takes; at least one. */
export function mebibytesOf(bytes: number): number {
  return Math.max(1, Math.floor(bytes / MEBIBYTE));
}

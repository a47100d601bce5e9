/** The registration of a handler that runs in a thread or a process of its own: which module, and within what bounds. */
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { IsolatedRegistration } from '../actors/node/runner.ts';
import type { TaskDefinition } from '../actors/task-definition.ts';
import { PincerError } from '../protocol/failure.ts';
import { checkOptions, type Names } from '../protocol/options.ts';
import type { IsolateKind } from './isolate.ts';
import { IsolatePool } from './isolate-pool.ts';
import { startProcess } from './process.ts';
import { startThread } from './thread.ts';

/** How a handler is isolated. */
export interface IsolationOptions {
  /**
   * The module that exports the handler, made with `defineHandler` for the same task type, by default or by name, singly or
   * in arrays: a file URL (`new URL('./resize.js', import.meta.url)`) or an absolute path. A handler cannot be given as a
   * function, because a function cannot leave its thread.
   */
  readonly module: URL | string;
  /**
   * `thread` shares the process, with a heap of its own: light, and stopped in the midst of any JavaScript, but not of native
   * code. `process` shares nothing: it survives `process.abort()` and native crashes, all its memory is bounded, and its
   * children end with it.
   */
  readonly isolate: IsolateKind;
  /** JavaScript heap of one isolate in MiB, 16–1 048 576. Default 512 (`isolateMemoryBytesMax`). */
  readonly memoryMbMax?: number;
  /** From the abort of `call.signal` to the end of the isolate, in milliseconds, 0–60 000. Default 2 000 (`isolateKillGraceMs`). */
  readonly killGraceMs?: number;
  /**
   * Keeps an isolate for further attempts after one that ended in order, with all that its module has loaded. Faster; but
   * what one attempt leaves behind (a timer, a rejection nobody waits for) may then fail the next. Default false.
   */
  readonly reuse?: boolean;
}

const ISOLATION_OPTIONS: Names<IsolationOptions> = {
  module: true,
  isolate: true,
  memoryMbMax: true,
  killGraceMs: true,
  reuse: true,
};

const MEBIBYTE = 1_048_576;

/**
 * A handler that runs isolated: its endless loop, exhausted memory, `process.exit()` or uncaught error fails that attempt
 * with its reason (`HANDLER_EXITED`, `HANDLER_OUT_OF_MEMORY` …) and harms nothing else. One that is told to stop and does
 * not is ended after `killGraceMs`. It is a guard against accidents, not a sandbox: it may do whatever the node may.
 * @throws PincerError `OPTION_INVALID`
 */
export function isolatedHandler(definition: TaskDefinition, options: IsolationOptions): IsolatedRegistration {
  if (typeof definition?.type !== 'string') check(false, 'there is no task definition; make one with defineTask');
  checkOptions(options, 'isolatedHandler', 'module and isolate', ISOLATION_OPTIONS);
  const { isolate, memoryMbMax, killGraceMs, reuse: isReused = false } = options;
  const module = moduleUrl(options.module);
  check(isolate === 'thread' || isolate === 'process', `isolate is '${String(isolate)}', must be thread or process`);
  checkRange('memoryMbMax', memoryMbMax, 16, MEBIBYTE);
  checkRange('killGraceMs', killGraceMs, 0, 60_000);
  return Object.freeze({
    definition,
    isolation: {
      key: JSON.stringify([module, isolate, memoryMbMax, killGraceMs, isReused]),
      open: (world) =>
        new IsolatePool(
          {
            module,
            isReused,
            start: isolate === 'thread' ? startThread : startProcess,
            memoryBytesMax: memoryMbMax === undefined ? world.limits.isolateMemoryBytesMax : memoryMbMax * MEBIBYTE,
            killGraceMs: killGraceMs ?? world.limits.isolateKillGraceMs,
          },
          world,
        ),
    },
  } satisfies IsolatedRegistration);
}

function moduleUrl(module: URL | string): string {
  const text = module instanceof URL ? module.href : module;
  if (typeof text === 'string' && text.startsWith('file:')) return text;
  check(
    typeof text === 'string' && isAbsolute(text),
    `module '${text}' must be a file URL or an absolute path: new URL('./file.js', import.meta.url)`,
  );
  return pathToFileURL(text).href;
}

function checkRange(name: string, value: number | undefined, min: number, max: number): void {
  const holds = value === undefined || (Number.isInteger(value) && value >= min && value <= max);
  check(holds, `${name} is ${value}, must be a whole number from ${min} to ${max}`);
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new PincerError('OPTION_INVALID', `isolatedHandler: ${what}`);
}

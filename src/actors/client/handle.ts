/** What `submit` returns: a task that can be awaited, followed and cancelled. */
import { PincerError } from '../../protocol/failure.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Outcome, TaskStatus } from '../../protocol/task.ts';
import { decodePayload } from '../../transport/payload.ts';

/** How a task ended, with its result decoded. */
export interface SettledTask<Result = unknown> {
  readonly taskId: string;
  readonly status: Outcome['status'];
  /** Present if it completed. */
  readonly result?: Result;
  /** Present if it did not. */
  readonly error?: PincerError;
  /** The node of the attempt that decided; absent if none ran. */
  readonly node?: string;
  /** Attempts that were started. */
  readonly attempts: number;
  /** From submit to the start of the last attempt, in milliseconds. */
  readonly queuedMs: number;
  /** The duration of the last attempt, in milliseconds. */
  readonly runMs: number;
}

/**
 * A submitted task. Awaiting it gives the result, or throws the PincerError it failed with. It is thenable: do not return
 * it from an async function by accident; `result()` is the same as a plain promise.
 */
export interface TaskHandle<Result = unknown, Progress = unknown> extends PromiseLike<Result> {
  /** The task’s id. With a `key` that was used before it is the first task’s id, once accepted. */
  readonly taskId: string;
  /** Progress reports from now on; ends with the task. At most `progressWaitingMax` wait for a slow reader, then the oldest go. */
  readonly progress: AsyncIterable<Progress>;
  /** Resolves when the gateway has the task for good. Rejects if it refuses it (`QUEUE_FULL` with `retryAfterMs` …). */
  accepted(): Promise<{ readonly taskId: string; readonly created: boolean }>;
  /** The result; rejects with what the task failed with. */
  result(): Promise<Result>;
  /** How the task ended. Rejects only if that cannot be known: it was refused, or the client was stopped. */
  outcome(): Promise<SettledTask<Result>>;
  /** Asks for cancellation; resolves with the status after: `cancelled`, `cancelling`, or the outcome it already has. */
  cancel(): Promise<TaskStatus>;
}

type State<Result> = { outcome: SettledTask<Result> } | { error: PincerError };

/** The client’s side of a handle. */
export class Submission<Result = unknown, Progress = unknown> implements TaskHandle<Result, Progress> {
  taskId: string;
  readonly #limits: Limits;
  readonly #cancel: (taskId: string) => Promise<TaskStatus>;
  readonly #end: Promise<State<Result>>;
  readonly #acceptance: Promise<{ taskId: string; created: boolean } | { error: PincerError }>;
  #resolveEnd: (state: State<Result>) => void = () => {};
  #resolveAcceptance: (state: { taskId: string; created: boolean } | { error: PincerError }) => void = () => {};
  readonly #readers = new Set<ProgressReader<Progress>>();
  isOver = false;

  constructor(taskId: string, limits: Limits, cancel: (taskId: string) => Promise<TaskStatus>) {
    this.taskId = taskId;
    this.#limits = limits;
    this.#cancel = cancel;
    this.#end = new Promise((resolve) => {
      this.#resolveEnd = resolve;
    });
    this.#acceptance = new Promise((resolve) => {
      this.#resolveAcceptance = resolve;
    });
  }

  get progress(): AsyncIterable<Progress> {
    return {
      [Symbol.asyncIterator]: () => {
        const reader = new ProgressReader<Progress>(this.#limits.progressWaitingMax, () =>
          this.#readers.delete(reader),
        );
        if (this.isOver) reader.end();
        else this.#readers.add(reader);
        return reader;
      },
    };
  }

  async accepted(): Promise<{ taskId: string; created: boolean }> {
    const state = await this.#acceptance;
    if ('error' in state) throw state.error;
    return state;
  }

  async outcome(): Promise<SettledTask<Result>> {
    const state = await this.#end;
    if ('error' in state) throw state.error;
    return state.outcome;
  }

  async result(): Promise<Result> {
    const { status, result, error, taskId } = await this.outcome();
    if (status === 'completed') return result as Result;
    throw error ?? new PincerError('INTERNAL', `task ${taskId} ended as ${status} without a reason`);
  }

  // biome-ignore lint/suspicious/noThenProperty: a handle is awaited like a promise, as its docstring says.
  then<Value = Result, Rejected = never>(
    onFulfilled?: ((result: Result) => Value | PromiseLike<Value>) | null,
    onRejected?: ((error: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Value | Rejected> {
    return this.result().then(onFulfilled, onRejected);
  }

  cancel(): Promise<TaskStatus> {
    return this.#cancel(this.taskId);
  }

  accept(taskId: string, created: boolean): void {
    this.taskId = taskId;
    this.#resolveAcceptance({ taskId, created });
  }

  refuse(error: PincerError): void {
    this.#resolveAcceptance({ error });
    this.#finish({ error });
  }

  report(payload: Uint8Array): void {
    if (this.#readers.size === 0) return;
    const report = decodePayload(payload, this.#limits) as Progress;
    for (const reader of this.#readers) reader.push(report);
  }

  settle(outcome: Outcome): void {
    const { result, error, ...rest } = outcome;
    this.#resolveAcceptance({ taskId: outcome.taskId, created: false });
    try {
      this.#finish({
        outcome: {
          ...rest,
          ...(result === undefined ? {} : { result: decodePayload(result, this.#limits) as Result }),
          ...(error === undefined ? {} : { error: PincerError.from(error) }),
        } as SettledTask<Result>,
      });
    } catch (thrown) {
      this.#finish({
        error: new PincerError('RESULT_INVALID', `the result of ${outcome.taskId} cannot be decoded`, {
          cause: thrown,
        }),
      });
    }
  }

  #finish(state: State<Result>): void {
    this.isOver = true;
    this.#resolveEnd(state);
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }
}

class ProgressReader<Progress> implements AsyncIterator<Progress> {
  readonly #waitingMax: number;
  readonly #onReturn: () => void;
  readonly #waiting: Progress[] = [];
  #resolve: ((result: IteratorResult<Progress>) => void) | null = null;
  #isOver = false;

  constructor(waitingMax: number, onReturn: () => void) {
    this.#waitingMax = waitingMax;
    this.#onReturn = onReturn;
  }

  push(report: Progress): void {
    if (this.#resolve !== null) {
      this.#resolve({ value: report, done: false });
      this.#resolve = null;
      return;
    }
    if (this.#waiting.length >= this.#waitingMax) this.#waiting.shift();
    this.#waiting.push(report);
  }

  end(): void {
    this.#isOver = true;
    this.#resolve?.({ value: undefined, done: true });
    this.#resolve = null;
  }

  next(): Promise<IteratorResult<Progress>> {
    const report = this.#waiting.shift();
    if (report !== undefined) return Promise.resolve({ value: report, done: false });
    if (this.#isOver) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  return(): Promise<IteratorResult<Progress>> {
    this.#onReturn();
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }
}

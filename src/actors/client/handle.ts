/** What `submit` returns: a task that can be awaited, followed and cancelled. */
import { PincerError } from '../../protocol/failure.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Outcome, TaskStatus } from '../../protocol/task.ts';
import { decodePayload } from '../../transport/payload.ts';
import { type WaitingLimits, WaitingReports } from './waiting-reports.ts';

/** How a task ended, with its result decoded. */
export interface SettledTask<Result = unknown> {
  readonly taskId: string;
  readonly status: Outcome['status'];
  /** Present if it completed. */
  readonly result?: Result;
  /** Present if it did not. */
  readonly error?: PincerError;
  /** The node of the attempt that decided; absent if the task waited when it ended. */
  readonly node?: string;
  /** Attempts that were started. */
  readonly attempts: number;
  /** From submit to the start of the last attempt, in milliseconds; 0 if none was started. */
  readonly queuedMs: number;
  /** The duration of the last attempt, in milliseconds; 0 if none was started. */
  readonly runMs: number;
}

/**
 * A submitted task. Awaiting it gives the result, or throws the PincerError it failed with. It is thenable: do not return
 * it from an async function by accident; `result()` is the same as a plain promise.
 *
 * Submitted with `watch: false`, a task is not followed, and nothing but `accepted()` and `cancel()` of its handle is of use:
 * `result()`, `outcome()`, awaiting it and reading its progress fail at once, with `OPTION_INVALID`.
 */
export interface TaskHandle<Result = unknown, Progress = unknown> extends PromiseLike<Result> {
  /** The task’s id. With a `key` that was used before it is the first task’s id, once accepted. */
  readonly taskId: string;
  /**
   * Progress reports; ends with the task. The first reader gets all that came before it began, any other what comes from
   * then on. At most `progressWaitingMax` wait for a slow reader, or for the first one to begin, and at most
   * `progressWaitingBytesMax` of their bytes, then the oldest go. A report that is not msgpack is left out.
   */
  readonly progress: AsyncIterable<Progress>;
  /**
   * Resolves when the gateway has the task for good. Rejects if it refuses it: `QUEUE_FULL` or `RATE_EXCEEDED`, each with
   * `retryAfterMs`, when there is no room for now. Such a task is not stored, and not submitted again by itself.
   */
  accepted(): Promise<{ readonly taskId: string; readonly created: boolean }>;
  /** The result; rejects with what the task failed with. */
  result(): Promise<Result>;
  /** How the task ended. Rejects only if that cannot be known: it was refused, is not followed, or the client was stopped. */
  outcome(): Promise<SettledTask<Result>>;
  /** Asks for cancellation; resolves with the status after: `cancelled`, `cancelling`, or the outcome it already has. */
  cancel(): Promise<TaskStatus>;
}

type State<Result> = { readonly outcome: SettledTask<Result> } | { readonly error: PincerError };
type Acceptance = { readonly taskId: string; readonly created: boolean } | { readonly error: PincerError };

export interface SubmissionOptions {
  readonly limits: Limits;
  /** False: it is never told of progress or outcome. */
  readonly isWatched: boolean;
  cancel(taskId: string): Promise<TaskStatus>;
}

/** The client’s side of a handle. Promises are made when they are asked for: most tasks are asked for one. */
export class Submission<Result = unknown, Progress = unknown> implements TaskHandle<Result, Progress> {
  taskId: string;
  readonly #options: SubmissionOptions;
  #end: State<Result> | null = null;
  #acceptance: Acceptance | null = null;
  /** Most tasks are asked for once, so the first is not in a list. */
  #whenOver: ((end: State<Result>) => void) | null = null;
  #alsoWhenOver: ((end: State<Result>) => void)[] | null = null;
  #whenAccepted: ((acceptance: Acceptance) => void)[] | null = null;
  #readers: Set<ProgressReader<Progress>> | null = null;
  /** Reports that came before anybody read, as they came: a short task may be over when its acceptance has been waited for. */
  #unread: WaitingReports<Uint8Array> | null = null;

  constructor(taskId: string, options: SubmissionOptions) {
    this.taskId = taskId;
    this.#options = options;
  }

  get isAccepted(): boolean {
    return this.#acceptance !== null;
  }

  get isOver(): boolean {
    return this.#end !== null;
  }

  get progress(): AsyncIterable<Progress> {
    return {
      [Symbol.asyncIterator]: () => {
        if (!this.#options.isWatched && !this.isOver) throw unwatched(this.taskId);
        const reader = new ProgressReader<Progress>(this.#options.limits, () => this.#readers?.delete(reader));
        const isFirst = this.#readers === null;
        this.#readers ??= new Set();
        if (isFirst) this.#catchUp(reader);
        if (this.isOver) reader.end();
        else this.#readers.add(reader);
        return reader;
      },
    };
  }

  accepted(): Promise<{ taskId: string; created: boolean }> {
    return new Promise((resolve, reject) => {
      const tell = (acceptance: Acceptance): void =>
        'error' in acceptance ? reject(acceptance.error) : resolve(acceptance);
      if (this.#acceptance !== null) tell(this.#acceptance);
      else {
        this.#whenAccepted ??= [];
        this.#whenAccepted.push(tell);
      }
    });
  }

  outcome(): Promise<SettledTask<Result>> {
    return new Promise((resolve, reject) => {
      this.#onceOver((end) => ('error' in end ? reject(end.error) : resolve(end.outcome)));
    });
  }

  result(): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#onceOver((end) => {
        if ('error' in end) return reject(end.error);
        const { status, result, error, taskId } = end.outcome;
        if (status === 'completed') resolve(result as Result);
        else reject(error ?? new PincerError('INTERNAL', `task ${taskId} ended as ${status} without a reason`));
      });
    });
  }

  // biome-ignore lint/suspicious/noThenProperty: a handle is awaited like a promise, as its docstring says.
  then<Value = Result, Rejected = never>(
    onFulfilled?: ((result: Result) => Value | PromiseLike<Value>) | null,
    onRejected?: ((error: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Value | Rejected> {
    return this.result().then(onFulfilled, onRejected);
  }

  cancel(): Promise<TaskStatus> {
    return this.#options.cancel(this.taskId);
  }

  accept(taskId: string, created: boolean): void {
    this.taskId = taskId;
    if (this.#acceptance === null) this.#accepted({ taskId, created });
  }

  refuse(error: PincerError): void {
    if (this.#acceptance === null) this.#accepted({ error });
    this.#finish({ error });
  }

  report(payload: Uint8Array): void {
    if (this.#readers === null) this.#keepUnread(payload);
    else if (this.#readers.size > 0) this.#tell(this.#readers, payload);
  }

  settle(outcome: Outcome): void {
    if (this.#acceptance === null) this.#accepted({ taskId: outcome.taskId, created: false });
    let end: State<Result>;
    try {
      end = { outcome: this.#decoded(outcome) };
    } catch (cause) {
      const why = `the result of ${outcome.taskId} cannot be decoded`;
      end = { error: new PincerError('RESULT_INVALID', why, { cause }) };
    }
    this.#finish(end);
  }

  #decoded({ taskId, status, attempts, queuedMs, runMs, node, result, error }: Outcome): SettledTask<Result> {
    const settled: { -readonly [Name in keyof SettledTask<Result>]: SettledTask<Result>[Name] } = {
      taskId,
      status,
      attempts,
      queuedMs,
      runMs,
    };
    if (node !== undefined) settled.node = node;
    if (result !== undefined) settled.result = decodePayload(result, this.#options.limits) as Result;
    if (error !== undefined) settled.error = PincerError.from(error);
    return settled;
  }

  #onceOver(tell: (end: State<Result>) => void): void {
    if (this.#end !== null) tell(this.#end);
    else if (!this.#options.isWatched) tell({ error: unwatched(this.taskId) });
    else if (this.#whenOver === null) this.#whenOver = tell;
    else {
      this.#alsoWhenOver ??= [];
      this.#alsoWhenOver.push(tell);
    }
  }

  #accepted(acceptance: Acceptance): void {
    this.#acceptance = acceptance;
    if (this.#whenAccepted === null) return;
    for (const tell of this.#whenAccepted) tell(acceptance);
    this.#whenAccepted = null;
  }

  #finish(end: State<Result>): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#whenOver?.(end);
    this.#whenOver = null;
    for (const tell of this.#alsoWhenOver ?? NOBODY) tell(end);
    this.#alsoWhenOver = null;
    for (const reader of this.#readers ?? NOBODY) reader.end();
    this.#readers?.clear();
  }

  #keepUnread(payload: Uint8Array): void {
    this.#unread ??= new WaitingReports(this.#options.limits);
    // A copy: what came is a part of its frame, and would keep all of it.
    this.#unread.push(new Uint8Array(payload), payload.byteLength);
  }

  #catchUp(reader: ProgressReader<Progress>): void {
    for (let next = this.#unread?.shift(); next !== undefined; next = this.#unread?.shift()) this.#tell([reader], next);
    this.#unread = null;
  }

  #tell(readers: Iterable<ProgressReader<Progress>>, payload: Uint8Array): void {
    let report: Progress;
    try {
      report = decodePayload(payload, this.#options.limits) as Progress;
    } catch {
      return;
    }
    for (const reader of readers) reader.push(report, payload.byteLength);
  }
}

const NOBODY: readonly never[] = [];

// At once, since nothing will ever come: to follow it only in order to fail it when the client stops would keep a handle for
// each task that somebody chose not to follow.
function unwatched(taskId: string): PincerError {
  const why = `task ${taskId} was submitted with watch: false, so its handle is told nothing but its acceptance`;
  return new PincerError('OPTION_INVALID', `${why}; use follow('${taskId}') to hear how it gets on and ends`);
}

class ProgressReader<Progress> implements AsyncIterator<Progress> {
  readonly #onReturn: () => void;
  readonly #waiting: WaitingReports<Progress>;
  /** Who has asked and was not answered yet: reports go to them in the order in which they asked. */
  #asking: ((result: IteratorResult<Progress>) => void)[] = [];
  #isOver = false;

  constructor(limits: WaitingLimits, onReturn: () => void) {
    this.#waiting = new WaitingReports(limits);
    this.#onReturn = onReturn;
  }

  push(report: Progress, bytes: number): void {
    const answer = this.#asking.shift();
    if (answer !== undefined) {
      answer({ value: report, done: false });
      return;
    }
    this.#waiting.push(report, bytes);
  }

  end(): void {
    this.#isOver = true;
    for (const answer of this.#asking) answer({ value: undefined, done: true });
    this.#asking = [];
  }

  next(): Promise<IteratorResult<Progress>> {
    const report = this.#waiting.shift();
    if (report !== undefined) return Promise.resolve({ value: report, done: false });
    if (this.#isOver) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => {
      this.#asking.push(resolve);
    });
  }

  return(): Promise<IteratorResult<Progress>> {
    this.#onReturn();
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }
}

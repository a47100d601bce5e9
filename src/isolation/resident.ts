/** What lives in an isolate: loads the module of handlers and runs one attempt at a time, as its node says. */
import { type InlineRegistration, runHandler } from '../actors/node/runner.ts';
import { type Failure, PincerError, toFailure } from '../protocol/failure.ts';
import { unexpected } from '../protocol/unexpected.ts';
import type { FromIsolate, ToIsolate } from './messages.ts';
import { ProgressReports } from './progress-reports.ts';

export type Post = (message: FromIsolate) => void;

interface Attempt {
  readonly abort: AbortController;
  readonly reports: ProgressReports;
}

export class Resident {
  readonly #post: Post;
  #handlers: Promise<readonly InlineRegistration[]> = Promise.resolve([]);
  #attempt: Attempt | null = null;

  constructor(post: Post) {
    this.#post = post;
  }

  take(message: ToIsolate): void {
    switch (message.type) {
      case 'load':
        this.#handlers = handlersOf(message.module);
        this.#handlers.catch((error) => this.#sayCrashed(toFailure(error, 'HANDLER_NOT_LOADED')));
        break;
      case 'run':
        void this.#run(message);
        break;
      case 'abort':
        this.#attempt?.abort.abort(PincerError.from(message.failure));
        break;
      case 'progress.taken':
        this.#attempt?.reports.taken(message.failure);
        break;
      default:
        unexpected(message);
    }
  }

  /** Something was thrown where no attempt could catch it. */
  crash(error: unknown): void {
    const failure = toFailure(error, 'HANDLER_FAILED');
    this.#sayCrashed({ ...failure, message: `not caught: ${failure.message}` });
  }

  async #run({ taskType, taskId, attempt, payload, limits }: ToIsolate & { type: 'run' }): Promise<void> {
    const abort = new AbortController();
    const reports = new ProgressReports((report) => this.#post({ type: 'progress', payload: report }));
    this.#attempt = { abort, reports };
    let handlers: readonly InlineRegistration[];
    try {
      handlers = await this.#handlers;
    } catch {
      return; // Said when it happened.
    }
    const handler = handlers.find(({ definition }) => definition.type === taskType);
    if (handler === undefined) {
      const types = handlers.map(({ definition }) => definition.type).join(', ') || 'none';
      this.#sayCrashed(
        new PincerError(
          'HANDLER_NOT_LOADED',
          `the module exports no handler for '${taskType}'; it has: ${types}`,
        ).toFailure(),
      );
      return;
    }
    let isProgressFailureTold = false;
    const ended = await runHandler(handler, {
      taskId,
      attempt,
      payload,
      limits,
      signal: abort.signal,
      onStarted() {},
      onProgress: (report) => reports.report(report),
      onProgressFailed: (failure) => {
        // Of an attempt that has ended nothing is said any more: the node would take it for one of the next.
        if (isProgressFailureTold || this.#attempt?.reports !== reports) return;
        isProgressFailureTold = true;
        this.#post({ type: 'progress.failed', failure: cut(failure) });
      },
    });
    reports.close();
    this.#attempt = null;
    if ('result' in ended) this.#post({ type: 'returned', result: ended.result });
    else this.#post({ type: 'threw', failure: cut(ended.failure) });
  }

  #sayCrashed(failure: Failure): void {
    this.#post({ type: 'crashed', failure: cut(failure) });
  }
}

/**
 * The handlers that a module exports, by default or by name, singly or in arrays; what it isolates itself is not for here.
 * @throws PincerError `HANDLER_NOT_LOADED`
 */
async function handlersOf(module: string): Promise<readonly InlineRegistration[]> {
  let exported: Record<string, unknown>;
  try {
    exported = (await import(module)) as Record<string, unknown>;
  } catch (error) {
    const { message } = toFailure(error, 'HANDLER_NOT_LOADED');
    throw new PincerError('HANDLER_NOT_LOADED', `the module cannot be loaded: ${message}`, { cause: error });
  }
  return Object.values(exported).flat().filter(isInline);
}

function isInline(value: unknown): value is InlineRegistration {
  return typeof value === 'object' && value !== null && 'definition' in value && 'handler' in value;
}

function cut({ code, message, retryable }: Failure): Failure {
  return { code, message: message.slice(0, 2_000), retryable };
}

/** One message and what becomes of it: the task it was made, the delivery of its reply, and what both say. */
import type { SettledTask, TaskHandle } from '../actors/client/handle.ts';
import type { PincerError } from '../protocol/failure.ts';

/** A message that was taken, for whoever waits for its reply. */
export interface Turn {
  readonly taskId: string;
  /** False: the message had been taken before. */
  readonly isNew: boolean;
  /** How the task ended. Rejects if that cannot be known: the channel was stopped. */
  outcome(): Promise<SettledTask>;
  /** The text of the reply: what the channel’s `replyText` makes of how the task ended. */
  textOf(settled: SettledTask): string;
  /** What the task reports, from now on; ends with it. */
  readonly progress: AsyncIterable<unknown>;
}

/** A turn that is waited for. Its task may have to be submitted again, so its outcome is a promise of its own. */
export class OpenTurn implements Turn {
  readonly taskId: string;
  readonly textOf: Turn['textOf'];
  isNew = true;
  /** Resolves once task and delivery are stored. */
  accepted: Promise<void> = Promise.resolve();
  handle: TaskHandle | null = null;
  readonly #outcome: Promise<SettledTask>;
  #settle: (settled: SettledTask) => void = () => {};
  #fail: (error: PincerError) => void = () => {};

  constructor(taskId: string, textOf: Turn['textOf']) {
    this.taskId = taskId;
    this.textOf = textOf;
    this.#outcome = new Promise((resolve, reject) => {
      this.#settle = resolve;
      this.#fail = reject;
    });
    // Nobody may be waiting.
    this.#outcome.catch(() => {});
  }

  get progress(): AsyncIterable<unknown> {
    return this.handle?.progress ?? NOTHING;
  }

  outcome(): Promise<SettledTask> {
    return this.#outcome;
  }

  settle(settled: SettledTask): void {
    this.#settle(settled);
  }

  fail(error: PincerError): void {
    this.#fail(error);
  }
}

const NOTHING: AsyncIterable<never> = {
  async *[Symbol.asyncIterator]() {},
};

/**
 * What becomes of results that no attempt here waits for: the store is asked, and each is counted as a duplicate of what
 * it has, or as stale. Whoever sent one is told nothing but that it has been dealt with.
 */
import type { AttemptRef } from '../../../protocol/identifier.ts';
import type { Limits } from '../../../protocol/limits.ts';
import { isOutcome } from '../../../protocol/task-status.ts';
import type { Store } from '../../store/store.ts';

export class Verdicts {
  readonly #store: Store;
  readonly #limits: Pick<Limits, 'submitBatchMax'>;
  readonly #counts: { duplicate: number; stale: number };
  #asked = 0;

  /** `counts` are those of the results that reached the store, and got their verdict there. */
  constructor(options: {
    store: Store;
    limits: Pick<Limits, 'submitBatchMax'>;
    counts: { duplicate: number; stale: number };
  }) {
    this.#store = options.store;
    this.#limits = options.limits;
    this.#counts = options.counts;
  }

  /** Counts a result, or an attempt that a node says it has, which is not its own any more. */
  async judge({ taskId, attempt }: AttemptRef): Promise<void> {
    // Who repeats himself by the thousand is not worth a question each; he is counted as late all the same.
    if (this.#asked >= this.#limits.submitBatchMax) return;
    this.#asked += 1;
    // A store that cannot be asked has reported that elsewhere.
    const record = await this.#store.get(taskId).catch(() => undefined);
    this.#asked -= 1;
    if (record === undefined) return;
    const isKnown = record !== null && isOutcome(record.status) && record.attempt === attempt;
    this.#counts[isKnown ? 'duplicate' : 'stale'] += 1;
  }
}

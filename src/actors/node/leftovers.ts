/**
 * Results that an earlier process of this node left in its outbox. Each is listed when the node registers, so that its
 * attempt is not given to another, and reported in every new session, until a gateway has acknowledged it or has no use
 * for it.
 */
import type { AttemptRef } from '../../protocol/identifier.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Connection } from '../peer/connection.ts';
import { keyOf, type Outbox, type Result, resultFor } from './outbox.ts';

export class Leftovers {
  readonly #outbox: Outbox;
  readonly #connection: () => Connection;
  readonly #onSlots: () => void;
  readonly #results = new Map<string, Result>();

  /** `onSlots`: there is one less, and a node that drains may be waiting for that. */
  constructor(options: { outbox: Outbox; connection: () => Connection; onSlots: () => void }) {
    this.#outbox = options.outbox;
    this.#connection = options.connection;
    this.#onSlots = () => options.onSlots();
  }

  get size(): number {
    return this.#results.size;
  }

  /** What the outbox had when it was opened. */
  take(results: readonly Result[]): void {
    for (const result of results) this.#results.set(keyOf(result), result);
  }

  has(ref: AttemptRef): boolean {
    return this.#results.size > 0 && this.#results.has(keyOf(ref));
  }

  refs(): AttemptRef[] {
    return [...this.#results.values()].map(({ taskId, attempt }) => ({ taskId, attempt }));
  }

  sayAgain(limits: Limits): void {
    for (const result of this.#results.values()) {
      this.#connection().send('task_result', resultFor(result, limits), { onAcknowledged: () => this.forget(result) });
    }
  }

  /** False: it is none of these. */
  forget(ref: AttemptRef): boolean {
    const key = keyOf(ref);
    if (!this.#results.delete(key)) return false;
    this.#outbox.forget(key);
    this.#onSlots();
    return true;
  }
}

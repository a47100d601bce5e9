/**
 * Claimable tasks of the memory store, in one line per requirement class. What nobody wants is never looked at: a claim
 * touches only the lines it names, and takes O(log n) for each task it gets.
 */
import { comparePlaces, type Place } from '../../../machines/policies/rank.ts';
import { LazyHeap } from '../../lazy-heap.ts';
import { type Line, takeMerged } from '../merged-lines.ts';
import type { Want } from '../store.ts';
import type { Taker } from '../tables.ts';

/** A task in its line. */
interface Standing extends Place {
  readonly queue: string;
  /** `pending` for as long as it stands there. */
  readonly status: string;
}

export class ReadyQueue<Row extends Standing> {
  readonly #lines = new Map<string, LazyHeap<Row>>();

  has(queue: string): boolean {
    return this.#lines.has(queue);
  }

  /** Adds a task that is pending now. */
  push(row: Row): void {
    let line = this.#lines.get(row.queue);
    if (line === undefined) {
      line = new LazyHeap<Row>(comparePlaces, (each) => each.status === 'pending');
      this.#lines.set(row.queue, line);
    }
    line.push(row);
  }

  /** Says that a task in its line has just ceased to be pending. */
  drop(row: Row): void {
    const line = this.#lines.get(row.queue);
    line?.drop();
    if (line?.size === 0) this.#lines.delete(row.queue);
  }

  /** Takes the first tasks of the wanted classes together: at most `want.limit` of each class and `limit` in all. */
  take(wants: readonly Want[], limit: number, taker: Taker<Row>): void {
    takeMerged(wants, limit, { lineOf: (queue) => this.#lineOf(queue), taker });
  }

  /** How many tasks of its class stand before this one. O(n) of its class: for a person who asks, not for the hot path. */
  ahead(row: Row): number {
    let ahead = 0;
    for (const other of this.#lines.get(row.queue) ?? []) if (comparePlaces(other, row) < 0) ahead += 1;
    return ahead;
  }

  /** How many are claimable, by class. */
  sizes(): ReadonlyMap<string, number> {
    return new Map([...this.#lines].map(([queue, line]) => [queue, line.size]));
  }

  #lineOf(queue: string): Line<Row> | undefined {
    const line = this.#lines.get(queue);
    if (line === undefined) return undefined;
    return {
      first: () => line.first(),
      row: () => line.first(),
      take: () => {
        line.take();
        if (line.size === 0) this.#lines.delete(queue);
      },
    };
  }
}

/**
 * Claimable tasks, in one line per requirement class. What nobody wants is never looked at: a claim touches only the
 * lines it names, and takes O(log n) for each task it gets.
 */
import TinyQueue from 'tinyqueue';
import { comparePlaces } from '../../machines/policies/rank.ts';
import { LazyHeap } from '../lazy-heap.ts';
import type { MemoryRow } from './memory-row.ts';
import type { Want } from './store.ts';
import type { Taker } from './tables.ts';

/** A line that a claim merges: its first task, and how many more it may give. */
interface Head {
  row: MemoryRow;
  readonly line: LazyHeap<MemoryRow>;
  left: number;
}

export class ReadyQueue {
  readonly #lines = new Map<string, LazyHeap<MemoryRow>>();

  has(queue: string): boolean {
    return this.#lines.has(queue);
  }

  /** Adds a task that is pending now. */
  push(row: MemoryRow): void {
    let line = this.#lines.get(row.queue);
    if (line === undefined) {
      line = new LazyHeap<MemoryRow>(comparePlaces, (each) => each.status === 'pending');
      this.#lines.set(row.queue, line);
    }
    line.push(row);
  }

  /** Says that a task in its line has just ceased to be pending. */
  drop(row: MemoryRow): void {
    const line = this.#lines.get(row.queue);
    line?.drop();
    if (line?.size === 0) this.#lines.delete(row.queue);
  }

  /** Takes the first tasks of the wanted classes together: at most `want.limit` of each class and `limit` in all. */
  take(wants: readonly Want[], limit: number, taker: Taker<MemoryRow>): void {
    let taken = 0;
    const heads = new TinyQueue<Head>([], (a, b) => comparePlaces(a.row, b.row));
    for (const [queue, left] of limitsByQueue(wants)) {
      const line = this.#lines.get(queue);
      const row = left > 0 ? line?.first() : undefined;
      if (line !== undefined && row !== undefined && taker.mayTake(row)) heads.push({ row, line, left });
    }
    while (taken < limit) {
      const head = heads.pop();
      if (head === undefined) break;
      // A head before it may have used up the limit that both share.
      if (!taker.mayTake(head.row)) continue;
      head.line.take();
      taker.take(head.row);
      taken += 1;
      head.left -= 1;
      const next = head.line.first();
      if (next === undefined) this.#lines.delete(head.row.queue);
      else if (head.left > 0 && taker.mayTake(next)) {
        head.row = next;
        heads.push(head);
      }
    }
  }

  /** How many tasks of its class stand before this one. O(n) of its class: for a person who asks, not for the hot path. */
  ahead(row: MemoryRow): number {
    let ahead = 0;
    for (const other of this.#lines.get(row.queue) ?? []) if (comparePlaces(other, row) < 0) ahead += 1;
    return ahead;
  }

  /** How many are claimable, by class. */
  sizes(): ReadonlyMap<string, number> {
    return new Map([...this.#lines].map(([queue, line]) => [queue, line.size]));
  }
}

/** A class that is wanted twice is wanted that much more. */
function limitsByQueue(wants: readonly Want[]): Map<string, number> {
  const limits = new Map<string, number>();
  for (const { queue, limit } of wants) limits.set(queue, (limits.get(queue) ?? 0) + Math.max(0, limit));
  return limits;
}

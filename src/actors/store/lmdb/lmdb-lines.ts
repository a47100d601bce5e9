/** Where the tasks of an LMDB store stand while they wait: ranges of its index, that follow from the rows alone. */
import { type Line, takeMerged } from '../merged-lines.ts';
import type { Want } from '../store.ts';
import type { Taker, WaitingLines } from '../tables.ts';
import type { LmdbRow } from './head.ts';
import { LineFronts } from './line-fronts.ts';
import type { LmdbTasks } from './lmdb-tasks.ts';
import { INDEXES, LAST, lapseAtMs, queueKey } from './task-indexes.ts';
import type { LmdbWaiting } from './totals.ts';

export class LmdbLines implements WaitingLines<LmdbRow> {
  readonly #tasks: LmdbTasks;
  readonly #waiting: LmdbWaiting;
  readonly #fronts: LineFronts;
  /** No task is due, and none expires, before this; as far as is known. Mostly nobody needs to look. */
  #dueMs = -LAST;
  #expiryMs = -LAST;

  constructor(tasks: LmdbTasks, waiting: LmdbWaiting) {
    this.#tasks = tasks;
    this.#waiting = waiting;
    this.#fronts = new LineFronts(tasks);
  }

  has(queue: string): boolean {
    return this.#waiting.pendingOf(queue) > 0;
  }

  sizes(): ReadonlyMap<string, number> {
    return this.#waiting.pending();
  }

  ahead({ queue, rank, seq }: LmdbRow): number {
    const key = queueKey(queue);
    return this.#tasks.count([INDEXES.ready, key, -LAST], [INDEXES.ready, key, rank, seq]);
  }

  enter(row: LmdbRow): void {
    this.#tasks.touch(row);
    this.#waiting.addPending(row.queue, 1);
    this.#fronts.enter(row);
    this.expireLater(row);
  }

  leave(row: LmdbRow): void {
    this.#waiting.addPending(row.queue, -1);
    this.#fronts.leave(row);
  }

  take(wants: readonly Want[], limit: number, taker: Taker<LmdbRow>): void {
    takeMerged(wants, limit, {
      lineOf: (queue, wanted) => (this.has(queue) ? this.#lineOf(queue, wanted) : undefined),
      taker: {
        mayTake: (row) => taker.mayTake(row),
        take: (row) => {
          this.#waiting.addPending(row.queue, -1);
          taker.take(row);
        },
      },
    });
  }

  takeDue(nowMs: number): LmdbRow | undefined {
    if (this.#dueMs > nowMs) return undefined;
    const first = this.#tasks.first(INDEXES.due);
    this.#dueMs = first?.atMs ?? LAST;
    return first === undefined || first.atMs > nowMs ? undefined : this.#tasks.get(first.taskId);
  }

  nextExpired(nowMs: number): LmdbRow | undefined {
    if (this.#expiryMs > nowMs) return undefined;
    const first = this.#tasks.first(INDEXES.expiry);
    this.#expiryMs = first?.atMs ?? LAST;
    return first === undefined || first.atMs > nowMs ? undefined : this.#tasks.get(first.taskId);
  }

  delay(row: LmdbRow): void {
    this.#dueMs = Math.min(this.#dueMs, row.dueMs);
    this.expireLater(row);
  }

  expireLater(row: LmdbRow): void {
    this.#expiryMs = Math.min(this.#expiryMs, lapseAtMs(row));
  }

  // These follow from the row.
  dropDelayed(): void {}
  dropExpiry(): void {}
  dropExpiries(): void {}

  /** Forgets what it knows: another process may change it from now on. */
  reset(): void {
    this.#dueMs = -LAST;
    this.#expiryMs = -LAST;
    this.#fronts.reset();
  }

  #lineOf(queue: string, wanted: number): Line<LmdbRow> {
    const front = this.#fronts.of(queue, wanted);
    return {
      first: () => front.first(),
      row: () => {
        const first = front.first();
        return first === undefined ? undefined : this.#tasks.get(first.taskId);
      },
      take: () => front.take(),
    };
  }
}

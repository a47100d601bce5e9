/** Where the tasks of an LMDB store stand while they wait: ranges of its index, that follow from the rows alone. */
import { type Line, takeMerged } from '../merged-lines.ts';
import type { Want } from '../store.ts';
import type { Taker, WaitingLines } from '../tables.ts';
import type { LmdbRow } from './head.ts';
import type { LmdbTasks } from './lmdb-tasks.ts';
import { INDEXES, type IndexKey, LAST, queueKey } from './task-indexes.ts';
import type { LmdbWaiting } from './totals.ts';

/** Rows that are looked up ahead in a line. */
const CHUNK = 64;

export class LmdbLines implements WaitingLines<LmdbRow> {
  readonly #tasks: LmdbTasks;
  readonly #waiting: LmdbWaiting;

  constructor(tasks: LmdbTasks, waiting: LmdbWaiting) {
    this.#tasks = tasks;
    this.#waiting = waiting;
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
  }

  leave(row: LmdbRow): void {
    this.#waiting.addPending(row.queue, -1);
  }

  take(wants: readonly Want[], limit: number, taker: Taker<LmdbRow>): void {
    this.#tasks.flush();
    takeMerged(wants, limit, {
      lineOf: (queue, most) => (this.has(queue) ? this.#lineOf(queue, most) : undefined),
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
    return this.#first([INDEXES.due, -LAST], [INDEXES.due, nowMs, LAST]);
  }

  nextExpired(nowMs: number): LmdbRow | undefined {
    return this.#first([INDEXES.expiry, -LAST], [INDEXES.expiry, nowMs, LAST]);
  }

  // All of these follow from the row.
  delay(): void {}
  dropDelayed(): void {}
  expireLater(): void {}
  dropExpiry(): void {}
  dropExpiries(): void {}

  #first(start: IndexKey, end: IndexKey): LmdbRow | undefined {
    const [taskId] = this.#tasks.range(start, end, 1);
    return taskId === undefined ? undefined : this.#tasks.get(taskId);
  }

  /** The line as it is now: what is taken of it in this call is left out, though it still stands in the index. */
  #lineOf(queue: string, limit: number): Line<LmdbRow> {
    const key = queueKey(queue);
    const end: IndexKey = [INDEXES.ready, key, LAST];
    let start: IndexKey = [INDEXES.ready, key, -LAST];
    let chunk: string[] = [];
    let at = 0;
    let isWhole = false;
    const fill = (): void => {
      const most = Math.min(CHUNK, limit) + 1;
      chunk = this.#tasks.range(start, end, most);
      isWhole = chunk.length < most;
      at = 0;
    };
    fill();
    return {
      first: () => {
        if (at >= chunk.length && !isWhole) fill();
        const taskId = chunk[at];
        return taskId === undefined ? undefined : this.#tasks.get(taskId);
      },
      take: () => {
        const row = this.#tasks.get(chunk[at] ?? '');
        if (row !== undefined) start = [INDEXES.ready, key, row.rank, row.seq + 0.5];
        at += 1;
      },
    };
  }
}

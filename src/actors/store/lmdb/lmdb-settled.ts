/**
 * The settled tasks of an LMDB store, in the order in which they settled: a range of its index. The oldest is asked for
 * with each task that settles once the store is full, so that asking writes nothing: whatever has settled since the
 * index was last written is younger than all that stand in it.
 */
import { isOutcome } from '../../../protocol/task.ts';
import type { SettledRows } from '../tables.ts';
import type { LmdbRow } from './head.ts';
import type { LmdbTasks } from './lmdb-tasks.ts';
import { INDEXES, type IndexKey, LAST } from './task-indexes.ts';
import type { Totals } from './totals.ts';

/** Tasks that are looked up ahead. */
const CHUNK = 16;
const FIRST: IndexKey = [INDEXES.settled, 0];
const END: IndexKey = [INDEXES.settled, LAST];

export class LmdbSettled implements SettledRows<LmdbRow> {
  readonly #tasks: LmdbTasks;
  readonly #totals: () => Totals;
  /** The oldest in the index, looked up together: as long as this transaction lasts, others only settle after them. */
  #ahead: ReturnType<LmdbTasks['written']> = [];
  #at = 0;

  constructor(tasks: LmdbTasks, totals: () => Totals) {
    this.#tasks = tasks;
    this.#totals = totals;
  }

  get tasks(): number {
    return this.#totals().settledTasks;
  }

  get bytes(): number {
    return this.#totals().settledBytes;
  }

  add(row: LmdbRow): void {
    const totals = this.#totals();
    totals.settledSeq += 1;
    totals.settledTasks += 1;
    totals.settledBytes += row.resultBytes + row.payloadBytes;
    row.settledSeq = totals.settledSeq;
    this.#tasks.touch(row);
  }

  drop(row: LmdbRow): void {
    this.#totals().settledTasks -= 1;
    this.#totals().settledBytes -= row.resultBytes + row.payloadBytes;
    if (this.#ahead[this.#at]?.taskId === row.taskId) this.#at += 1;
  }

  oldest(): LmdbRow | undefined {
    const known = this.#next();
    if (known !== undefined) return known;
    this.#look();
    const written = this.#next();
    if (written !== undefined) return written;
    // None of them is settled any more, or there are none: only what this transaction has changed can tell.
    this.#tasks.flush();
    this.#look();
    return this.#next();
  }

  /** Forgets what it knows: another process may change it from now on. */
  reset(): void {
    this.#ahead = [];
    this.#at = 0;
  }

  #look(): void {
    this.#ahead = this.#tasks.written(FIRST, END, CHUNK);
    this.#at = 0;
  }

  /** The first of those that were looked up that still has the place in which it stood. */
  #next(): LmdbRow | undefined {
    for (; this.#at < this.#ahead.length; this.#at += 1) {
      const { key = FIRST, taskId = '' } = this.#ahead[this.#at] ?? {};
      const row = this.#tasks.get(taskId);
      // One that was redriven has none, and another one once it has settled again.
      if (row !== undefined && isOutcome(row.status) && row.settledSeq === key[1]) return row;
    }
    return undefined;
  }
}

/** When tasks expire: their times to live and total deadlines, soonest first, and which of them has passed for a task. */
import { type Failure, PincerError } from '../../protocol/failure.ts';
import { LazyHeap } from '../lazy-heap.ts';
import type { Expiry, TaskRow } from './task-row.ts';

export class Expiries {
  readonly #heap = new LazyHeap<Expiry>(
    (a, b) => a.atMs - b.atMs || a.row.seq - b.row.seq,
    (expiry) => !expiry.isOver,
  );

  add(row: TaskRow): void {
    if (row.ttlMs !== null) row.expiry = this.#at(row, row.ttlMs);
    if (row.deadlineMs !== null) row.deadline = this.#at(row, row.deadlineMs);
  }

  /** An attempt has started: the time to live does not matter any more. */
  start(row: TaskRow): void {
    row.hasStarted = true;
    this.#drop(row.expiry);
    row.expiry = null;
  }

  /** The task has settled. */
  leave(row: TaskRow): void {
    this.#drop(row.expiry);
    this.#drop(row.deadline);
    row.expiry = null;
    row.deadline = null;
  }

  /** The task whose time has passed first, once for each of its times. */
  next(nowMs: number): TaskRow | undefined {
    const expiry = this.#heap.first();
    if (expiry === undefined || expiry.atMs > nowMs) return undefined;
    this.#heap.take();
    expiry.isOver = true;
    return expiry.row;
  }

  #at(row: TaskRow, spanMs: number): Expiry {
    const expiry = { row, atMs: row.countedSinceMs + spanMs, isOver: false };
    this.#heap.push(expiry);
    return expiry;
  }

  #drop(expiry: Expiry | null): void {
    if (expiry === null || expiry.isOver) return;
    expiry.isOver = true;
    this.#heap.drop();
  }
}

/** Why a task may not wait any longer, or null: of both its times the one that passed first. */
export function lapseOf(row: TaskRow, nowMs: number): Failure | null {
  const hasPassed = (spanMs: number | null): spanMs is number =>
    spanMs !== null && row.countedSinceMs + spanMs <= nowMs;
  const ttlMs = row.hasStarted ? null : row.ttlMs;
  const hasExpired = hasPassed(ttlMs);
  const isLate = hasPassed(row.deadlineMs);
  if (hasExpired && !(isLate && (row.deadlineMs ?? 0) < ttlMs)) {
    return failure('TASK_EXPIRED', `no attempt started within the time to live of ${ttlMs} ms`);
  }
  if (!isLate) return null;
  const last = row.error === null ? '' : `; its last error was ${row.error.code}`;
  return failure('DEADLINE_PASSED', `the task was not done within its deadline of ${row.deadlineMs} ms${last}`);
}

function failure(code: 'TASK_EXPIRED' | 'DEADLINE_PASSED', message: string): Failure {
  return Object.freeze(new PincerError(code, message).toFailure());
}

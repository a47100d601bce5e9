/**
 * Where a task stands in every index. It follows from its row alone, so that an index is never changed by hand: what a
 * transaction leaves of a row decides, and `check` asks the same question.
 *
 * An index is written with every change of what it is by, so there are few. Tasks that an attempt holds stand among what
 * their gateway owns and in no index by status: they are few, and change it most often.
 */
import { createHash } from 'node:crypto';
import { isOutcome, TASK_STATUSES, type TaskStatus } from '../../../protocol/task-status.ts';
import { lapsesAtMs } from '../lapse.ts';
import { isWaiting, type TaskRow } from '../task-row.ts';
import type { LmdbRow } from './head.ts';

export type IndexKey = readonly [string, ...(string | number)[]];

/** The first part of a key. */
export const INDEXES = {
  ready: 'r',
  due: 'd',
  expiry: 'x',
  owned: 'o',
  /** Those that wait or have settled. */
  status: 's',
  type: 't',
};

/** A number beyond all that stand in keys: where a range ends. */
export const LAST = Number.MAX_VALUE;

/** Its key in each index, always in the same order; null where it does not stand. */
export function indexKeysOf(row: LmdbRow): (IndexKey | null)[] {
  const { status, seq, rank } = row;
  const lapsesAt = isWaiting(row) ? lapseAtMs(row) : LAST;
  return [
    status === 'pending' ? [INDEXES.ready, queueKey(row.queue), rank, seq] : null,
    status === 'delayed' && row.dependencies === null ? [INDEXES.due, row.dueMs, rank, seq] : null,
    lapsesAt < LAST ? [INDEXES.expiry, lapsesAt, seq] : null,
    row.owner !== null ? [INDEXES.owned, row.owner, row.taskId] : null,
    isHeld(row) ? null : [INDEXES.status, statusKey(status), seq],
    [INDEXES.type, row.type, seq],
  ];
}

export function isSameKey(a: IndexKey | null, b: IndexKey | null): boolean {
  if (a === null || b === null) return a === b;
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return true;
}

export function statusKey(status: TaskStatus): number {
  return TASK_STATUSES.indexOf(status);
}

/** Whether an attempt holds the task. */
export function isHeld(row: Pick<TaskRow, 'status'>): boolean {
  return !isWaiting(row) && !isOutcome(row.status);
}

/** A class as a part of a key: itself, or if it is too long for one, its hash. */
export function queueKey(queue: string): string {
  return queue.length <= 200 ? queue : `#${createHash('sha256').update(queue).digest('base64url')}`;
}

/** When the first of its times passes; LAST if none ever does. */
export function lapseAtMs(row: LmdbRow): number {
  if (row.ttlMs === null && row.deadlineMs === null) return LAST;
  const { ttl, deadline } = lapsesAtMs(row);
  return Math.min(ttl, deadline, LAST);
}

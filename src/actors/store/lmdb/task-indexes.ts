/**
 * Where a task stands in every index. It follows from its row alone, so that an index is never changed by hand: what a
 * transaction leaves of a row decides, and `check` asks the same question.
 */
import { createHash } from 'node:crypto';
import { isOutcome, TASK_STATUSES, type TaskStatus } from '../../../protocol/task.ts';
import { lapsesAtMs } from '../lapse.ts';
import { isWaiting } from '../task-row.ts';
import type { LmdbRow } from './head.ts';

export type IndexKey = readonly [string, ...(string | number)[]];

/** The first part of a key. */
export const INDEXES = {
  ready: 'r',
  due: 'd',
  expiry: 'x',
  owned: 'o',
  settled: 'f',
  status: 's',
  type: 't',
  node: 'n',
};

/** A number beyond all that stand in keys: where a range ends. */
export const LAST = Number.MAX_VALUE;

/** Its key in each index, always in the same order; null where it does not stand. */
export function indexKeysOf(row: LmdbRow): (IndexKey | null)[] {
  const { status, seq, rank } = row;
  const waits = isWaiting(row);
  const settled = isOutcome(status);
  const at = statusKey(status);
  const lapsesAt = waits ? lapseAtMs(row) : LAST;
  return [
    status === 'pending' ? [INDEXES.ready, queueKey(row.queue), rank, seq] : null,
    status === 'delayed' && row.dependencies === null ? [INDEXES.due, row.dueMs, rank, seq] : null,
    lapsesAt < LAST ? [INDEXES.expiry, lapsesAt, seq] : null,
    row.owner !== null ? [INDEXES.owned, row.owner, row.taskId] : null,
    settled ? [INDEXES.settled, row.settledSeq] : null,
    [INDEXES.status, at, seq],
    [INDEXES.type, row.type, at, seq],
    row.node !== null ? [INDEXES.node, row.node, at, seq] : null,
  ];
}

export function isSameKey(a: IndexKey | null, b: IndexKey | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((part, index) => part === b[index]);
}

export function statusKey(status: TaskStatus): number {
  return TASK_STATUSES.indexOf(status);
}

/** A class as a part of a key: itself, or if it is too long for one, its hash. */
export function queueKey(queue: string): string {
  return queue.length <= 200 ? queue : `#${createHash('sha256').update(queue).digest('base64url')}`;
}

function lapseAtMs(row: LmdbRow): number {
  if (row.ttlMs === null && row.deadlineMs === null) return LAST;
  const { ttl, deadline } = lapsesAtMs(row);
  return Math.min(ttl, deadline, LAST);
}

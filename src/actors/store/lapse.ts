/** Which of its times has passed for a task: its time to live, or its total deadline. */
import { type Failure, PincerError } from '../../protocol/failure.ts';
import type { TaskRow } from './task-row.ts';

/** When its times pass; infinity for one that it has not, or that does not matter any more. */
export function lapsesAtMs(row: TaskRow): { readonly ttl: number; readonly deadline: number } {
  return {
    ttl: row.ttlMs === null || row.hasStarted ? Number.POSITIVE_INFINITY : row.countedSinceMs + row.ttlMs,
    deadline: row.deadlineMs === null ? Number.POSITIVE_INFINITY : row.countedSinceMs + row.deadlineMs,
  };
}

/** Why a task may not wait any longer, or null: of both its times the one that passed first. */
export function lapseOf(row: TaskRow, nowMs: number): Failure | null {
  const at = lapsesAtMs(row);
  if (at.ttl <= nowMs && at.ttl <= at.deadline) {
    return failure('TASK_EXPIRED', `no attempt started within the time to live of ${row.ttlMs} ms`);
  }
  if (at.deadline > nowMs) return null;
  const last = row.error === null ? '' : `; its last error was ${row.error.code}`;
  return failure('DEADLINE_PASSED', `the task was not done within its deadline of ${row.deadlineMs} ms${last}`);
}

function failure(code: 'TASK_EXPIRED' | 'DEADLINE_PASSED', message: string): Failure {
  return Object.freeze(new PincerError(code, message).toFailure());
}

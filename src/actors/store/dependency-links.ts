/**
 * Who waits for whom, in both directions. Links lead only from a task to one submitted before it, so there is no circle,
 * not even among tasks that are redriven.
 */
import { type Failure, PincerError } from '../../protocol/failure.ts';
import { isOutcome } from '../../protocol/task-status.ts';
import type { TaskRows } from './tables.ts';
import type { TaskRow } from './task-row.ts';

/** What the end of a dependency means for a task that waits for it. */
export type Consequence = 'waits' | 'free' | 'fails';

/**
 * Links a task to what it depends on, as far as that has not settled. Returns the task whose failure fails it at once,
 * or null. What has settled is not asked how with `isRedriven`: it counts as done.
 */
export function link<Row extends TaskRow>(tasks: TaskRows<Row>, row: Row, isRedriven: boolean): Row | null {
  if (row.after === null) return null;
  const rows = row.after.taskIds.map((taskId) => tasks.get(taskId)).filter((each) => each !== undefined);
  const lost = isRedriven ? undefined : rows.find(hasFailed);
  if (row.after.onFailure === 'run' && lost !== undefined) return null;
  for (const dependency of rows) {
    if (isOutcome(dependency.status) || dependency.seq >= row.seq) continue;
    row.dependencies ??= new Set();
    row.dependencies.add(dependency.taskId);
    tasks.link(dependency, row);
  }
  return row.after.onFailure === 'fail' ? (lost ?? null) : null;
}

/** Lets a task wait for nothing any more. */
export function unlink<Row extends TaskRow>(tasks: TaskRows<Row>, row: Row): void {
  for (const taskId of row.dependencies ?? []) {
    const dependency = tasks.get(taskId);
    if (dependency !== undefined) tasks.unlink(dependency, row);
  }
  row.dependencies = null;
}

/** What becomes of a task now that one it waited for has settled. */
export function consequenceOf(dependent: TaskRow, settled: TaskRow): Consequence {
  const onFailure = hasFailed(settled) ? (dependent.after?.onFailure ?? 'ignore') : 'ignore';
  if (onFailure === 'fail') return 'fails';
  return onFailure === 'run' || dependent.dependencies === null || dependent.dependencies.size === 0 ? 'free' : 'waits';
}

/** Why a task fails with one that it depends on. */
export function dependencyFailure({ taskId, status }: TaskRow): Failure {
  return Object.freeze(
    new PincerError('DEPENDENCY_FAILED', `task ${taskId}, on which it depends, ${ended(status)}`).toFailure(),
  );
}

function hasFailed({ status }: TaskRow): boolean {
  return status === 'failed' || status === 'cancelled';
}

function ended(status: string): string {
  return status === 'cancelled' ? 'was cancelled' : 'failed';
}

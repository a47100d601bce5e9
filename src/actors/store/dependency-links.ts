/**
 * Who waits for whom, in both directions. Links lead only from a task to one submitted before it, so there is no circle,
 * not even among tasks that are redriven.
 */
import { type Failure, PincerError } from '../../protocol/failure.ts';
import { isOutcome } from '../../protocol/task.ts';
import type { TaskRow } from './task-row.ts';

/** What the end of a dependency means for a task that waits for it. */
export type Consequence = 'waits' | 'free' | 'fails';

/**
 * Links a task to what it depends on, as far as that has not settled. Returns the task whose failure fails it at once,
 * or null. What has settled is not asked how with `isRedriven`: it counts as done.
 */
export function link(row: TaskRow, rows: readonly TaskRow[], isRedriven: boolean): TaskRow | null {
  const lost = isRedriven ? undefined : rows.find(hasFailed);
  if (row.after?.onFailure === 'run' && lost !== undefined) return null;
  for (const dependency of rows) {
    if (isOutcome(dependency.status) || dependency.seq >= row.seq) continue;
    row.dependencies ??= new Set();
    row.dependencies.add(dependency);
    dependency.dependents ??= new Set();
    dependency.dependents.add(row);
  }
  return row.after?.onFailure === 'fail' ? (lost ?? null) : null;
}

/** Lets a task wait for nothing any more. */
export function unlink(row: TaskRow): void {
  for (const dependency of row.dependencies ?? []) dependency.dependents?.delete(row);
  row.dependencies = null;
}

/** Those that waited for a task that has settled, in the order in which they were submitted; it is linked to none of them now. */
export function takeDependents(row: TaskRow): readonly TaskRow[] {
  const dependents = [...(row.dependents ?? [])].sort((a, b) => a.seq - b.seq);
  row.dependents = null;
  for (const dependent of dependents) dependent.dependencies?.delete(row);
  return dependents;
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

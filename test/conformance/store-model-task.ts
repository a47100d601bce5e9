/** A task as the model of the store sees it, and what follows from it alone. */
import type { Dependencies, NewTask, TaskLimit } from '../../src/actors/store/store.ts';
import type { TaskStatus } from '../../src/protocol/task.ts';

export interface ModelTask {
  readonly taskId: string;
  readonly type: string;
  readonly queue: string;
  readonly priority: number;
  readonly key: string | undefined;
  readonly client: string | undefined;
  readonly fairKey: string | undefined;
  readonly prefer: string | undefined;
  readonly affinityKey: string | undefined;
  readonly limit: TaskLimit | undefined;
  readonly after: Dependencies | undefined;
  readonly ttlMs: number;
  readonly deadlineMs: number;
  readonly payload: Uint8Array;
  /** By this it ranks. */
  timeMs: number;
  isSpaced: boolean;
  /** What it waits for, by id. */
  waitsFor: string[];
  /** Since when its time to live and deadline count, and whether an attempt has started since. */
  sinceMs: number;
  hasStartedSince: boolean;
  checkpoint: Uint8Array | null;
  result: Uint8Array | null;
  /** `held` stands for assigned, running and cancelling. */
  status: 'delayed' | 'pending' | 'held' | 'completed' | 'failed' | 'cancelled';
  /** The code with which the store itself failed it. */
  lapse: string | null;
  hasStarted: boolean;
  /** The node that was given the attempt. */
  node: string | null;
  attempt: number;
  failures: number;
  crashes: number;
  cancelRequested: boolean;
  owner: string | null;
  dueMs: number;
  settledBy: number;
}

export function modelTask(task: NewTask, nowMs: number): ModelTask {
  const { taskId, type, queue, priority, key, fairKey, prefer, affinityKey, limit, after, payload, delayMs = 0 } = task;
  const { client } = task;
  return {
    ...{ taskId, type, queue, priority, key, fairKey, prefer, affinityKey, limit, after, payload, client },
    ...{ ttlMs: task.ttlMs ?? Number.POSITIVE_INFINITY, deadlineMs: task.deadlineMs ?? Number.POSITIVE_INFINITY },
    ...{ timeMs: nowMs + delayMs, isSpaced: false, waitsFor: [], sinceMs: nowMs, hasStartedSince: false },
    ...{ checkpoint: null, result: null, status: 'pending', lapse: null, hasStarted: false, node: null },
    ...{ attempt: 0, failures: 0, crashes: 0, cancelRequested: false, owner: null, dueMs: 0, settledBy: 0 },
  };
}

export function isSettled({ status }: ModelTask): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

export function hasFailed({ status }: ModelTask): boolean {
  return status === 'failed' || status === 'cancelled';
}

export function isWaiting({ status }: ModelTask): boolean {
  return status === 'pending' || status === 'delayed';
}

/** What has passed for it first, and when; null if nothing has. */
export function lapseOf(task: ModelTask, nowMs: number): { code: string; atMs: number } | null {
  const expiry = {
    code: 'TASK_EXPIRED',
    atMs: task.hasStartedSince ? Number.POSITIVE_INFINITY : task.sinceMs + task.ttlMs,
  };
  const deadline = { code: 'DEADLINE_PASSED', atMs: task.sinceMs + task.deadlineMs };
  const first = deadline.atMs < expiry.atMs ? deadline : expiry;
  return first.atMs <= nowMs ? first : null;
}

/** The status as the contract names it. */
export function statusOf(task: ModelTask): TaskStatus {
  if (task.status !== 'held') return task.status;
  if (task.cancelRequested) return 'cancelling';
  return task.hasStarted ? 'running' : 'assigned';
}

/** What a record says of times and dependencies. */
export function outlookOf(task: ModelTask, nowMs: number): object {
  const left = (atMs: number): number | null =>
    Number.isFinite(atMs) && !isSettled(task) ? Math.max(0, Math.ceil(atMs - nowMs)) : null;
  const isTimed = task.status === 'delayed' && (task.waitsFor.length === 0 || task.dueMs > nowMs);
  return {
    dueInMs: isTimed ? left(task.dueMs) : null,
    waitsFor: task.waitsFor.slice(0, 16),
    waitsForTotal: task.waitsFor.length,
    expiresInMs: task.hasStartedSince ? null : left(task.sinceMs + task.ttlMs),
    deadlineInMs: left(task.sinceMs + task.deadlineMs),
    fairKey: task.fairKey ?? null,
    prefer: task.prefer ?? null,
    affinityKey: task.affinityKey ?? null,
    limitKey: task.limit?.key ?? null,
  };
}

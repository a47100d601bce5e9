/**
 * The store contract once more, as naively as it can be put: one array of tasks, searched from end to end at each call.
 * It knows no indexes, histories, durations or limits; it says what every verb must answer.
 */
import type {
  CancelVerdict,
  Completion,
  CompletionVerdict,
  NewTask,
  Release,
  ReleaseVerdict,
  Want,
} from '../../src/actors/store/store.ts';
import type { AttemptRef } from '../../src/protocol/identifier.ts';
import type { TaskStatus } from '../../src/protocol/task.ts';

export interface ModelTask {
  readonly taskId: string;
  readonly type: string;
  readonly queue: string;
  readonly key: string | undefined;
  readonly rank: number;
  readonly payload: Uint8Array;
  checkpoint: Uint8Array | null;
  result: Uint8Array | null;
  /** `held` stands for assigned, running and cancelling. */
  status: 'delayed' | 'pending' | 'held' | 'completed' | 'failed' | 'cancelled';
  hasStarted: boolean;
  attempt: number;
  failures: number;
  crashes: number;
  cancelRequested: boolean;
  owner: string | null;
  dueMs: number;
  settledBy: number;
}

/** What a claim gives. */
export interface ModelClaim extends AttemptRef {
  readonly payload: Uint8Array;
  readonly checkpoint: Uint8Array | null;
}

/** What a submit says, without the words for people. */
export type ModelVerdict =
  | { taskId: string; refused: 'KEY_CONFLICT' }
  | { taskId: string; created: boolean; status: TaskStatus };

interface ModelGateway {
  readonly gateway: string;
  leaseUntilMs: number;
  steadySinceMs: number;
  ttlMs: number;
  isFenced: boolean;
}

export class StoreModel {
  readonly tasks: ModelTask[] = [];
  readonly #agingMs: number;
  #gateways: ModelGateway[] = [];

  constructor(agingMs: number) {
    this.#agingMs = agingMs;
  }

  join(gateway: string, ttlMs: number, nowMs: number): void {
    this.#gateways.push({ gateway, ttlMs, leaseUntilMs: nowMs + ttlMs, steadySinceMs: nowMs, isFenced: false });
  }

  renew(gateway: string, ttlMs: number, nowMs: number): boolean {
    const row = this.#present(gateway);
    if (row === undefined) return false;
    if (nowMs > row.leaseUntilMs) row.steadySinceMs = nowMs;
    Object.assign(row, { ttlMs, leaseUntilMs: nowMs + ttlMs });
    return true;
  }

  leave(gateway: string): void {
    if (this.#present(gateway) === undefined) return;
    this.#gateways = this.#gateways.filter((row) => row.gateway !== gateway);
    for (const task of this.#ownedBy(gateway)) this.#giveBack(task, 0, 0);
  }

  submit(task: NewTask, nowMs: number): ModelVerdict {
    const known =
      this.#task(task.taskId) ?? this.tasks.find((other) => task.key !== undefined && other.key === task.key);
    if (known !== undefined) {
      const isConflict = known.taskId !== task.taskId && known.type !== task.type;
      if (isConflict) return { taskId: task.taskId, refused: 'KEY_CONFLICT' };
      return { taskId: known.taskId, created: false, status: statusOf(known) };
    }
    const { taskId, type, queue, key, priority, delayMs = 0 } = task;
    const fresh: ModelTask = {
      ...{ taskId, type, queue, key, rank: Math.floor(nowMs) + (priority - 5) * this.#agingMs },
      ...{ payload: task.payload, checkpoint: null, result: null, hasStarted: false },
      ...{ status: 'pending', attempt: 0, failures: 0, crashes: 0, cancelRequested: false },
      ...{ owner: null, dueMs: 0, settledBy: 0 },
    };
    this.tasks.push(fresh);
    this.#wait(fresh, delayMs, nowMs);
    return { taskId, created: true, status: delayMs > 0 ? 'delayed' : 'pending' };
  }

  claim(gateway: string, wants: readonly Want[], limit: number, nowMs: number): ModelClaim[] | null {
    if (this.#present(gateway) === undefined) return null;
    this.#moveDue(Number.POSITIVE_INFINITY, nowMs);
    const left = new Map<string, number>();
    for (const want of wants) left.set(want.queue, (left.get(want.queue) ?? 0) + want.limit);
    const claimed: ModelClaim[] = [];
    // Array sort is stable, so equal ranks stay in the order of submit.
    for (const task of this.tasks.filter(({ status }) => status === 'pending').sort((a, b) => a.rank - b.rank)) {
      const ofClass = left.get(task.queue) ?? 0;
      if (ofClass <= 0 || claimed.length >= limit) continue;
      left.set(task.queue, ofClass - 1);
      Object.assign(task, { status: 'held', owner: gateway, attempt: task.attempt + 1, hasStarted: false });
      claimed.push({ taskId: task.taskId, attempt: task.attempt, payload: task.payload, checkpoint: task.checkpoint });
    }
    return claimed;
  }

  started(ref: AttemptRef): void {
    const task = this.held(ref);
    if (task !== undefined) task.hasStarted = true;
  }

  adopt(gateway: string, ref: AttemptRef): boolean | null {
    if (this.#present(gateway) === undefined) return null;
    const task = this.held(ref);
    if (task !== undefined) task.owner = gateway;
    return task !== undefined;
  }

  complete({ taskId, attempt, status, result }: Completion): CompletionVerdict {
    const task = this.#task(taskId);
    if (task === undefined) return 'unknown';
    if (task.settledBy === attempt) return 'duplicate';
    if (this.held({ taskId, attempt }) === undefined) return 'stale';
    if (status === 'failed') task.failures += 1;
    if (status === 'completed') task.result = result ?? null;
    Object.assign(task, { status, owner: null, settledBy: attempt });
    return 'accepted';
  }

  release(gateway: string, release: Release, nowMs: number): ReleaseVerdict {
    const task = this.held(release);
    if (task === undefined || this.#present(gateway) === undefined || task.owner !== gateway) return 'stale';
    if (release.costs === 'failure') task.failures += 1;
    if (release.costs === 'crash') task.crashes += 1;
    return this.#giveBack(task, release.delayMs, nowMs);
  }

  checkpoint(ref: AttemptRef, bytes: Uint8Array): boolean {
    const task = this.held(ref);
    if (task !== undefined) task.checkpoint = bytes;
    return task !== undefined;
  }

  cancel(taskId: string): CancelVerdict {
    const task = this.#task(taskId);
    if (task === undefined) return 'unknown';
    if (['completed', 'failed', 'cancelled'].includes(task.status)) return 'settled';
    task.cancelRequested = true;
    if (task.status === 'held') return 'cancelling';
    task.status = 'cancelled';
    return 'cancelled';
  }

  sweep(gateway: string, limit: number, nowMs: number): { dead: string[]; requeued: number; due: number } {
    const by = this.#present(gateway);
    const maySweep = by !== undefined && nowMs <= by.leaseUntilMs && nowMs - by.steadySinceMs >= by.ttlMs;
    const dead = this.#gateways.filter((row) => maySweep && row !== by && !row.isFenced && nowMs > row.leaseUntilMs);
    for (const row of dead) row.isFenced = true;
    let moved = 0;
    let requeued = 0;
    for (const { gateway: fenced } of this.#gateways.filter((row) => row.isFenced)) {
      for (const task of this.#ownedBy(fenced).slice(0, Math.max(0, limit - moved))) {
        task.crashes += 1;
        moved += 1;
        if (this.#giveBack(task, 0, nowMs) === 'pending') requeued += 1;
      }
    }
    return { dead: dead.map((row) => row.gateway), requeued, due: this.#moveDue(limit - moved, nowMs) };
  }

  owned(gateway: string): AttemptRef[] {
    if (this.#present(gateway) === undefined) return [];
    return this.#ownedBy(gateway).map(({ taskId, attempt }) => ({ taskId, attempt }));
  }

  /** Tasks of its class that a claim would take before it, if all that is claimable now were claimed. */
  ahead(taskId: string): number | null {
    const task = this.#task(taskId);
    if (task?.status !== 'pending') return null;
    const line = this.tasks.filter(({ status, queue }) => status === 'pending' && queue === task.queue);
    return line.sort((a, b) => a.rank - b.rank).indexOf(task);
  }

  /** The task that this very attempt holds. */
  held({ taskId, attempt }: AttemptRef): ModelTask | undefined {
    return this.tasks.find((task) => task.taskId === taskId && task.attempt === attempt && task.status === 'held');
  }

  #task(taskId: string): ModelTask | undefined {
    return this.tasks.find((task) => task.taskId === taskId);
  }

  #present(gateway: string): ModelGateway | undefined {
    return this.#gateways.find((row) => row.gateway === gateway && !row.isFenced);
  }

  #ownedBy(gateway: string): ModelTask[] {
    return this.tasks.filter((task) => task.status === 'held' && task.owner === gateway);
  }

  #giveBack(task: ModelTask, delayMs: number, nowMs: number): 'pending' | 'delayed' | 'cancelled' {
    task.owner = null;
    if (!task.cancelRequested) return this.#wait(task, delayMs, nowMs);
    task.status = 'cancelled';
    return 'cancelled';
  }

  #wait(task: ModelTask, delayMs: number, nowMs: number): 'pending' | 'delayed' {
    task.status = delayMs > 0 ? 'delayed' : 'pending';
    task.dueMs = nowMs + delayMs;
    return task.status;
  }

  #moveDue(limit: number, nowMs: number): number {
    const due = this.tasks.filter((task) => task.status === 'delayed' && task.dueMs <= nowMs);
    const moved = due.sort((a, b) => a.dueMs - b.dueMs || a.rank - b.rank).slice(0, Math.max(0, limit));
    for (const task of moved) task.status = 'pending';
    return moved.length;
  }
}

/** The status as the contract names it. */
export function statusOf(task: ModelTask): TaskStatus {
  if (task.status !== 'held') return task.status;
  if (task.cancelRequested) return 'cancelling';
  return task.hasStarted ? 'running' : 'assigned';
}

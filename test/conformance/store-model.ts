/**
 * The store contract once more, as naively as it can be put: one array of tasks, searched from end to end at each call.
 * It knows no indexes, histories, durations or bounds; it says what every verb must answer.
 */
import type {
  CancelVerdict,
  Completion,
  CompletionVerdict,
  GatewayRecord,
  LimitUse,
  NewTask,
  Owned,
  RedriveVerdict,
  Release,
  ReleaseVerdict,
  Want,
} from '../../src/actors/store/store.ts';
import type { AttemptRef } from '../../src/protocol/identifier.ts';
import type { Limits } from '../../src/protocol/limits.ts';
import type { TaskStatus } from '../../src/protocol/task.ts';
import { ModelDirectory } from './store-model-directory.ts';
import { ModelGateways } from './store-model-gateways.ts';
import { ModelLimits } from './store-model-limits.ts';
import { hasFailed, isSettled, isWaiting, lapseOf, type ModelTask, modelTask, statusOf } from './store-model-task.ts';

/** What a claim gives. */
export interface ModelClaim extends AttemptRef {
  readonly payload: Uint8Array;
  readonly checkpoint: Uint8Array | null;
  readonly remainingMs: number | null;
}

/** What a submit says, without the words for people. */
export type ModelVerdict =
  | { taskId: string; refused: 'KEY_CONFLICT' | 'TASK_UNKNOWN' | 'QUEUE_FULL' }
  | { taskId: string; created: boolean; status: TaskStatus };

export type ModelSettings = Pick<
  Limits,
  'agingMs' | 'fairSpacingMs' | 'fairAheadMsMax' | 'crashesMax' | 'clientTasksMax'
>;

export class StoreModel {
  readonly tasks: ModelTask[] = [];
  readonly limits = new ModelLimits(this.tasks);
  readonly directory = new ModelDirectory();
  /** Tasks that settled inside the store since this was last emptied. */
  readonly untold: string[] = [];
  /** Tasks that changed because another one settled, since this was last emptied. */
  readonly moved: string[] = [];
  readonly #settings: ModelSettings;
  readonly #fairTimes = new Map<string, number>();
  readonly #gateways = new ModelGateways();

  constructor(settings: ModelSettings) {
    this.#settings = settings;
  }

  join(gateway: string, ttlMs: number, nowMs: number): void {
    this.#gateways.join(gateway, ttlMs, nowMs);
  }

  renew(gateway: string, ttlMs: number, nowMs: number): boolean {
    return this.#gateways.renew(gateway, ttlMs, nowMs);
  }

  leave(gateway: string, nowMs: number): void {
    if (!this.isPresent(gateway)) return;
    this.#gateways.leave(gateway);
    this.directory.dropAllOf(gateway);
    for (const task of this.#ownedBy(gateway)) this.#takeBack(task, 'nothing', nowMs);
  }

  putNodes(gateway: string, nodes: readonly Parameters<ModelDirectory['put']>[1][]): (number | null)[] | null {
    return this.isPresent(gateway) ? nodes.map((node) => this.directory.put(gateway, node)) : null;
  }

  submit(task: NewTask, nowMs: number): ModelVerdict {
    const known =
      this.#task(task.taskId) ?? this.tasks.find((other) => task.key !== undefined && other.key === task.key);
    if (known !== undefined) {
      const isConflict = known.taskId !== task.taskId && known.type !== task.type;
      if (isConflict) return { taskId: task.taskId, refused: 'KEY_CONFLICT' };
      return { taskId: known.taskId, created: false, status: statusOf(known) };
    }
    const { taskId, delayMs = 0, after } = task;
    const dependencies = (after?.taskIds ?? []).map((id) => this.#task(id));
    if (dependencies.includes(undefined)) return { taskId, refused: 'TASK_UNKNOWN' };
    const ofClient = this.tasks.filter((other) => other.client === task.client && !isSettled(other));
    if (task.client !== undefined && ofClient.length >= this.#settings.clientTasksMax) {
      return { taskId, refused: 'QUEUE_FULL' };
    }
    const fresh = modelTask(task, nowMs);
    const hasLost = dependencies.some((each) => each !== undefined && hasFailed(each));
    if (!(hasLost && after?.onFailure === 'run')) this.#waitFor(fresh, dependencies);
    this.tasks.push(fresh);
    this.limits.set(fresh);
    if (hasLost && after?.onFailure === 'fail') this.#settle(fresh, 'failed', 'DEPENDENCY_FAILED', nowMs);
    else this.#wait(fresh, delayMs, nowMs);
    return { taskId, created: true, status: statusOf(fresh) };
  }

  claim(gateway: string, wants: readonly Want[], limit: number, nowMs: number): ModelClaim[] | null {
    if (!this.isPresent(gateway)) return null;
    this.#expire(Number.POSITIVE_INFINITY, nowMs);
    this.#moveDue(Number.POSITIVE_INFINITY, nowMs);
    const left = new Map<string, number>();
    for (const want of wants) left.set(want.queue, (left.get(want.queue) ?? 0) + want.limit);
    const claimed: ModelClaim[] = [];
    while (claimed.length < limit) {
      const heads = [...left].filter(([, ofClass]) => ofClass > 0).flatMap(([queue]) => this.#line(queue).slice(0, 1));
      const [task] = this.#ranked(heads.filter((head) => this.limits.isOpen(head, nowMs)));
      if (task === undefined) break;
      left.set(task.queue, (left.get(task.queue) ?? 0) - 1);
      Object.assign(task, {
        status: 'held',
        owner: gateway,
        attempt: task.attempt + 1,
        hasStarted: false,
        node: null,
      });
      this.limits.claim(task, nowMs);
      const { taskId, attempt, payload, checkpoint } = task;
      const remainingMs = Number.isFinite(task.deadlineMs) ? Math.ceil(task.sinceMs + task.deadlineMs - nowMs) : null;
      claimed.push({ taskId, attempt, payload, checkpoint, remainingMs });
    }
    return claimed;
  }

  /** Classes of which a claim would get something. */
  claimable(nowMs: number): string[] {
    const queues = new Set(this.tasks.map(({ queue }) => queue));
    return [...queues].filter((queue) =>
      this.#line(queue)
        .slice(0, 1)
        .some((head) => this.limits.isOpen(head, nowMs)),
    );
  }

  limit(key: string, nowMs: number): LimitUse | null {
    return this.limits.use(key, nowMs);
  }

  noted({ event, node, ...ref }: AttemptRef & { readonly event: 'assigned' | 'started'; readonly node: string }): void {
    const task = this.held(ref);
    if (task === undefined || (event === 'started' && task.hasStarted)) return;
    task.node = node;
    if (event === 'started') Object.assign(task, { hasStarted: true, hasStartedSince: true });
  }

  adopt(gateway: string, node: string, ref: AttemptRef): boolean | null {
    if (!this.isPresent(gateway)) return null;
    const task = this.held(ref);
    if (task === undefined || (task.node !== null && task.node !== node)) return false;
    Object.assign(task, { owner: gateway, node });
    return true;
  }

  complete(
    { taskId, attempt, status, result, costs = 'failure', owner }: Completion,
    nowMs: number,
  ): Exclude<CompletionVerdict, number> | 'accepted' {
    const task = this.#task(taskId);
    if (task === undefined) return 'unknown';
    if (task.settledBy === attempt) return 'duplicate';
    if (this.held({ taskId, attempt }) === undefined) return 'stale';
    if (owner !== undefined && owner !== task.owner) return 'stale';
    if (status === 'failed' && costs === 'failure') task.failures += 1;
    if (status === 'failed' && costs === 'crash') task.crashes += 1;
    if (status === 'completed') task.result = result ?? null;
    Object.assign(task, { owner: null, settledBy: attempt });
    this.#settle(task, status, null, nowMs);
    return 'accepted';
  }

  release(gateway: string, release: Release, nowMs: number): ReleaseVerdict {
    const task = this.held(release);
    if (task === undefined || !this.isPresent(gateway) || task.owner !== gateway) return 'stale';
    if (release.costs === 'failure') task.failures += 1;
    if (release.costs === 'crash') task.crashes += 1;
    return this.#giveBack(task, release, nowMs);
  }

  checkpoint(ref: AttemptRef, bytes: Uint8Array): boolean {
    const task = this.held(ref);
    if (task !== undefined) task.checkpoint = bytes;
    return task !== undefined;
  }

  cancel(taskId: string, nowMs: number): CancelVerdict {
    const task = this.#task(taskId);
    if (task === undefined) return 'unknown';
    if (isSettled(task)) return 'settled';
    task.cancelRequested = true;
    if (task.status === 'held') return 'cancelling';
    this.#settle(task, 'cancelled', null, nowMs);
    return 'cancelled';
  }

  redrive(taskIds: readonly string[], nowMs: number): RedriveVerdict[] {
    const again: ModelTask[] = [];
    const verdicts = taskIds.map((taskId): RedriveVerdict => {
      const task = this.#task(taskId);
      if (task === undefined || !hasFailed(task)) return task === undefined ? 'unknown' : 'notFailed';
      Object.assign(task, { status: 'delayed', failures: 0, crashes: 0, cancelRequested: false, hasStarted: false });
      Object.assign(task, { lapse: null, settledBy: 0, checkpoint: null, timeMs: nowMs, isSpaced: false, dueMs: 0 });
      Object.assign(task, { sinceMs: nowMs, hasStartedSince: false });
      again.push(task);
      return 'pending';
    });
    for (const task of again) {
      this.limits.set(task);
      this.#waitFor(task, task.after?.taskIds.map((id) => this.#task(id)) ?? []);
      this.#wait(task, 0, nowMs);
    }
    return verdicts;
  }

  sweep(
    gateway: string,
    limit: number,
    nowMs: number,
  ): { dead: string[]; requeued: number; due: number; expired: number } {
    const dead = this.#gateways.fence(gateway, nowMs);
    for (const lapsed of dead) this.directory.dropAllOf(lapsed);
    let moved = 0;
    let requeued = 0;
    for (const fenced of this.#gateways.fenced()) {
      for (const task of this.#ownedBy(fenced).slice(0, Math.max(0, limit - moved))) {
        task.crashes += 1;
        moved += 1;
        if (this.#takeBack(task, 'crash', nowMs) === 'pending') requeued += 1;
      }
    }
    const expired = this.#expire(limit - moved, nowMs);
    const due = this.#moveDue(limit - moved - expired, nowMs);
    return { dead, requeued, due, expired };
  }

  isPresent(gateway: string): boolean {
    return this.#gateways.find(gateway) !== undefined;
  }

  gatewayRecords(nowMs: number): GatewayRecord[] {
    return this.#gateways.all(nowMs).map((row) => ({ ...row, owned: this.#ownedBy(row.gateway).length }));
  }

  owned(gateway: string): Owned[] {
    if (!this.isPresent(gateway)) return [];
    return this.#ownedBy(gateway).map(({ taskId, attempt, cancelRequested }) => ({ taskId, attempt, cancelRequested }));
  }

  /** Tasks of its class that a claim would take before it, if all that is claimable now were claimed. */
  ahead(taskId: string): number | null {
    const task = this.#task(taskId);
    if (task?.status !== 'pending') return null;
    return this.#line(task.queue).indexOf(task);
  }

  /** The task that this very attempt holds. */
  held({ taskId, attempt }: AttemptRef): ModelTask | undefined {
    return this.tasks.find((task) => task.taskId === taskId && task.attempt === attempt && task.status === 'held');
  }

  #task(taskId: string): ModelTask | undefined {
    return this.tasks.find((task) => task.taskId === taskId);
  }

  #ownedBy(gateway: string): ModelTask[] {
    return this.tasks.filter((task) => task.status === 'held' && task.owner === gateway);
  }

  /** The pending tasks of a class, in order. */
  #line(queue: string): ModelTask[] {
    return this.#ranked(this.tasks.filter((task) => task.status === 'pending' && task.queue === queue));
  }

  #ranked(tasks: ModelTask[]): ModelTask[] {
    const rank = ({ timeMs, priority }: ModelTask) => Math.floor(timeMs) + (priority - 5) * this.#settings.agingMs;
    return tasks.sort((a, b) => rank(a) - rank(b) || this.tasks.indexOf(a) - this.tasks.indexOf(b));
  }

  /** Its gateway is gone; no verdict tells what becomes of it. */
  #takeBack(task: ModelTask, costs: 'crash' | 'nothing', nowMs: number): ReleaseVerdict {
    const verdict = this.#giveBack(task, { costs, delayMs: 0 }, nowMs);
    if (isSettled(task)) this.untold.push(task.taskId);
    return verdict;
  }

  #giveBack(
    task: ModelTask,
    { costs, delayMs, error }: Pick<Release, 'costs' | 'delayMs' | 'error'>,
    nowMs: number,
  ): 'pending' | 'delayed' | 'cancelled' | 'failed' {
    task.owner = null;
    if (costs === 'nothing' && task.node === null) this.limits.unclaim(task);
    const isDead = costs === 'crash' && task.crashes >= this.#settings.crashesMax;
    const code = lapseOf(task, nowMs)?.code ?? (isDead ? (error?.code ?? 'NODE_LOST') : null);
    if (!task.cancelRequested && code === null) return this.#wait(task, delayMs, nowMs);
    const status = task.cancelRequested ? 'cancelled' : 'failed';
    this.#settle(task, status, task.cancelRequested ? null : code, nowMs);
    return status;
  }

  #wait(task: ModelTask, delayMs: number, nowMs: number): 'pending' | 'delayed' {
    if (delayMs > 0) task.dueMs = nowMs + delayMs;
    task.status = 'delayed';
    if (delayMs <= 0 && task.waitsFor.length === 0) this.#becomeReady(task);
    return task.status;
  }

  /** Only for those that have not settled and that came before it. */
  #waitFor(task: ModelTask, dependencies: readonly (ModelTask | undefined)[]): void {
    const at = this.tasks.indexOf(task);
    const open = dependencies.filter(
      (each) => each !== undefined && !isSettled(each) && (at < 0 || this.tasks.indexOf(each) < at),
    );
    task.waitsFor = [...new Set(open.map((each) => each?.taskId ?? ''))];
  }

  #becomeReady(task: ModelTask): void {
    const { fairSpacingMs, fairAheadMsMax } = this.#settings;
    if (task.fairKey !== undefined) {
      const key = JSON.stringify([task.queue, task.fairKey]);
      const isAlone = this.#line(task.queue).every((other) => other.fairKey !== task.fairKey);
      const lastMs = isAlone ? Number.NEGATIVE_INFINITY : (this.#fairTimes.get(key) ?? 0);
      if (!task.isSpaced) {
        task.timeMs = Math.min(Math.max(task.timeMs, lastMs) + fairSpacingMs, task.timeMs + fairAheadMsMax);
        task.isSpaced = true;
      }
      this.#fairTimes.set(key, Math.max(lastMs, task.timeMs));
    }
    task.status = 'pending';
  }

  /** Ends a task, and then, level by level, those whose lot depends on it. */
  #settle(task: ModelTask, status: 'completed' | 'failed' | 'cancelled', lapse: string | null, nowMs: number): void {
    Object.assign(task, { status, lapse, owner: null, waitsFor: [] });
    const settled = [task];
    for (const { taskId, ...cause } of settled) {
      for (const dependent of this.tasks.filter(({ waitsFor }) => waitsFor.includes(taskId))) {
        this.moved.push(dependent.taskId);
        const lot = cause.status === 'completed' ? 'ignore' : dependent.after?.onFailure;
        dependent.waitsFor = lot === 'ignore' ? dependent.waitsFor.filter((id) => id !== taskId) : [];
        if (lot === 'fail') {
          Object.assign(dependent, { status: 'failed', lapse: 'DEPENDENCY_FAILED' });
          this.untold.push(dependent.taskId);
          settled.push(dependent);
        } else if (dependent.waitsFor.length === 0 && dependent.dueMs <= nowMs) this.#becomeReady(dependent);
      }
    }
  }

  #expire(limit: number, nowMs: number): number {
    for (let expired = 0; ; expired += 1) {
      const lapsed = this.tasks
        .filter(isWaiting)
        .flatMap((task) => ({ task, ...(lapseOf(task, nowMs) ?? { code: null, atMs: 0 }) }))
        .filter(({ code }) => code !== null);
      const [first] = lapsed.sort((a, b) => a.atMs - b.atMs);
      if (first === undefined || expired >= limit) return expired;
      this.#settle(first.task, 'failed', first.code, nowMs);
      this.untold.push(first.task.taskId);
    }
  }

  #moveDue(limit: number, nowMs: number): number {
    const due = this.tasks.filter(
      (task) => task.status === 'delayed' && task.waitsFor.length === 0 && task.dueMs <= nowMs,
    );
    const moved = this.#ranked(due)
      .sort((a, b) => a.dueMs - b.dueMs)
      .slice(0, Math.max(0, limit));
    for (const task of moved) this.#becomeReady(task);
    return moved.length;
  }
}

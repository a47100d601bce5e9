/**
 * Every task of the memory store and every index over them. A task is moved from one state to another only here, so
 * that the row, its indexes, the counters and the history change together. Who may move it is decided in memory.ts.
 */
import { rankOf } from '../../machines/policies/rank.ts';
import type { Failure } from '../../protocol/failure.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Clock } from '../../protocol/ports.ts';
import {
  type HistoryEntry,
  isOutcome,
  type OutcomeStatus,
  TASK_STATUSES,
  type TaskStatus,
} from '../../protocol/task.ts';
import { consequenceOf, dependencyFailure, link, takeDependents, unlink } from './dependency-links.ts';
import { Expiries, lapseOf } from './expiries.ts';
import { Lines } from './lines.ts';
import { Retention } from './retention.ts';
import type { NewTask, Want } from './store.ts';
import { TaskList } from './task-list.ts';
import { bytesOf, heldStatus, isWaiting, NO_BYTES, newRow, redrivenRow, type TaskRow } from './task-row.ts';
import { WaitingRoom } from './waiting-room.ts';

/** What may be said of an event beside its name. */
type Circumstance = Pick<HistoryEntry, 'detail'> & { readonly node?: string | null };

export class TaskTable {
  readonly lines: Lines;
  readonly list = new TaskList();
  readonly room: WaitingRoom;
  readonly counts: Record<TaskStatus, number>;
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #rows = new Map<string, TaskRow>();
  readonly #keys = new Map<string, TaskRow>();
  readonly #expiries = new Expiries();
  readonly #settled: Retention;
  #untold: string[] = [];
  #seq = 0;

  constructor(clock: Clock, limits: Limits) {
    this.#clock = clock;
    this.#limits = limits;
    this.room = new WaitingRoom(limits, clock.now());
    this.#settled = new Retention(limits);
    this.lines = new Lines(clock, limits);
    this.counts = Object.fromEntries(TASK_STATUSES.map((status) => [status, 0])) as Record<TaskStatus, number>;
  }

  get(taskId: string): TaskRow | undefined {
    return this.#rows.get(taskId);
  }

  byKey(key: string | undefined): TaskRow | undefined {
    return key === undefined ? undefined : this.#keys.get(key);
  }

  /** The tasks that settled, since this was last asked, though no caller asked for it. */
  takeUntold(): readonly string[] {
    if (this.#untold.length === 0) return this.#untold;
    const untold = this.#untold;
    this.#untold = [];
    return untold;
  }

  /** A task has settled of which no verdict tells. */
  noteUntold(row: TaskRow): void {
    this.#untold.push(row.taskId);
  }

  /** Adds an entry to the history; the oldest but the first makes room for it. */
  tell(row: TaskRow, event: string, { node, detail }: Circumstance = {}): void {
    if (row.history.length >= Math.max(2, this.#limits.historyMax)) row.history.splice(1, 1);
    row.entries += 1;
    const entry: HistoryEntry = { n: row.entries, at: this.#clock.wallTime(), event, attempt: row.attempt };
    if (row.owner !== null) entry.gateway = row.owner;
    if (node !== undefined && node !== null) entry.node = node;
    if (detail !== undefined) entry.detail = detail;
    row.history.push(entry);
  }

  /** A new task, from now on waiting; or failed, if one that it depends on has. */
  admit(task: NewTask): TaskRow {
    const nowMs = this.#clock.now();
    const delayMs = Math.max(0, task.delayMs ?? 0);
    const rank = rankOf({ nowMs: nowMs + delayMs, priority: task.priority, agingMs: this.#limits.agingMs });
    this.#seq += 1;
    const row = newRow(task, { rank, seq: this.#seq }, nowMs);
    this.#rows.set(row.taskId, row);
    if (row.key !== null) this.#keys.set(row.key, row);
    this.list.push(row);
    this.counts[row.status] += 1;
    this.#begin(row, 'task.submitted', delayMs);
    return row;
  }

  /** A failed or cancelled task gets a new row; `resume` makes it wait. In between others may be linked to it. */
  revive(old: TaskRow): TaskRow {
    const nowMs = this.#clock.now();
    const rank = rankOf({ nowMs, priority: old.priority, agingMs: this.#limits.agingMs });
    const row = redrivenRow(old, rank, nowMs);
    old.isForgotten = true;
    this.#settled.drop(old);
    this.#rows.set(row.taskId, row);
    if (row.key !== null) this.#keys.set(row.key, row);
    this.list.replace(row);
    this.counts[old.status] -= 1;
    this.counts[row.status] += 1;
    return row;
  }

  resume(row: TaskRow): void {
    this.#begin(row, 'task.redriven', 0);
  }

  /** Waiting, for its turn or first for its time or its dependencies. */
  wait(row: TaskRow, delayMs: number): void {
    this.room.enter(row.queue, bytesOf(row));
    if (delayMs > 0) row.dueMs = this.#clock.now() + delayMs;
    if (row.dependencies !== null) {
      // Not among the delayed: when it depends on nothing any more, its time may have come or not.
      this.#become(row, 'delayed');
    } else if (delayMs > 0) {
      this.#become(row, 'delayed');
      this.lines.delay(row);
    } else {
      this.#becomeReady(row);
    }
  }

  /** Fails waiting tasks whose time to live or deadline has passed, at most `limit`. Returns how many. */
  expire(limit: number): number {
    const nowMs = this.#clock.now();
    let expired = 0;
    while (expired < limit) {
      const row = this.#expiries.next(nowMs);
      if (row === undefined) break;
      // One that an attempt holds is asked again when it is released.
      if (!isWaiting(row)) continue;
      if (!this.settleLapsed(row)) continue;
      this.noteUntold(row);
      expired += 1;
    }
    return expired;
  }

  /** Fails a task whose time to live or deadline has passed. False: neither has. */
  settleLapsed(row: TaskRow): boolean {
    const failure = lapseOf(row, this.#clock.now());
    if (failure === null) return false;
    this.tell(row, 'task.expired', { detail: failure.code });
    this.settle(row, 'failed', 0, failure);
    return true;
  }

  /** Moves delayed tasks whose time has come into their lines, at most `limit`. Returns how many. */
  moveDue(limit: number): number {
    let moved = 0;
    while (moved < limit) {
      const row = this.lines.takeDue();
      if (row === undefined) break;
      this.#becomeReady(row);
      this.tell(row, 'task.due');
      moved += 1;
    }
    return moved;
  }

  /** Takes the first tasks out of their lines, each under a new attempt that nobody owns yet. */
  takeReady(wants: readonly Want[], limit: number): TaskRow[] {
    const nowMs = this.#clock.now();
    return this.lines.take(wants, limit, (row) => {
      this.room.leave(row.queue, bytesOf(row), nowMs);
      row.attempt += 1;
      row.startedAt = null;
      row.runMs = 0;
      this.#become(row, 'assigned');
    });
  }

  /** The present attempt has started: now, or, as its result tells, `agoMs` before. */
  start(row: TaskRow, agoMs?: number): void {
    const nowMs = this.#clock.now();
    row.startedMs = Math.max(row.submittedMs, nowMs - (agoMs ?? 0));
    const lateMs = Math.round(nowMs - row.startedMs);
    row.startedAt = this.#clock.wallTime() - lateMs;
    row.queuedMs = Math.round(row.startedMs - row.submittedMs);
    row.attemptsStarted += 1;
    this.#expiries.start(row);
    this.#become(row, heldStatus(row));
    const late = agoMs === undefined ? {} : { detail: `told by its result, ${lateMs} ms later` };
    this.tell(row, 'attempt.started', { node: row.node, ...late });
  }

  /** An attempt that holds the task is to be stopped. */
  requestCancel(row: TaskRow): void {
    if (row.cancelRequested) return;
    row.cancelRequested = true;
    this.tell(row, 'cancel.requested');
    if (!isWaiting(row)) this.#become(row, heldStatus(row));
  }

  /**
   * Over, for good or until it is redriven, with what depends on it. `by` is the attempt that decided, 0 if none did, and
   * `cost` what it has cost. The checkpoint is let go, and the payload of a completed task.
   */
  settle(row: TaskRow, status: OutcomeStatus, by: number, error: Failure | null, cost?: 'failure' | 'crash'): void {
    this.#settleOne(row, status, by, error, cost);
    if (row.dependents !== null) this.#settleDependents(row);
  }

  #settleOne(row: TaskRow, status: OutcomeStatus, by: number, error: Failure | null, cost?: string): void {
    const nowMs = this.#clock.now();
    const { status: before, dependencies } = row;
    if (isWaiting(row)) this.room.leave(row.queue, bytesOf(row), nowMs);
    this.#become(row, status);
    if (before === 'pending') this.lines.leave(row);
    if (dependencies !== null) unlink(row);
    else if (before === 'delayed') this.lines.dropDelayed();
    this.lines.limits.leave(row);
    this.#expiries.leave(row);
    if (status === 'completed') row.payload = NO_BYTES;
    row.checkpoint = null;
    row.settledBy = by;
    row.error = error;
    row.finishedMs = nowMs;
    row.finishedAt = this.#clock.wallTime();
    const detail = [cost, error?.code].filter((part) => part !== undefined).join(': ');
    this.tell(row, `task.${status}`, detail === '' ? { node: row.node } : { node: row.node, detail });
    this.#settled.add(row);
    while (this.#settled.isOver) this.#forgetOldest();
  }

  /** Level by level, not by recursion: a chain of dependencies may be as long as the store is large. */
  #settleDependents(first: TaskRow): void {
    const settled = [first];
    for (const row of settled) {
      for (const dependent of takeDependents(row)) {
        this.tell(dependent, 'dependency.settled', { detail: `${row.taskId}: ${row.status}` });
        const consequence = consequenceOf(dependent, row);
        if (consequence === 'free') this.#free(dependent);
        if (consequence === 'fails') {
          this.#settleOne(dependent, 'failed', 0, dependencyFailure(row));
          this.noteUntold(dependent);
          settled.push(dependent);
        }
      }
    }
  }

  /** It depends on nothing any more. */
  #free(row: TaskRow): void {
    unlink(row);
    if (row.dueMs > this.#clock.now()) {
      this.lines.delay(row);
      return;
    }
    this.#becomeReady(row);
    this.tell(row, 'task.due');
  }

  /** A row that is new, or new again, starts to wait. */
  #begin(row: TaskRow, event: 'task.submitted' | 'task.redriven', delayMs: number): void {
    this.lines.limits.admit(row, this.#clock.now());
    this.#expiries.add(row);
    const lost = this.#link(row, event === 'task.redriven');
    const waitsFor = row.dependencies?.size ?? 0;
    this.tell(row, event, delayMs > 0 || waitsFor > 0 ? { detail: waits(delayMs, waitsFor) } : {});
    this.wait(row, delayMs);
    if (lost === null) return;
    this.tell(row, 'dependency.settled', { detail: `${lost.taskId}: ${lost.status}` });
    this.settle(row, 'failed', 0, dependencyFailure(lost));
  }

  #link(row: TaskRow, isRedriven: boolean): TaskRow | null {
    if (row.after === null) return null;
    const rows = row.after.taskIds.map((taskId) => this.#rows.get(taskId)).filter((each) => each !== undefined);
    return link(row, rows, isRedriven);
  }

  /** Forgets settled tasks that finished more than `olderThanMs` ago, oldest first. */
  purge(olderThanMs: number, limit: number): number {
    const nowMs = this.#clock.now();
    let purged = 0;
    for (let row = this.#settled.oldest(); row !== undefined && purged < limit; row = this.#settled.oldest()) {
      if (nowMs - row.finishedMs <= olderThanMs) break;
      this.#forgetOldest();
      purged += 1;
    }
    return purged;
  }

  #forgetOldest(): void {
    const row = this.#settled.shift();
    if (row === undefined) return;
    this.#rows.delete(row.taskId);
    if (row.key !== null) this.#keys.delete(row.key);
    row.isForgotten = true;
    this.list.drop();
    this.counts[row.status] -= 1;
  }

  #becomeReady(row: TaskRow): void {
    this.#become(row, 'pending');
    this.lines.enter(row);
  }

  #become(row: TaskRow, status: TaskStatus): void {
    const wasHeld = !isWaiting(row) && !isOutcome(row.status);
    this.counts[row.status] -= 1;
    row.status = status;
    this.counts[status] += 1;
    const isHeld = !isWaiting(row) && !isOutcome(status);
    if (wasHeld && !isHeld && row.limitRow !== null) this.lines.limits.free(row.limitRow, this.#clock.now());
  }
}

/** How a history says that a task does not wait for its turn yet. */
export function waits(delayMs: number, dependencies = 0): string {
  const span = delayMs > 0 ? [`${Math.ceil(delayMs)} ms`] : [];
  const tasks = dependencies > 0 ? [`for ${dependencies} ${dependencies === 1 ? 'task' : 'tasks'}`] : [];
  return `waits ${[...span, ...tasks].join(' and ')}`;
}

/**
 * The tasks of a store, and how they change. A task is moved from one state to another only here, so that the row, its
 * indexes, the counters and the history change together. Who may move it is decided in verbs.ts and attempts.ts.
 */
import { rankOf } from '../../machines/policies/rank.ts';
import type { Failure } from '../../protocol/failure.ts';
import { toldLate } from '../../protocol/history.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Clock } from '../../protocol/ports.ts';
import type { HistoryEntry, TaskStatus } from '../../protocol/task.ts';
import { isOutcome, type OutcomeStatus } from '../../protocol/task-status.ts';
import { ClientQuota } from './client-quota.ts';
import { consequenceOf, dependencyFailure, link, unlink } from './dependency-links.ts';
import { lapseOf } from './lapse.ts';
import { Lines } from './lines.ts';
import type { NewTask, Want } from './store.ts';
import type { SettledRows, Tables, TaskRows } from './tables.ts';
import { bytesOf, heldStatus, isWaiting, newRow, redrivenRow, type TaskRow } from './task-row.ts';
import { WaitingRoom } from './waiting-room.ts';

/** What may be said of an event beside its name. */
interface Circumstance {
  readonly node?: string | null;
  readonly detail?: string | undefined;
  /** How long ago it was, of the start of an attempt that nobody had told of before its result. */
  readonly lateMs?: number | undefined;
}

/** Its name as it stands here: one that is put together is a new one for each task. */
const SETTLED_AS = { completed: 'task.completed', failed: 'task.failed', cancelled: 'task.cancelled' } as const;

/** Settled tasks that are forgotten at most when one more settles: more than one only after the limits were lowered. */
const FORGOTTEN_AT_ONCE_MAX = 100;

export class TaskTable<Row extends TaskRow> {
  readonly lines: Lines<Row>;
  readonly room: WaitingRoom;
  readonly quota: ClientQuota;
  readonly rows: TaskRows<Row>;
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #settled: SettledRows<Row>;
  #untold: string[] = [];

  constructor(clock: Clock, limits: Limits, tables: Tables<Row>) {
    this.#clock = clock;
    this.#limits = limits;
    this.rows = tables.tasks;
    this.#settled = tables.settled;
    this.room = new WaitingRoom(limits, tables.waiting);
    this.quota = new ClientQuota(limits, tables.clients);
    this.lines = new Lines(tables, limits);
  }

  get(taskId: string): Row | undefined {
    return this.rows.get(taskId);
  }

  byKey(key: string | undefined): Row | undefined {
    return key === undefined ? undefined : this.rows.byKey(key);
  }

  /** The tasks that settled, since this was last asked, though no caller asked for it. */
  takeUntold(): readonly string[] {
    if (this.#untold.length === 0) return this.#untold;
    const untold = this.#untold;
    this.#untold = [];
    return untold;
  }

  /** A task has settled of which no verdict tells. */
  noteUntold(row: Row): void {
    this.#untold.push(row.taskId);
  }

  /** Adds an entry to the history; the oldest but the first makes room for it. */
  tell(row: Row, event: string, { node, detail, lateMs }: Circumstance = {}): void {
    row.entries += 1;
    const at = this.#clock.wallTime();
    const entriesMax = Math.max(2, this.#limits.historyMax);
    if (this.rows.tellOf !== undefined) {
      this.rows.tellOf(row, { at, event, node: node ?? undefined, detail, lateMs }, entriesMax);
      return;
    }
    const entry = entryOf(row, at, event);
    if (node !== undefined && node !== null) entry.node = node;
    if (detail !== undefined) entry.detail = detail;
    if (lateMs !== undefined) entry.detail = toldLate(lateMs);
    this.rows.tell(row, entry, entriesMax);
  }

  /** A new task, from now on waiting; or failed, if one that it depends on has. Returns its status. */
  admit(task: NewTask): TaskStatus {
    const nowMs = this.#clock.now();
    const delayMs = Math.max(0, task.delayMs ?? 0);
    const rank = rankOf({ nowMs: nowMs + delayMs, priority: task.priority, agingMs: this.#limits.agingMs });
    const place = { rank, seq: this.rows.nextSeq() };
    if (this.rows.addWaiting?.(task, place, { nowMs, at: this.#clock.wallTime() })) {
      this.quota.add(task.client ?? null);
      this.room.enter(task.queue, task.payload.byteLength);
      this.lines.tellEntered(task.queue);
      return 'pending';
    }
    const row = this.rows.add(newRow(task, place, nowMs));
    this.rows.setBody(row, 'payload', task.payload);
    this.quota.add(row.client);
    this.#begin(row, 'task.submitted', delayMs);
    return row.status;
  }

  /** A failed or cancelled task gets a new row; `resume` makes it wait. In between others may be linked to it. */
  revive(old: Row): Row {
    const nowMs = this.#clock.now();
    const rank = rankOf({ nowMs, priority: old.priority, agingMs: this.#limits.agingMs });
    this.#settled.drop(old);
    this.quota.add(old.client);
    return this.rows.replace(old, redrivenRow(old, rank, nowMs));
  }

  resume(row: Row): void {
    this.#begin(row, 'task.redriven', 0);
  }

  /** Waiting, for its turn or first for its time or its dependencies. */
  wait(row: Row, delayMs: number): void {
    this.room.enter(row.queue, bytesOf(row));
    if (delayMs > 0) row.dueMs = this.#clock.now() + delayMs;
    if (row.dependencies !== null) {
      // Not among the delayed: when it depends on nothing any more, its time may have come or not.
      this.#become(row, 'delayed');
    } else if (delayMs > 0) {
      this.#become(row, 'delayed');
      this.lines.waiting.delay(row);
    } else {
      this.#becomeReady(row);
    }
  }

  /** Fails waiting tasks whose time to live or deadline has passed, at most `limit`. Returns how many. */
  expire(limit: number): number {
    const nowMs = this.#clock.now();
    let expired = 0;
    while (expired < limit) {
      const row = this.lines.waiting.nextExpired(nowMs);
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
  settleLapsed(row: Row): boolean {
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
      const row = this.lines.waiting.takeDue(this.#clock.now());
      if (row === undefined) break;
      this.#becomeReady(row);
      this.tell(row, 'task.due');
      moved += 1;
    }
    return moved;
  }

  /** Takes the first tasks out of their lines, each under a new attempt that nobody owns yet. */
  takeReady(wants: readonly Want[], limit: number): Row[] {
    const nowMs = this.#clock.now();
    const taken: Row[] = [];
    this.lines.take(wants, { limit, nowMs }, (row) => {
      this.room.leave(row.queue, bytesOf(row), nowMs);
      row.attempt += 1;
      row.startedAt = null;
      row.runMs = 0;
      this.#become(row, 'assigned');
      taken.push(row);
    });
    return taken;
  }

  /** The present attempt has started: now, or, as its result tells, `agoMs` before. */
  start(row: Row, agoMs?: number): void {
    const nowMs = this.#clock.now();
    row.startedMs = Math.max(row.submittedMs, nowMs - (agoMs ?? 0));
    const lateMs = Math.round(nowMs - row.startedMs);
    row.startedAt = this.#clock.wallTime() - lateMs;
    row.queuedMs = Math.round(row.startedMs - row.submittedMs);
    row.attemptsStarted += 1;
    row.hasStarted = true;
    this.lines.waiting.dropExpiry(row);
    this.#become(row, heldStatus(row));
    this.tell(row, 'attempt.started', { node: row.node, lateMs: agoMs === undefined ? undefined : lateMs });
  }

  /** An attempt that holds the task is to be stopped. */
  requestCancel(row: Row): void {
    if (row.cancelRequested) return;
    row.cancelRequested = true;
    this.tell(row, 'cancel.requested');
    if (!isWaiting(row)) this.#become(row, heldStatus(row));
  }

  /**
   * Over, for good or until it is redriven, with what depends on it. `by` is the attempt that decided, 0 if none did, and
   * `cost` what it has cost. The checkpoint is let go, and the payload of a completed task.
   */
  settle(row: Row, status: OutcomeStatus, by: number, error: Failure | null, cost?: 'failure' | 'crash'): void {
    this.#settleOne(row, status, by, error, cost);
    if (row.dependents > 0) this.#settleDependents(row);
  }

  #settleOne(row: Row, status: OutcomeStatus, by: number, error: Failure | null, cost?: string): void {
    const nowMs = this.#clock.now();
    const { status: before, dependencies } = row;
    if (isWaiting(row)) this.room.leave(row.queue, bytesOf(row), nowMs);
    this.#become(row, status);
    this.quota.drop(row.client);
    if (before === 'pending') this.lines.leave(row);
    if (dependencies !== null) unlink(this.rows, row);
    else if (before === 'delayed') this.lines.waiting.dropDelayed(row);
    this.lines.limits.leave(row, nowMs);
    this.lines.waiting.dropExpiries(row);
    if (status === 'completed') this.rows.setBody(row, 'payload', null);
    this.rows.setBody(row, 'checkpoint', null);
    row.settledBy = by;
    row.error = error;
    row.finishedMs = nowMs;
    row.finishedAt = this.#clock.wallTime();
    this.tell(row, SETTLED_AS[status], {
      node: row.node,
      detail: cost === undefined ? error?.code : costOf(cost, error),
    });
    this.#settled.add(row);
    for (let forgotten = 0; forgotten < FORGOTTEN_AT_ONCE_MAX && this.#isFull(); forgotten += 1) this.#forgetOldest();
  }

  /** Level by level, not by recursion: a chain of dependencies may be as long as the store is large. */
  #settleDependents(first: Row): void {
    const settled = [first];
    for (const row of settled) {
      if (row.dependents === 0) continue;
      for (const dependent of this.rows.takeDependents(row)) {
        dependent.dependencies?.delete(row.taskId);
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
  #free(row: Row): void {
    unlink(this.rows, row);
    if (row.dueMs > this.#clock.now()) {
      this.lines.waiting.delay(row);
      return;
    }
    this.#becomeReady(row);
    this.tell(row, 'task.due');
  }

  /** A row that is new, or new again, starts to wait. */
  #begin(row: Row, event: 'task.submitted' | 'task.redriven', delayMs: number): void {
    this.lines.limits.admit(row, this.#clock.now());
    this.lines.waiting.expireLater(row);
    const lost = link(this.rows, row, event === 'task.redriven');
    const waitsFor = row.dependencies?.size ?? 0;
    this.tell(row, event, delayMs > 0 || waitsFor > 0 ? { detail: waits(delayMs, waitsFor) } : {});
    this.wait(row, delayMs);
    if (lost === null) return;
    this.tell(row, 'dependency.settled', { detail: `${lost.taskId}: ${lost.status}` });
    this.settle(row, 'failed', 0, dependencyFailure(lost));
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

  /** Whether more is kept than the limits allow. The one that finished last is kept however large it is. */
  #isFull(): boolean {
    const { tasks, bytes } = this.#settled;
    return tasks > 1 && (tasks > this.#limits.settledTasksMax || bytes > this.#limits.settledBytesMax);
  }

  #forgetOldest(): void {
    const row = this.#settled.oldest();
    if (row === undefined) return;
    this.#settled.drop(row);
    this.rows.forget(row);
  }

  #becomeReady(row: Row): void {
    this.#become(row, 'pending');
    this.lines.enter(row);
  }

  #become(row: Row, status: TaskStatus): void {
    const { status: before } = row;
    const wasHeld = isHeld(row);
    row.status = status;
    this.rows.moved(row, before);
    if (wasHeld && !isHeld(row)) this.lines.limits.free(row, this.#clock.now());
  }
}

function costOf(cost: string, error: Failure | null): string {
  return error === null ? cost : `${cost}: ${error.code}`;
}

/** Most have an owner: an object that is made with it is smaller than one that it is added to. */
function entryOf({ entries, attempt, owner }: TaskRow, at: number, event: string): HistoryEntry {
  return owner === null ? { n: entries, at, event, attempt } : { n: entries, at, event, attempt, gateway: owner };
}

function isHeld(row: TaskRow): boolean {
  return !isWaiting(row) && !isOutcome(row.status);
}

/** How a history says that a task does not wait for its turn yet. */
export function waits(delayMs: number, dependencies = 0): string {
  const span = delayMs > 0 ? [`${Math.ceil(delayMs)} ms`] : [];
  const tasks = dependencies > 0 ? [`for ${dependencies} ${dependencies === 1 ? 'task' : 'tasks'}`] : [];
  return `waits ${[...span, ...tasks].join(' and ')}`;
}

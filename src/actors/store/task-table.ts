/**
 * Every task of the memory store and every index over them. A task is moved from one state to another only here, so
 * that the row, its indexes, the counters and the history change together. Who may move it is decided in memory.ts.
 */
import { comparePlaces, rankOf } from '../../machines/policies/rank.ts';
import type { Failure } from '../../protocol/failure.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Clock } from '../../protocol/ports.ts';
import { type HistoryEntry, type OutcomeStatus, TASK_STATUSES, type TaskStatus } from '../../protocol/task.ts';
import { LazyHeap } from '../lazy-heap.ts';
import { ReadyQueue } from './ready-queue.ts';
import { Retention } from './retention.ts';
import type { NewTask, Want } from './store.ts';
import { TaskList } from './task-list.ts';
import { bytesOf, heldStatus, isWaiting, NO_BYTES, newRow, type TaskRow } from './task-row.ts';
import { WaitingRoom } from './waiting-room.ts';

/** What may be said of an event beside its name. */
type Circumstance = Pick<HistoryEntry, 'detail'> & { readonly node?: string | null };

export class TaskTable {
  readonly ready = new ReadyQueue();
  readonly list = new TaskList();
  readonly room: WaitingRoom;
  readonly counts: Record<TaskStatus, number>;
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #rows = new Map<string, TaskRow>();
  readonly #keys = new Map<string, TaskRow>();
  readonly #delayed = new LazyHeap<TaskRow>(
    (a, b) => a.dueMs - b.dueMs || comparePlaces(a, b),
    (row) => row.status === 'delayed',
  );
  readonly #settled: Retention;
  #readied = new Set<string>();
  #seq = 0;

  constructor(clock: Clock, limits: Limits) {
    this.#clock = clock;
    this.#limits = limits;
    this.room = new WaitingRoom(limits, clock.now());
    this.#settled = new Retention(limits);
    this.counts = Object.fromEntries(TASK_STATUSES.map((status) => [status, 0])) as Record<TaskStatus, number>;
  }

  get(taskId: string): TaskRow | undefined {
    return this.#rows.get(taskId);
  }

  byKey(key: string | undefined): TaskRow | undefined {
    return key === undefined ? undefined : this.#keys.get(key);
  }

  /** The classes that got claimable tasks since this was last asked, and still have some. */
  takeReadied(): readonly string[] {
    if (this.#readied.size === 0) return [];
    const queues = [...this.#readied].filter((queue) => this.ready.has(queue));
    this.#readied = new Set();
    return queues;
  }

  /** Adds an entry to the history; the oldest but the first makes room for it. */
  tell(row: TaskRow, event: string, { node, detail }: Circumstance = {}): void {
    if (row.history.length >= Math.max(2, this.#limits.historyMax)) row.history.splice(1, 1);
    const entry: HistoryEntry = { at: this.#clock.wallTime(), event, attempt: row.attempt };
    if (node !== undefined && node !== null) entry.node = node;
    if (detail !== undefined) entry.detail = detail;
    row.history.push(entry);
  }

  /** A new task, from now on waiting. */
  admit(task: NewTask): TaskRow {
    const nowMs = this.#clock.now();
    const rank = rankOf({ nowMs, priority: task.priority, agingMs: this.#limits.agingMs });
    this.#seq += 1;
    const row = newRow(task, { rank, seq: this.#seq }, nowMs);
    this.#rows.set(row.taskId, row);
    if (row.key !== null) this.#keys.set(row.key, row);
    this.list.push(row);
    this.counts[row.status] += 1;
    const delayMs = task.delayMs ?? 0;
    this.tell(row, 'task.submitted', delayMs > 0 ? { detail: waits(delayMs) } : {});
    this.wait(row, delayMs);
    return row;
  }

  /** Waiting, for its turn or first for its time. */
  wait(row: TaskRow, delayMs: number): void {
    this.room.enter(row.queue, bytesOf(row));
    if (delayMs > 0) {
      row.dueMs = this.#clock.now() + delayMs;
      this.#become(row, 'delayed');
      this.#delayed.push(row);
    } else {
      this.#becomeReady(row);
    }
  }

  /** Moves delayed tasks whose time has come into their lines, at most `limit`. Returns how many. */
  moveDue(limit: number): number {
    const nowMs = this.#clock.now();
    let moved = 0;
    for (let row = this.#delayed.first(); row !== undefined && row.dueMs <= nowMs; row = this.#delayed.first()) {
      if (moved >= limit) break;
      this.#delayed.take();
      this.#becomeReady(row);
      this.tell(row, 'task.due');
      moved += 1;
    }
    return moved;
  }

  /** Takes the first tasks out of their lines, each under a new attempt that nobody owns yet. */
  takeReady(wants: readonly Want[], limit: number): TaskRow[] {
    const rows = this.ready.take(wants, limit);
    const nowMs = this.#clock.now();
    for (const row of rows) {
      this.room.leave(row.queue, bytesOf(row), nowMs);
      row.attempt += 1;
      row.startedAt = null;
      row.runMs = 0;
      this.#become(row, 'assigned');
    }
    return rows;
  }

  /** The present attempt has started: now, or, as its result tells, `agoMs` before. */
  start(row: TaskRow, agoMs?: number): void {
    const nowMs = this.#clock.now();
    row.startedMs = Math.max(row.submittedMs, nowMs - (agoMs ?? 0));
    const lateMs = Math.round(nowMs - row.startedMs);
    row.startedAt = this.#clock.wallTime() - lateMs;
    row.queuedMs = Math.round(row.startedMs - row.submittedMs);
    row.attemptsStarted += 1;
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

  /** Over for good. `by` is the attempt that decided, 0 if none did. Payload and checkpoint are let go. */
  settle(row: TaskRow, status: OutcomeStatus, by: number, error: Failure | null): void {
    const nowMs = this.#clock.now();
    const { status: before } = row;
    if (isWaiting(row)) this.room.leave(row.queue, bytesOf(row), nowMs);
    this.#become(row, status);
    if (before === 'pending') this.ready.drop(row);
    if (before === 'delayed') this.#delayed.drop();
    row.payload = NO_BYTES;
    row.checkpoint = null;
    row.settledBy = by;
    row.error = error;
    row.finishedMs = nowMs;
    row.finishedAt = this.#clock.wallTime();
    this.tell(row, `task.${status}`, error === null ? { node: row.node } : { node: row.node, detail: error.code });
    this.#settled.add(row);
    while (this.#settled.isOver) this.#forgetOldest();
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
    this.ready.push(row);
    this.#readied.add(row.queue);
  }

  #become(row: TaskRow, status: TaskStatus): void {
    this.counts[row.status] -= 1;
    row.status = status;
    this.counts[status] += 1;
  }
}

/** How a history says that a task does not wait for its turn yet. */
export function waits(delayMs: number): string {
  return `waits ${Math.ceil(delayMs)} ms`;
}

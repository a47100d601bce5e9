/** The tables of the memory store: rows in maps, their order in heaps and lists. */

import type { Place } from '../../../machines/policies/rank.ts';
import type { HistoryEntry, TaskStatus } from '../../../protocol/task.ts';
import { TASK_STATUSES } from '../../../protocol/task-status.ts';
import { TransitMap } from '../../transit-map.ts';
import type { StandingOrder } from '../cluster.ts';
import type { NewTask, ScheduleRecord } from '../new-task.ts';
import type { DirectoryRow, FairLine, GatewayRow, Lock } from '../rows.ts';
import type { ListFilter, TaskPage } from '../store.ts';
import type { BodyKind, OwnedRows, Tables, TaskRows, Told } from '../tables.ts';
import type { TaskRow } from '../task-row.ts';
import type { WaitingCounts } from '../waiting-room.ts';
import { MemoryLimits } from './memory-limits.ts';
import { MemoryLines } from './memory-lines.ts';
import { MemoryRow } from './memory-row.ts';
import { entriesOf, Histories } from './packed-history.ts';
import { Retention } from './retention.ts';
import { Slabs } from './slabs.ts';
import { rowOf } from './special-row.ts';
import { Kinds } from './task-kinds.ts';
import { TaskList } from './task-list.ts';

export class MemoryTables implements Tables<MemoryRow> {
  readonly tasks: MemoryTasks;
  readonly lines: MemoryLines;
  readonly settled = new Retention();
  readonly owned = new MemoryOwned();
  readonly limits = new MemoryLimits();
  readonly fair = new Map<string, FairLine>();
  readonly clients = new Map<string, number>();
  readonly gateways = new Map<string, GatewayRow>();
  readonly locks = new Map<string, Lock>();
  readonly schedules = new Map<string, ScheduleRecord>();
  readonly waiting: WaitingCounts;
  readonly nodes = new Map<string, DirectoryRow>();
  readonly orders = new Map<string, StandingOrder>();
  readonly #counters = { token: 0, epoch: 0 };

  constructor(nowMs: number) {
    this.lines = new MemoryLines();
    this.tasks = new MemoryTasks(this.lines);
    const queues = new Map<string, number>();
    this.waiting = {
      ...{ tasks: 0, bytes: 0, left: 0, sinceMs: nowMs },
      get classes() {
        return queues.size;
      },
      tasksOf: (queue) => queues.get(queue) ?? 0,
      setTasksOf(queue, tasks) {
        if (tasks > 0) queues.set(queue, tasks);
        else queues.delete(queue);
      },
    };
  }

  next(counter: 'token' | 'epoch'): number {
    this.#counters[counter] += 1;
    return this.#counters[counter];
  }
}

class MemoryTasks implements TaskRows<MemoryRow> {
  readonly counts = Object.fromEntries(TASK_STATUSES.map((status) => [status, 0])) as Record<TaskStatus, number>;
  readonly #rows = new Map<string, MemoryRow>();
  readonly #keys = new Map<string, MemoryRow>();
  readonly #dependents = new Map<string, Set<MemoryRow>>();
  readonly #list = new TaskList();
  /** Apart from each other: the payload of a completed task is let go, its result is kept. */
  readonly #payloads = new Slabs();
  readonly #results = new Slabs();
  readonly #kinds = new Kinds();
  readonly #histories = new Histories();
  readonly #lines: MemoryLines;
  #seq = 0;

  constructor(lines: MemoryLines) {
    this.#lines = lines;
  }

  get(taskId: string): MemoryRow | undefined {
    return this.#rows.get(taskId);
  }

  addWaiting(task: NewTask, place: Place, told: { readonly nowMs: number; readonly at: number }): boolean {
    if (!isPlain(task, told.at)) return false;
    const row = new MemoryRow(task, this.#kinds.of(task), place, told);
    this.setBody(row, 'payload', task.payload);
    this.#rows.set(row.taskId, row);
    this.#list.push(row);
    this.counts.pending += 1;
    this.#lines.enter(row);
    return true;
  }

  byKey(key: string): MemoryRow | undefined {
    return this.#keys.get(key);
  }

  nextSeq(): number {
    this.#seq += 1;
    return this.#seq;
  }

  add(row: TaskRow): MemoryRow {
    const own = rowOf(row, this.#kinds.of(row));
    this.#set(own);
    this.#list.push(own);
    return own;
  }

  replace(old: MemoryRow, row: TaskRow): MemoryRow {
    const own = rowOf(row, old.kind, old);
    old.isForgotten = true;
    this.counts[old.status] -= 1;
    this.#set(own);
    this.#list.replace(own);
    return own;
  }

  forget(row: MemoryRow): void {
    this.#rows.delete(row.taskId);
    if (row.key !== null) this.#keys.delete(row.key);
    row.isForgotten = true;
    this.#list.drop();
    this.counts[row.status] -= 1;
  }

  moved(row: MemoryRow, before: TaskStatus): void {
    this.counts[before] -= 1;
    this.counts[row.status] += 1;
  }

  page(filter: ListFilter, limit: number, nowMs: number): TaskPage {
    return this.#list.page(filter, { counts: this.counts, limit, nowMs });
  }

  body(row: MemoryRow, kind: BodyKind): Uint8Array | null {
    if (kind === 'payload') return row.payloadView();
    return kind === 'result' ? row.resultView() : row.checkpoint;
  }

  setBody(row: MemoryRow, kind: BodyKind, bytes: Uint8Array | null): void {
    const byteLength = bytes?.byteLength ?? 0;
    if (kind === 'checkpoint') {
      row.checkpoint = bytes === null ? null : this.#payloads.copyOf(bytes);
      row.checkpointBytes = byteLength;
      return;
    }
    const slabs = kind === 'payload' ? this.#payloads : this.#results;
    const at = bytes === null ? 0 : slabs.keep(bytes);
    const buffer = bytes === null ? null : slabs.buffer;
    if (kind === 'payload') {
      row.payload = buffer;
      row.payloadAt = at;
      row.payloadBytes = byteLength;
    } else {
      const course = row.ownCourse();
      course.result = buffer;
      course.resultAt = at;
      course.resultBytes = byteLength;
    }
  }

  history(row: MemoryRow): readonly HistoryEntry[] {
    return entriesOf(row.history, row.createdAt, row.entries);
  }

  tell(row: MemoryRow, entry: HistoryEntry, entriesMax: number): void {
    this.#histories.add(row, entry, entry.attempt, entry.gateway, entriesMax);
  }

  tellOf(row: MemoryRow, told: Told, entriesMax: number): void {
    this.#histories.add(row, told, row.attempt, row.owner ?? undefined, entriesMax);
  }

  link(row: MemoryRow, dependent: MemoryRow): void {
    const dependents = this.#dependents.get(row.taskId) ?? new Set();
    this.#dependents.set(row.taskId, dependents.add(dependent));
    row.dependents = dependents.size;
  }

  unlink(row: MemoryRow, dependent: MemoryRow): void {
    const dependents = this.#dependents.get(row.taskId);
    dependents?.delete(dependent);
    row.dependents = dependents?.size ?? 0;
    if (row.dependents === 0) this.#dependents.delete(row.taskId);
  }

  takeDependents(row: MemoryRow): readonly MemoryRow[] {
    const dependents = [...(this.#dependents.get(row.taskId) ?? [])].sort((a, b) => a.seq - b.seq);
    this.#dependents.delete(row.taskId);
    row.dependents = 0;
    return dependents;
  }

  #set(row: MemoryRow): void {
    this.#rows.set(row.taskId, row);
    if (row.key !== null) this.#keys.set(row.key, row);
    this.counts[row.status] += 1;
  }
}

class MemoryOwned implements OwnedRows<MemoryRow> {
  readonly #owned = new Map<string, TransitMap<MemoryRow, MemoryRow>>();

  of(gateway: string): readonly MemoryRow[] {
    return [...(this.#owned.get(gateway)?.values() ?? [])];
  }

  countOf(gateway: string): number {
    return this.#owned.get(gateway)?.size ?? 0;
  }

  firstOf(gateway: string): MemoryRow | undefined {
    const [first] = this.#owned.get(gateway)?.values() ?? [];
    return first;
  }

  add(row: MemoryRow, gateway: string): void {
    const owned = this.#owned.get(gateway) ?? new TransitMap<MemoryRow, MemoryRow>();
    owned.set(row, row);
    if (owned.size === 1) this.#owned.set(gateway, owned);
  }

  drop(row: MemoryRow, gateway: string): void {
    const owned = this.#owned.get(gateway);
    owned?.delete(row);
    if (owned?.size === 0) this.#owned.delete(gateway);
  }
}

/** It has nothing that most tasks do not have, and the time at which it was told comes back exactly from how long after that was. */
function isPlain(task: NewTask, toldAt: number): boolean {
  if (task.key !== undefined || task.prefer !== undefined || task.affinityKey !== undefined) return false;
  if (task.fairKey !== undefined || task.limit !== undefined || task.after !== undefined) return false;
  if ((task.delayMs ?? 0) > 0 || task.ttlMs !== undefined || task.deadlineMs !== undefined) return false;
  return task.createdAt + (toldAt - task.createdAt) === toldAt;
}

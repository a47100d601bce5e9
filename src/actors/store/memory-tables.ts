/** The tables of the memory store: rows in maps, their order in heaps and lists. */

import type { Place } from '../../machines/policies/rank.ts';
import type { Limits } from '../../protocol/limits.ts';
import { type HistoryEntry, TASK_STATUSES, type TaskStatus } from '../../protocol/task.ts';
import type { StandingOrder } from './cluster.ts';
import { ColdTask, Kinds, type Told } from './cold-task.ts';
import { MemoryLimits } from './memory-limits.ts';
import { MemoryLines, type Warmth } from './memory-lines.ts';
import { type MemoryRow, memoryRow } from './memory-row.ts';
import type { NewTask, ScheduleRecord } from './new-task.ts';
import { Retention } from './retention.ts';
import type { DirectoryRow, FairLine, GatewayRow, Lock } from './rows.ts';
import { Slabs } from './slabs.ts';
import type { ListFilter, TaskPage } from './store.ts';
import type { BodyKind, OwnedRows, Tables, TaskRows } from './tables.ts';
import { TaskList } from './task-list.ts';
import type { TaskRow } from './task-row.ts';
import type { WaitingCounts } from './waiting-room.ts';

export type { MemoryRow } from './memory-row.ts';

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

  constructor(nowMs: number, limits: Pick<Limits, 'hotTasksMax'>) {
    this.tasks = new MemoryTasks(() => this.lines);
    this.lines = new MemoryLines(this.tasks, limits);
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

class MemoryTasks implements TaskRows<MemoryRow>, Warmth {
  readonly counts = Object.fromEntries(TASK_STATUSES.map((status) => [status, 0])) as Record<TaskStatus, number>;
  readonly #rows = new Map<string, MemoryRow | ColdTask>();
  readonly #keys = new Map<string, MemoryRow>();
  readonly #dependents = new Map<string, Set<MemoryRow>>();
  readonly #list = new TaskList();
  readonly #slabs = new Slabs();
  readonly #kinds = new Kinds();
  readonly #lines: () => MemoryLines;
  #seq = 0;

  constructor(lines: () => MemoryLines) {
    this.#lines = lines;
  }

  get(taskId: string): MemoryRow | undefined {
    const task = this.#rows.get(taskId);
    if (!(task instanceof ColdTask)) return task;
    const row = this.warm(task);
    this.#lines().exchange(task, row);
    return row;
  }

  addWaiting(task: NewTask, place: Place, told: Told): boolean {
    const lines = this.#lines();
    const kind = lines.hasHotRoom ? null : this.#kinds.of(task, told);
    if (kind === null) return false;
    const cold = new ColdTask(task, kind, place, told, this.#slabs);
    this.#rows.set(cold.taskId, cold);
    this.#list.push(cold);
    this.counts.pending += 1;
    lines.enterCold(cold);
    return true;
  }

  warm(cold: ColdTask): MemoryRow {
    const row = cold.toRow();
    cold.status = 'warmed';
    this.#rows.set(row.taskId, row);
    this.#list.replace(row);
    return row;
  }

  byKey(key: string): MemoryRow | undefined {
    return this.#keys.get(key);
  }

  nextSeq(): number {
    this.#seq += 1;
    return this.#seq;
  }

  add(row: TaskRow): MemoryRow {
    const own = memoryRow(row);
    this.#set(own);
    this.#list.push(own);
    return own;
  }

  replace(old: MemoryRow, row: TaskRow): MemoryRow {
    const own = memoryRow(row, old);
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
    return row[kind];
  }

  setBody(row: MemoryRow, kind: BodyKind, bytes: Uint8Array | null): void {
    row[kind] = bytes === null ? null : this.#slabs.copyOf(bytes);
    row[`${kind}Bytes`] = bytes?.byteLength ?? 0;
  }

  history(row: MemoryRow): readonly HistoryEntry[] {
    return row.history;
  }

  tell(row: MemoryRow, entry: HistoryEntry, entriesMax: number): void {
    if (row.history.length >= entriesMax) row.history.splice(1, 1);
    row.history.push(entry);
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
  readonly #owned = new Map<string, Set<MemoryRow>>();

  of(gateway: string): readonly MemoryRow[] {
    return [...(this.#owned.get(gateway) ?? [])];
  }

  countOf(gateway: string): number {
    return this.#owned.get(gateway)?.size ?? 0;
  }

  firstOf(gateway: string): MemoryRow | undefined {
    const [first] = this.#owned.get(gateway) ?? [];
    return first;
  }

  add(row: MemoryRow, gateway: string): void {
    const owned = this.#owned.get(gateway) ?? new Set();
    this.#owned.set(gateway, owned.add(row));
  }

  drop(row: MemoryRow, gateway: string): void {
    const owned = this.#owned.get(gateway);
    owned?.delete(row);
    if (owned?.size === 0) this.#owned.delete(gateway);
  }
}

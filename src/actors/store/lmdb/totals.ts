/** The counters of a store: one small row, read when a transaction begins and written when it ends. */
import type { Database } from 'lmdb';
import { TASK_STATUSES, type TaskStatus } from '../../../protocol/task-status.ts';
import type { WaitingCounts } from '../waiting-room.ts';
import type { SmallTable } from './small-table.ts';
import type { TimeMark } from './store-time.ts';

export interface Totals {
  time: TimeMark | null;
  seq: number;
  settledSeq: number;
  /** No task that settled before this one is kept. */
  settledFrom: number;
  token: number;
  epoch: number;
  counts: Record<TaskStatus, number>;
  waitingTasks: number;
  waitingBytes: number;
  waitingClasses: number;
  left: number;
  sinceMs: number;
  settledTasks: number;
  settledBytes: number;
  /** Who wrote last, and what: whoever finds here what it wrote itself knows that nobody has written since. */
  stamp: string;
  /** A compacted copy has taken the place of this file: what is written here is lost. */
  isRetired?: boolean;
}

/** One class with waiting tasks. */
export interface ClassRow {
  readonly queue: string;
  waiting: number;
  pending: number;
}

const KEY = 'totals';

export function readTotals(meta: Database<unknown, string>): Totals {
  return (meta.get(KEY) as Totals | undefined) ?? noTotals();
}

export function writeTotals(meta: Database<unknown, string>, totals: Totals): void {
  meta.putSync(KEY, totals);
}

function noTotals(): Totals {
  const counts = Object.fromEntries(TASK_STATUSES.map((status) => [status, 0])) as Totals['counts'];
  return {
    ...{ time: null, seq: 0, settledSeq: 0, settledFrom: 1, token: 0, epoch: 0, counts, waitingTasks: 0 },
    ...{ waitingBytes: 0, waitingClasses: 0, left: 0, sinceMs: 0, settledTasks: 0, settledBytes: 0, stamp: '' },
  };
}

/** What the waiting room counts, kept in the totals and in the rows of the classes. */
export class LmdbWaiting implements WaitingCounts {
  readonly #totals: () => Totals;
  readonly #classes: SmallTable<ClassRow>;

  constructor(totals: () => Totals, classes: SmallTable<ClassRow>) {
    this.#totals = totals;
    this.#classes = classes;
  }

  get tasks(): number {
    return this.#totals().waitingTasks;
  }

  set tasks(tasks: number) {
    this.#totals().waitingTasks = tasks;
  }

  get bytes(): number {
    return this.#totals().waitingBytes;
  }

  set bytes(bytes: number) {
    this.#totals().waitingBytes = bytes;
  }

  get left(): number {
    return this.#totals().left;
  }

  set left(left: number) {
    this.#totals().left = left;
  }

  get sinceMs(): number {
    return this.#totals().sinceMs;
  }

  set sinceMs(sinceMs: number) {
    this.#totals().sinceMs = sinceMs;
  }

  get classes(): number {
    return this.#totals().waitingClasses;
  }

  tasksOf(queue: string): number {
    return this.#classes.get(queue)?.waiting ?? 0;
  }

  setTasksOf(queue: string, tasks: number): void {
    const row = this.#classes.get(queue) ?? { queue, waiting: 0, pending: 0 };
    this.#totals().waitingClasses += Number(tasks > 0) - Number(row.waiting > 0);
    row.waiting = tasks;
    this.#keep(row);
  }

  /** A task of the class is claimable from now on, or not any more. */
  addPending(queue: string, by: number): void {
    const row = this.#classes.get(queue) ?? { queue, waiting: 0, pending: 0 };
    row.pending += by;
    this.#keep(row);
  }

  pendingOf(queue: string): number {
    return this.#classes.get(queue)?.pending ?? 0;
  }

  /** How many are claimable, by class. */
  pending(): ReadonlyMap<string, number> {
    const rows = this.#classes.values().filter(({ pending }) => pending > 0);
    return new Map(rows.map(({ queue, pending }) => [queue, pending]));
  }

  #keep(row: ClassRow): void {
    if (row.waiting === 0 && row.pending === 0) this.#classes.delete(row.queue);
    else this.#classes.set(row.queue, row);
  }
}

/**
 * What a store must be able to keep and find, so that the verbs of the contract can be written once (verbs.ts) and run on
 * any of them: rows in memory, or rows in a transaction of a database. Every method works at once and sees what the ones
 * before it have changed.
 *
 * A row is one object for as long as the verbs hold it. They change it in place and then say what that means for its
 * indexes; tables that derive their indexes from the row need not listen.
 */
import type { Place } from '../../machines/policies/rank.ts';
import type { HistoryEntry, TaskStatus } from '../../protocol/task.ts';
import type { StandingOrder } from './cluster.ts';
import type { LimitTable } from './limit-rows.ts';
import type { NewTask, ScheduleRecord } from './new-task.ts';
import type { DirectoryRow, FairLine, GatewayRow, Lock } from './rows.ts';
import type { ListFilter, TaskPage, Want } from './store.ts';
import type { TaskRow } from './task-row.ts';
import type { WaitingCounts } from './waiting-room.ts';

/** Small rows by name; a Map is one. What was changed in place is set again. */
export interface Table<Value> {
  readonly size: number;
  get(key: string): Value | undefined;
  set(key: string, value: Value): unknown;
  delete(key: string): boolean;
  values(): Iterable<Value>;
}

/** The bytes that are kept apart from a row. */
export type BodyKind = 'payload' | 'result' | 'checkpoint';

/** An entry of a history that is about to be made. */
export interface Told {
  readonly at: number;
  readonly event: string;
  readonly node: string | undefined;
  readonly detail: string | undefined;
  /** In place of a detail: how long ago an attempt started of which nobody had told before its result. */
  readonly lateMs: number | undefined;
}

/** Every task that is known. */
export interface TaskRows<Row extends TaskRow> {
  readonly counts: Readonly<Record<TaskStatus, number>>;
  get(taskId: string): Row | undefined;
  byKey(key: string): Row | undefined;
  /** The place in the order of submit for the next task. */
  nextSeq(): number;
  /** Adds the task submitted last. */
  add(row: TaskRow): Row;
  /**
   * Adds the task submitted last without a row, if it has nothing but its turn to wait for: claimable, and in its line. What
   * happens to it next makes a row of it. False: it is to be added as a row. A store that has nothing but rows leaves it out.
   */
  addWaiting?(task: NewTask, place: Place, told: { readonly nowMs: number; readonly at: number }): boolean;
  /** Puts the new row of a redriven task in the place of its old one, which is dead from now on. */
  replace(old: Row, row: TaskRow): Row;
  /** Forgets a task, its bytes and its history. */
  forget(row: Row): void;
  /** Says that the status of a row has just been another one. */
  moved(row: Row, before: TaskStatus): void;
  /** One page of the list, newest first; `limit` is within bounds. */
  page(filter: ListFilter, limit: number, nowMs: number): TaskPage;

  body(row: Row, kind: BodyKind): Uint8Array | null;
  /** Keeps a copy of the bytes and their size in the row; null lets go of them. */
  setBody(row: Row, kind: BodyKind, bytes: Uint8Array | null): void;
  history(row: Row): readonly HistoryEntry[];
  /** Adds an entry; beyond `entriesMax` the oldest but the first makes room for it. */
  tell(row: Row, entry: HistoryEntry, entriesMax: number): void;
  /** The same of what the row says itself and what is given here, without an entry. A store that needs one leaves it out. */
  tellOf?(row: Row, told: Told, entriesMax: number): void;

  /** `dependent` waits for `row` from now on. */
  link(row: Row, dependent: Row): void;
  /** It does not any more. */
  unlink(row: Row, dependent: Row): void;
  /** Those that wait for a row, in the order in which they were submitted; they are linked to it no more. */
  takeDependents(row: Row): readonly Row[];
}

/** Where tasks stand while they wait for their turn or their time. */
export interface WaitingLines<Row extends TaskRow> {
  /** Whether a class has claimable tasks. */
  has(queue: string): boolean;
  /** How many it has, by class. */
  sizes(): ReadonlyMap<string, number>;
  /** How many of its class stand before this one. */
  ahead(row: Row): number;
  /** A row is claimable, and has its place. */
  enter(row: Row): void;
  /** A row has just ceased to be claimable, without its turn. */
  leave(row: Row): void;
  /**
   * Takes the first of the wanted classes together: at most `want.limit` of each class and `limit` in all. A class stands
   * still at a task that may not be taken. `take` is told of each, and it is not claimable after that.
   */
  take(wants: readonly Want[], limit: number, taker: Taker<Row>): void;
  /** A row waits for its time. */
  delay(row: Row): void;
  /** A row has just ceased to be delayed, before its time. */
  dropDelayed(row: Row): void;
  /** Takes the delayed row whose time has come first, if any has. */
  takeDue(nowMs: number): Row | undefined;
  /** A row has begun to count its time to live and its deadline. */
  expireLater(row: Row): void;
  /** Its time to live does not matter any more. */
  dropExpiry(row: Row): void;
  /** Neither of its times matters any more. */
  dropExpiries(row: Row): void;
  /** A row of which a time has passed, the first one first. Each is asked for until there is none. */
  nextExpired(nowMs: number): Row | undefined;
}

/** Who decides about each task that comes first. */
export interface Taker<Row> {
  /** False: it stays, and its line with it. */
  mayTake(row: Row): boolean;
  /** It has just been taken, and is not pending from now on. */
  take(row: Row): void;
}

/** The settled tasks that can still be asked for, in the order in which they finished. */
export interface SettledRows<Row extends TaskRow> {
  /** How many, and how many bytes their results and payloads have. */
  readonly tasks: number;
  readonly bytes: number;
  add(row: Row): void;
  /** Lets go of one that waits again. */
  drop(row: Row): void;
  oldest(): Row | undefined;
}

/** Which tasks a gateway owns. */
export interface OwnedRows<Row extends TaskRow> {
  of(gateway: string): readonly Row[];
  countOf(gateway: string): number;
  /** One of them; undefined if it owns none. */
  firstOf(gateway: string): Row | undefined;
  add(row: Row, gateway: string): void;
  drop(row: Row, gateway: string): void;
}

/** All of it. */
export interface Tables<Row extends TaskRow> {
  readonly tasks: TaskRows<Row>;
  readonly lines: WaitingLines<Row>;
  readonly settled: SettledRows<Row>;
  readonly owned: OwnedRows<Row>;
  readonly fair: Table<FairLine>;
  readonly limits: LimitTable;
  /** How many unsettled tasks each client has. */
  readonly clients: Table<number>;
  readonly waiting: WaitingCounts;
  readonly gateways: Table<GatewayRow>;
  readonly locks: Table<Lock>;
  readonly schedules: Table<ScheduleRecord>;
  readonly nodes: Table<DirectoryRow>;
  readonly orders: Table<StandingOrder>;
  /** A number that this counter has not given before, higher than all it has. */
  next(counter: 'token' | 'epoch'): number;
}

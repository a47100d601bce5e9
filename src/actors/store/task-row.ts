/**
 * What the memory store keeps of one task: a row that changes in place, the snapshot of it that callers get, and the
 * entries of its history.
 */
import type { Place } from '../../machines/policies/rank.ts';
import type { AttemptRef } from '../../protocol/identifier.ts';
import { type HistoryEntry, isOutcome, type TaskStatus } from '../../protocol/task.ts';
import type { Dependencies, NewTask, TaskLimit } from './new-task.ts';
import type { TaskRecord } from './store.ts';

/** What a record says that depends on the time at which it is asked for. */
type Derived = 'dueInMs' | 'waitsFor' | 'waitsForTotal' | 'expiresInMs' | 'deadlineInMs' | 'limitKey';

type Changeable<Shape> = { -readonly [Name in keyof Shape]: Shape[Name] };

/** The record, and beside it what only the store needs. Durations are taken from its clock, in milliseconds. */
export interface TaskRow extends Changeable<Omit<TaskRecord, Derived>>, Changeable<Place> {
  readonly submittedMs: number;
  /** The time by which it ranks; spaced, once it has been in its line, if it has a fair key. */
  timeMs: number;
  isSpaced: boolean;
  /** The line of its fair key, while it is claimable. */
  fairLine: FairLine | null;
  readonly limit: TaskLimit | null;
  /** The row of its limit, until it settles. */
  limitRow: LimitRow | null;
  readonly after: Dependencies | null;
  /** What it waits for that has not settled; null if it waits for nothing. */
  dependencies: Set<TaskRow> | null;
  /** Tasks that wait for this one. */
  dependents: Set<TaskRow> | null;
  readonly ttlMs: number | null;
  readonly deadlineMs: number | null;
  /** Since when both are counted: its submit or redrive. */
  readonly countedSinceMs: number;
  /** Whether an attempt has started since then. */
  hasStarted: boolean;
  expiry: Expiry | null;
  deadline: Expiry | null;
  /** When the present attempt started; means nothing while `startedAt` is null. */
  startedMs: number;
  /** When a delayed task may be claimed. */
  dueMs: number;
  finishedMs: number;
  /** The attempt whose completion settled the task; 0 if none did. */
  settledBy: number;
  /** True once the store no longer knows the task, or knows it by another row. */
  isForgotten: boolean;
  payload: Uint8Array;
  result: Uint8Array | null;
  checkpoint: Uint8Array | null;
  readonly history: HistoryEntry[];
  /** How many entries it has had in all. */
  entries: number;
}

/** Dependencies that one record names. */
const WAITS_FOR_SHOWN = 16;
const NOTHING: readonly string[] = Object.freeze([]);

export const NO_BYTES = new Uint8Array(0);

/** Bytes of the store's own: callers pass views of frames, which are overwritten. (`slice` of a Buffer would be a view.) */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === 0 ? NO_BYTES : new Uint8Array(bytes);
}

/** A row for a task that has just been submitted and does not wait yet. */
export function newRow(task: NewTask, place: Place, nowMs: number): TaskRow {
  return {
    taskId: task.taskId,
    type: task.type,
    queue: task.queue,
    needs: Object.freeze([...task.needs]),
    priority: task.priority,
    timeoutMs: task.timeoutMs,
    attemptsMax: task.attemptsMax,
    key: task.key ?? null,
    status: 'pending',
    attempt: 0,
    attemptsStarted: 0,
    failures: 0,
    crashes: 0,
    cancelRequested: false,
    owner: null,
    origin: task.origin ?? null,
    node: null,
    lastNode: null,
    prefer: task.prefer ?? null,
    affinityKey: task.affinityKey ?? null,
    fairKey: task.fairKey ?? null,
    createdAt: task.createdAt,
    startedAt: null,
    finishedAt: null,
    queuedMs: 0,
    runMs: 0,
    error: null,
    rank: place.rank,
    seq: place.seq,
    submittedMs: nowMs,
    timeMs: nowMs + Math.max(0, task.delayMs ?? 0),
    isSpaced: false,
    fairLine: null,
    limit: task.limit === undefined ? null : { ...task.limit },
    limitRow: null,
    after: task.after === undefined ? null : afterOf(task.after),
    dependencies: null,
    dependents: null,
    ttlMs: task.ttlMs ?? null,
    deadlineMs: task.deadlineMs ?? null,
    countedSinceMs: nowMs,
    hasStarted: false,
    expiry: null,
    deadline: null,
    startedMs: 0,
    dueMs: 0,
    finishedMs: 0,
    settledBy: 0,
    isForgotten: false,
    payload: copyOf(task.payload),
    result: null,
    checkpoint: null,
    history: [],
    entries: 0,
  };
}

/**
 * A new row for a settled task that is to wait again: another object, so that what indexes still hold of the old one
 * stays dead.
 */
export function redrivenRow(old: TaskRow, rank: number, nowMs: number): TaskRow {
  return {
    ...old,
    status: 'pending',
    failures: 0,
    crashes: 0,
    cancelRequested: false,
    node: null,
    lastNode: old.node ?? old.lastNode,
    startedAt: null,
    finishedAt: null,
    queuedMs: 0,
    runMs: 0,
    error: null,
    rank,
    timeMs: nowMs,
    isSpaced: false,
    countedSinceMs: nowMs,
    hasStarted: false,
    dueMs: 0,
    settledBy: 0,
  };
}

/** The row as it is now, for callers; later changes do not reach it. */
export function recordOf(row: TaskRow, nowMs: number): TaskRecord {
  const { dependencies } = row;
  const isSettled = isOutcome(row.status);
  const isDelayed = row.status === 'delayed' && (dependencies === null || row.dueMs > nowMs);
  return {
    taskId: row.taskId,
    type: row.type,
    queue: row.queue,
    needs: row.needs,
    priority: row.priority,
    timeoutMs: row.timeoutMs,
    attemptsMax: row.attemptsMax,
    key: row.key,
    status: row.status,
    attempt: row.attempt,
    attemptsStarted: row.attemptsStarted,
    failures: row.failures,
    crashes: row.crashes,
    cancelRequested: row.cancelRequested,
    owner: row.owner,
    origin: row.origin,
    node: row.node,
    lastNode: row.lastNode,
    prefer: row.prefer,
    affinityKey: row.affinityKey,
    fairKey: row.fairKey,
    limitKey: row.limit?.key ?? null,
    dueInMs: isDelayed ? msUntil(row.dueMs, nowMs) : null,
    waitsFor: dependencies === null ? NOTHING : namesOf(dependencies),
    waitsForTotal: dependencies?.size ?? 0,
    expiresInMs: isSettled || row.hasStarted ? null : leftOf(row.ttlMs, row, nowMs),
    deadlineInMs: isSettled ? null : leftOf(row.deadlineMs, row, nowMs),
    createdAt: row.createdAt,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    queuedMs: row.queuedMs,
    runMs: row.runMs,
    error: row.error,
  };
}

/** Whole milliseconds until a span that began with the task’s budget of time has passed; null if it has none. */
export function leftOf(spanMs: number | null, row: TaskRow, nowMs: number): number | null {
  return spanMs === null ? null : msUntil(row.countedSinceMs + spanMs, nowMs);
}

function msUntil(atMs: number, nowMs: number): number {
  return Math.max(0, Math.ceil(atMs - nowMs));
}

function namesOf(rows: ReadonlySet<TaskRow>): string[] {
  const names: string[] = [];
  for (const { taskId } of rows) {
    if (names.length >= WAITS_FOR_SHOWN) break;
    names.push(taskId);
  }
  return names;
}

function afterOf({ taskIds, onFailure }: Dependencies): Dependencies {
  return { taskIds: [...new Set(taskIds)], onFailure };
}

/** Bytes that the task takes up while it waits. */
export function bytesOf(row: TaskRow): number {
  return row.payload.byteLength + (row.checkpoint?.byteLength ?? 0);
}

/** Whether the task stands in a line, for its turn or for its time. */
export function isWaiting(row: TaskRow): boolean {
  return row.status === 'pending' || row.status === 'delayed';
}

/** The fence: whether this very attempt holds the task now. One that was released does not, though its number is the last. */
export function isHeldBy(row: TaskRow | undefined, ref: AttemptRef): row is TaskRow {
  return row !== undefined && row.attempt === ref.attempt && !isWaiting(row) && !isOutcome(row.status);
}

/** The status of a task that an attempt holds. */
export function heldStatus(row: TaskRow): TaskStatus {
  if (row.cancelRequested) return 'cancelling';
  return row.startedAt === null ? 'assigned' : 'running';
}

/** A time at which a task fails if it waits then. */
export interface Expiry {
  readonly row: TaskRow;
  readonly atMs: number;
  isOver: boolean;
}

/** One fair key in one class. */
export interface FairLine {
  readonly name: string;
  /** The time by which its last task ranks. */
  lastMs: number;
  tasks: number;
}

export interface LimitRow {
  readonly key: string;
  concurrency: number | null;
  perMinute: number | null;
  claimed: number;
  /** Tasks that have not settled. */
  tasks: number;
  /** When tasks were claimed, within the window and oldest first; a queue with a moving start. */
  claims: number[];
  start: number;
  /** Classes in which tasks of it may be pending. */
  readonly queues: Set<string>;
  wake: Wake | null;
}

/** When a limit that its rate has closed opens again. */
export interface Wake {
  readonly limit: LimitRow;
  readonly atMs: number;
  isOver: boolean;
}

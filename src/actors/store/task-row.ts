/**
 * What every store keeps of one task beside its bytes and its history: a row that changes in place, and the snapshot of
 * it that callers get. It names other rows by id, so that it can be written down.
 */
import type { Place } from '../../machines/policies/rank.ts';
import type { AttemptRef } from '../../protocol/identifier.ts';
import { isOutcome, type TaskStatus } from '../../protocol/task-status.ts';
import type { Dependencies, NewTask, TaskLimit } from './new-task.ts';
import type { TaskRecord } from './store.ts';

/** What a record says that depends on the time at which it is asked for. */
type Derived = 'dueInMs' | 'waitsFor' | 'waitsForTotal' | 'expiresInMs' | 'deadlineInMs' | 'limitKey';

type Changeable<Shape> = { -readonly [Name in keyof Shape]: Shape[Name] };

/** The record, and beside it what only the store needs. Durations are taken from its clock, in milliseconds. */
export interface TaskRow extends Changeable<Omit<TaskRecord, Derived>>, Changeable<Place> {
  /** Who submitted it; null if nobody is named. */
  readonly client: string | null;
  readonly submittedMs: number;
  /** The time by which it ranks; spaced, once it has been in its line, if it has a fair key. */
  timeMs: number;
  isSpaced: boolean;
  readonly limit: TaskLimit | null;
  readonly after: Dependencies | null;
  /** What it waits for that has not settled, in the order in which it was named; null if it waits for nothing. */
  dependencies: Set<string> | null;
  /** How many tasks wait for this one. */
  dependents: number;
  readonly ttlMs: number | null;
  readonly deadlineMs: number | null;
  /** Since when both are counted: its submit or redrive. */
  readonly countedSinceMs: number;
  /** Whether an attempt has started since then. */
  hasStarted: boolean;
  /** When the present attempt started; means nothing while `startedAt` is null. */
  startedMs: number;
  /** When a delayed task may be claimed. */
  dueMs: number;
  finishedMs: number;
  /** The attempt whose completion settled the task; 0 if none did. */
  settledBy: number;
  /** What its bytes take up. The bytes themselves are kept apart. */
  payloadBytes: number;
  resultBytes: number;
  checkpointBytes: number;
  /** How many entries its history has had in all. */
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
    client: task.client ?? null,
    submittedMs: nowMs,
    timeMs: nowMs + Math.max(0, task.delayMs ?? 0),
    isSpaced: false,
    limit: task.limit === undefined ? null : { ...task.limit },
    after: task.after === undefined ? null : afterOf(task.after),
    dependencies: null,
    dependents: 0,
    ttlMs: task.ttlMs ?? null,
    deadlineMs: task.deadlineMs ?? null,
    countedSinceMs: nowMs,
    hasStarted: false,
    startedMs: 0,
    dueMs: 0,
    finishedMs: 0,
    settledBy: 0,
    payloadBytes: 0,
    resultBytes: 0,
    checkpointBytes: 0,
    entries: 0,
  };
}

/**
 * A new row for a settled task that is to wait again: another object, so that what is still held of the old one stays dead.
 * Field by field, in the order of `newRow`: a row need not have its fields itself.
 */
export function redrivenRow(old: TaskRow, rank: number, nowMs: number): TaskRow {
  return {
    taskId: old.taskId,
    type: old.type,
    queue: old.queue,
    needs: old.needs,
    priority: old.priority,
    timeoutMs: old.timeoutMs,
    attemptsMax: old.attemptsMax,
    key: old.key,
    status: 'pending',
    attempt: old.attempt,
    attemptsStarted: old.attemptsStarted,
    failures: 0,
    crashes: 0,
    cancelRequested: false,
    owner: old.owner,
    origin: old.origin,
    node: null,
    lastNode: old.node ?? old.lastNode,
    prefer: old.prefer,
    affinityKey: old.affinityKey,
    fairKey: old.fairKey,
    createdAt: old.createdAt,
    startedAt: null,
    finishedAt: null,
    queuedMs: old.queuedMs,
    runMs: old.runMs,
    error: null,
    rank,
    seq: old.seq,
    client: old.client,
    submittedMs: old.submittedMs,
    timeMs: nowMs,
    isSpaced: false,
    limit: old.limit,
    after: old.after,
    dependencies: old.dependencies,
    dependents: old.dependents,
    ttlMs: old.ttlMs,
    deadlineMs: old.deadlineMs,
    countedSinceMs: nowMs,
    hasStarted: false,
    startedMs: old.startedMs,
    dueMs: 0,
    finishedMs: old.finishedMs,
    settledBy: 0,
    payloadBytes: old.payloadBytes,
    resultBytes: old.resultBytes,
    checkpointBytes: old.checkpointBytes,
    entries: old.entries,
  };
}

/** The row as it is now, for callers; later changes do not reach it. */
export function recordOf(row: TaskRow, nowMs: number): TaskRecord {
  const { dependencies } = row;
  const isSettled = isOutcome(row.status);
  const isDelayed = row.status === 'delayed' && (dependencies === null || row.dueMs > nowMs);
  const isHeld = !isSettled && !isWaiting(row);
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
    queuedMs: isHeld && row.startedAt === null ? Math.round(nowMs - row.submittedMs) : row.queuedMs,
    runMs: isHeld && row.startedAt !== null ? Math.round(nowMs - row.startedMs) : row.runMs,
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

function namesOf(taskIds: ReadonlySet<string>): string[] {
  const names: string[] = [];
  for (const taskId of taskIds) {
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
  return row.payloadBytes + row.checkpointBytes;
}

/** Whether the task stands in a line, for its turn or for its time. */
export function isWaiting(row: Pick<TaskRow, 'status'>): boolean {
  return row.status === 'pending' || row.status === 'delayed';
}

/** The fence: whether this very attempt holds the task now. One that was released does not, though its number is the last. */
export function isHeldBy<Row extends TaskRow>(row: Row | undefined, ref: AttemptRef): row is Row {
  return row !== undefined && row.attempt === ref.attempt && !isWaiting(row) && !isOutcome(row.status);
}

/** The status of a task that an attempt holds. */
export function heldStatus(row: TaskRow): TaskStatus {
  if (row.cancelRequested) return 'cancelling';
  return row.startedAt === null ? 'assigned' : 'running';
}

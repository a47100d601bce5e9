/**
 * What the memory store keeps of one task: a row that changes in place, the snapshot of it that callers get, and the
 * entries of its history.
 */
import type { Place } from '../../machines/policies/rank.ts';
import type { AttemptRef } from '../../protocol/identifier.ts';
import { type HistoryEntry, isOutcome, type TaskStatus } from '../../protocol/task.ts';
import type { NewTask, TaskRecord } from './store.ts';

type Changeable<Shape> = { -readonly [Name in keyof Shape]: Shape[Name] };

/** The record, and beside it what only the store needs. Durations are taken from its clock, in milliseconds. */
export interface TaskRow extends Changeable<TaskRecord>, Place {
  readonly submittedMs: number;
  /** When the present attempt started; means nothing while `startedAt` is null. */
  startedMs: number;
  /** When a delayed task may be claimed. */
  dueMs: number;
  finishedMs: number;
  /** The attempt whose completion settled the task; 0 if none did. */
  settledBy: number;
  /** True once the store no longer knows the task. */
  isForgotten: boolean;
  payload: Uint8Array;
  result: Uint8Array | null;
  checkpoint: Uint8Array | null;
  readonly history: HistoryEntry[];
}

export const NO_BYTES = new Uint8Array(0);

/** Bytes of the store's own: callers pass views of frames, which are overwritten. (`slice` of a Buffer would be a view.) */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === 0 ? NO_BYTES : new Uint8Array(bytes);
}

/** A row for a task that has just been submitted and does not wait yet. */
export function newRow(task: NewTask, place: Place, submittedMs: number): TaskRow {
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
    node: null,
    createdAt: task.createdAt,
    startedAt: null,
    finishedAt: null,
    queuedMs: 0,
    runMs: 0,
    error: null,
    rank: place.rank,
    seq: place.seq,
    submittedMs,
    startedMs: 0,
    dueMs: 0,
    finishedMs: 0,
    settledBy: 0,
    isForgotten: false,
    payload: copyOf(task.payload),
    result: null,
    checkpoint: null,
    history: [],
  };
}

/** The row as it is now, for callers; later changes do not reach it. */
export function recordOf(row: TaskRow): TaskRecord {
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
    node: row.node,
    createdAt: row.createdAt,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    queuedMs: row.queuedMs,
    runMs: row.runMs,
    error: row.error,
  };
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

/**
 * The row of a task as it is written down: an array, which is half as long as a map with names and read twice as fast.
 * The fields stand in the order in which `newRow` makes them: when they change, so must SCHEMA (layout.ts).
 *
 * Its history is part of it, and so are small payloads, results and checkpoints: one write instead of three.
 */
import { TASK_STATUSES, type TaskStatus } from '../../../protocol/task-status.ts';
import type { BodyKind } from '../tables.ts';
import { newRow, type TaskRow } from '../task-row.ts';
import { noTelling, type Telling } from './row-history.ts';

/** A row of this store. */
export interface LmdbRow extends TaskRow, Telling, Record<BodyKind, Uint8Array | null> {
  /** Its place in the order in which tasks settled; 0 before. */
  settledSeq: number;
}

/** Bytes of a task that are kept in its row; longer ones are kept apart, so that they are not written with every change of it. */
export const BODY_BYTES_IN_ROW_MAX = 512;

/** The field that has the size of each. */
export const BYTES_OF = { payload: 'payloadBytes', result: 'resultBytes', checkpoint: 'checkpointBytes' } as const;

export const BODY_KINDS: readonly BodyKind[] = ['payload', 'result', 'checkpoint'];

/**
 * Field by field, as the names in a loop would take thirty times as long. HEAD_FIELDS says the same, for a test to compare.
 * The id is the key of the row and not repeated; a gateway’s id, which is long, is written once.
 */
export function encodeHead(row: LmdbRow): unknown[] {
  return [
    null,
    row.type,
    row.queue,
    row.needs,
    row.priority,
    row.timeoutMs,
    row.attemptsMax,
    row.key,
    TASK_STATUSES.indexOf(row.status),
    row.attempt,
    row.attemptsStarted,
    row.failures,
    row.crashes,
    row.cancelRequested,
    toldName(row.owner, row),
    toldName(row.origin, row),
    row.node,
    row.lastNode,
    row.prefer,
    row.affinityKey,
    row.fairKey,
    row.createdAt,
    row.startedAt,
    row.finishedAt,
    row.queuedMs,
    row.runMs,
    row.error,
    row.rank,
    row.seq,
    row.client,
    row.submittedMs,
    row.timeMs,
    row.isSpaced,
    row.limit,
    row.after,
    arrayOf(row.dependencies),
    row.dependents,
    row.ttlMs,
    row.deadlineMs,
    row.countedSinceMs,
    row.hasStarted,
    row.startedMs,
    row.dueMs,
    row.finishedMs,
    row.settledBy,
    row.payloadBytes,
    row.resultBytes,
    row.checkpointBytes,
    row.entries,
    row.firstEntry,
    row.told,
    row.toldBy,
    row.settledSeq,
    row.payload,
    row.result,
    row.checkpoint,
  ];
}

// biome-ignore lint/suspicious/noExplicitAny: what was written is what encodeHead was given.
export function decodeHead(taskId: string, values: readonly any[]): LmdbRow {
  const [
    ,
    type,
    queue,
    needs,
    priority,
    timeoutMs,
    attemptsMax,
    key,
    status,
    attempt,
    attemptsStarted,
    failures,
    crashes,
    cancelRequested,
    owner,
    origin,
    node,
    lastNode,
    prefer,
    affinityKey,
    fairKey,
    createdAt,
    startedAt,
    finishedAt,
    queuedMs,
    runMs,
    error,
    rank,
    seq,
    client,
    submittedMs,
    timeMs,
    isSpaced,
    limit,
    after,
    dependencies,
    dependents,
    ttlMs,
    deadlineMs,
    countedSinceMs,
    hasStarted,
    startedMs,
    dueMs,
    finishedMs,
    settledBy,
    payloadBytes,
    resultBytes,
    checkpointBytes,
    entries,
    firstEntry,
    told,
    toldBy,
    settledSeq,
    payload,
    result,
    checkpoint,
  ] = values;
  return {
    taskId,
    type,
    queue,
    needs,
    priority,
    timeoutMs,
    attemptsMax,
    key,
    status: TASK_STATUSES[status] as TaskStatus,
    attempt,
    attemptsStarted,
    failures,
    crashes,
    cancelRequested,
    owner: owner === true ? toldBy : owner,
    origin: origin === true ? toldBy : origin,
    node,
    lastNode,
    prefer,
    affinityKey,
    fairKey,
    createdAt,
    startedAt,
    finishedAt,
    queuedMs,
    runMs,
    error,
    rank,
    seq,
    client,
    submittedMs,
    timeMs,
    isSpaced,
    limit,
    after,
    dependencies: dependencies === null ? null : new Set(dependencies),
    dependents,
    ttlMs,
    deadlineMs,
    countedSinceMs,
    hasStarted,
    startedMs,
    dueMs,
    finishedMs,
    settledBy,
    payloadBytes,
    resultBytes,
    checkpointBytes,
    entries,
    firstEntry,
    told,
    toldBy,
    settledSeq,
    payload,
    result,
    checkpoint,
  };
}

/** The names of the fields, in the order in which they are written. */
export const HEAD_FIELDS: readonly string[] = Object.freeze(Object.keys(emptyRow()));

/** `true` for the gateway that the history names. */
function toldName(gateway: string | null, { toldBy }: LmdbRow): string | true | null {
  return gateway !== null && gateway === toldBy ? true : gateway;
}

/** The row itself, with what this store adds. */
export function lmdbRow(row: TaskRow, old?: LmdbRow): LmdbRow {
  const own = row as LmdbRow;
  const { firstEntry, told, toldBy } = old ?? noTelling();
  own.firstEntry = firstEntry;
  own.told = told;
  own.toldBy = toldBy;
  own.settledSeq = 0;
  own.payload = old?.payload ?? null;
  own.result = old?.result ?? null;
  own.checkpoint = old?.checkpoint ?? null;
  return own;
}

/** Whether these bytes of a row are kept apart from it. */
export function isApart(row: LmdbRow, kind: BodyKind): boolean {
  return row[BYTES_OF[kind]] > BODY_BYTES_IN_ROW_MAX;
}

function emptyRow(): LmdbRow {
  const task = { taskId: '', type: '', queue: '', needs: [], priority: 5, timeoutMs: 0, attemptsMax: 0, createdAt: 0 };
  return lmdbRow(newRow({ ...task, payload: new Uint8Array(0) }, { rank: 0, seq: 0 }, 0));
}

function arrayOf(taskIds: ReadonlySet<string> | null): string[] | null {
  return taskIds === null ? null : [...taskIds];
}

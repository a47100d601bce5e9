/**
 * Brings a store that was written in the layout of schema 1 into the present one: all of it in one transaction, once, when
 * a gateway opens it. There each entry of a history was a value of its own, bytes were never in a row, and the indexes
 * held the status of every task.
 */
import type { Database, Key } from 'lmdb';
import { PincerError } from '../../../protocol/failure.ts';
import type { HistoryEntry } from '../../../protocol/task.ts';
import { isOutcome, TASK_STATUSES } from '../../../protocol/task-status.ts';
import { BODY_BYTES_IN_ROW_MAX, BODY_KINDS, encodeHead, type LmdbRow } from './head.ts';
import type { Databases } from './layout.ts';
import { areAlive } from './peers.ts';
import { appendEntry, noTelling } from './row-history.ts';
import { nameOfNode, nameOfType, type Tally } from './tallies.ts';
import { indexKeysOf, LAST, queueKey, statusKey } from './task-indexes.ts';
import { readTotals, writeTotals } from './totals.ts';

/** Rows that are looked up together. */
const PAGE = 1_000;
const CHUNK_MAX = 256;

/** The fields of a row in their order, as they were then. */
const FIELDS = [
  ...['taskId', 'type', 'queue', 'needs', 'priority', 'timeoutMs', 'attemptsMax', 'key', 'status', 'attempt'],
  ...['attemptsStarted', 'failures', 'crashes', 'cancelRequested', 'owner', 'origin', 'node', 'lastNode', 'prefer'],
  ...['affinityKey', 'fairKey', 'createdAt', 'startedAt', 'finishedAt', 'queuedMs', 'runMs', 'error', 'rank', 'seq'],
  ...['submittedMs', 'timeMs', 'isSpaced', 'limit', 'after', 'dependencies', 'dependents', 'ttlMs', 'deadlineMs'],
  ...['countedSinceMs', 'hasStarted', 'startedMs', 'dueMs', 'finishedMs', 'settledBy', 'payloadBytes', 'resultBytes'],
  ...['checkpointBytes', 'entries', 'firstEntry', 'settledSeq', 'hasCheckpoint'],
];

/** What is gathered on the way through the rows. */
interface Gathered {
  readonly tallies: Map<string, Tally>;
  readonly settled: Map<number, string>;
}

/** @throws PincerError `STORE_UNAVAILABLE` if a gateway of the version that wrote it has it open: it would go on writing as then. */
export async function migrateSchema1(dbs: Databases, dir: string, schema: number): Promise<void> {
  if (await areAlive(dbs.small.peer)) {
    const message =
      `the store in ${dir} has schema 1, and a gateway of the version of Pincer that wrote it has it open: ` +
      `stop that first, then this version brings the store to schema ${schema}`;
    throw new PincerError('STORE_UNAVAILABLE', message);
  }
  const events = dbs.root.openDB<HistoryEntry, Key>('event', { encoding: 'msgpack', useRecords: false } as object);
  dbs.root.transactionSync(() => {
    const format = dbs.meta.get('format') as { readonly schema: number };
    // Another process may have been faster.
    if (format.schema !== 1) return;
    const gathered: Gathered = { tallies: new Map(), settled: new Map() };
    dbs.index.clearSync();
    for (const row of rowsOf(dbs, events)) rewrite(dbs, row, gathered);
    events.clearSync();
    for (const [name, tally] of gathered.tallies) dbs.small.tally.putSync(queueKey(name), tally);
    const totals = readTotals(dbs.meta);
    const settledFrom = writeLog(dbs.settled, gathered.settled) ?? totals.settledSeq + 1;
    writeTotals(dbs.meta, { ...totals, settledFrom, stamp: '' });
    dbs.meta.putSync('format', { ...format, schema });
  });
}

/** Each row as it is to be written. */
function* rowsOf({ task, blob }: Databases, events: Database<HistoryEntry, Key>): Generator<LmdbRow, void> {
  for (let start: string | undefined; ; ) {
    const range = { limit: PAGE + 1, ...(start === undefined ? {} : { start }) };
    const page = Array.from(task.getKeys(range));
    for (const taskId of page.slice(0, PAGE)) {
      const { hasCheckpoint, ...fields } = fieldsOf(task.get(taskId) ?? []);
      const row = { ...fields, ...noTelling(), client: null, payload: null, result: null, checkpoint: null } as LmdbRow;
      for (const { value } of events.getRange({ start: [taskId, 0], end: [taskId, LAST] })) {
        appendEntry(row, value, Number.POSITIVE_INFINITY);
      }
      row.firstEntry = fields['firstEntry'] as number;
      for (const kind of BODY_KINDS) {
        const bytes = kind === 'checkpoint' && hasCheckpoint !== true ? undefined : blob.get([taskId, kind]);
        if (bytes !== undefined && bytes.byteLength <= BODY_BYTES_IN_ROW_MAX) row[kind] = Uint8Array.from(bytes);
      }
      yield row;
    }
    if (page.length <= PAGE) return;
    start = page[PAGE];
  }
}

function fieldsOf(values: readonly unknown[]): Record<string, unknown> {
  const fields = Object.fromEntries(FIELDS.map((name, at) => [name, values[at]]));
  const dependencies = fields['dependencies'] as string[] | null;
  return { ...fields, dependencies: dependencies === null ? null : new Set(dependencies) };
}

function rewrite({ task, blob, index }: Databases, row: LmdbRow, { tallies, settled }: Gathered): void {
  const { taskId, type, node, status } = row;
  task.putSync(taskId, encodeHead(row));
  for (const key of indexKeysOf(row)) if (key !== null) index.putSync(key as never, taskId);
  for (const kind of BODY_KINDS) if (row[kind] !== null) blob.removeSync([taskId, kind]);
  if (isOutcome(status)) settled.set(row.settledSeq, taskId);
  for (const name of node === null ? [nameOfType(type)] : [nameOfType(type), nameOfNode(node)]) {
    const tally = tallies.get(name) ?? TASK_STATUSES.map(() => 0);
    tally[statusKey(status)] = (tally[statusKey(status)] ?? 0) + 1;
    tallies.set(name, tally);
  }
}

/** Writes who settled after whom. Returns the first place that is taken, or null. */
function writeLog(log: Databases['settled'], settled: ReadonlyMap<number, string>): number | null {
  const places = [...settled.keys()].sort((a, b) => a - b);
  let chunk: string[] = [];
  let first = 0;
  for (const place of places) {
    if (chunk.length > 0 && place - first >= CHUNK_MAX) {
      log.putSync(first, chunk);
      chunk = [];
    }
    if (chunk.length === 0) first = place;
    // Between those that are kept there may be some that were redriven or are forgotten.
    while (chunk.length < place - first) chunk.push('');
    chunk.push(settled.get(place) ?? '');
  }
  if (chunk.length > 0) log.putSync(first, chunk);
  return places[0] ?? null;
}

/**
 * The row of a task as it is written down: an array, which is half as long as a map with names and read twice as fast.
 * The fields stand in the order in which `newRow` makes them: when they change, so must SCHEMA (databases.ts).
 */
import { newRow, type TaskRow } from '../task-row.ts';

/** A row of this store. */
export interface LmdbRow extends TaskRow {
  /** The entries of its history that are kept: the first ever, and those from this one on. */
  firstEntry: number;
  /** Its place in the order in which tasks settled; 0 before. */
  settledSeq: number;
  hasCheckpoint: boolean;
}

/** What every decoded row begins as: a copy has all its fields, where one that grew field by field would be a dictionary to V8. */
const EMPTY = emptyRow();

/** The names of the fields, in the order in which they are written. */
export const HEAD_FIELDS: readonly string[] = Object.freeze(Object.keys(EMPTY));

export function encodeHead(row: LmdbRow): unknown[] {
  const fields = row as unknown as Readonly<Record<string, unknown>>;
  const values: unknown[] = [];
  for (const name of HEAD_FIELDS) values.push(name === 'dependencies' ? arrayOf(row.dependencies) : fields[name]);
  return values;
}

export function decodeHead(values: readonly unknown[]): LmdbRow {
  const row = { ...EMPTY };
  const fields = row as unknown as Record<string, unknown>;
  let at = 0;
  for (const name of HEAD_FIELDS) {
    fields[name] = values[at];
    at += 1;
  }
  if (row.dependencies !== null) row.dependencies = new Set(row.dependencies);
  return row;
}

/** The row itself, with what this store adds. */
export function lmdbRow(row: TaskRow, old?: LmdbRow): LmdbRow {
  const own = row as LmdbRow;
  own.firstEntry = old?.firstEntry ?? 1;
  own.settledSeq = 0;
  own.hasCheckpoint = old?.hasCheckpoint ?? false;
  return own;
}

function emptyRow(): LmdbRow {
  const task = { taskId: '', type: '', queue: '', needs: [], priority: 5, timeoutMs: 0, attemptsMax: 0, createdAt: 0 };
  return lmdbRow(newRow({ ...task, payload: new Uint8Array(0) }, { rank: 0, seq: 0 }, 0));
}

function arrayOf(taskIds: ReadonlySet<string> | null): string[] | null {
  return taskIds === null ? null : [...taskIds];
}

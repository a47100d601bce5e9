/**
 * The tasks of an LMDB store within one transaction. A row is read once, changed in place, and written when the
 * transaction ends; the indexes follow it then, or when one of them is asked for.
 */
import type { HistoryEntry, TaskStatus } from '../../../protocol/task.ts';
import { isOutcome } from '../../../protocol/task-status.ts';
import { TransitMap } from '../../transit-map.ts';
import type { ListFilter, TaskPage } from '../store.ts';
import type { BodyKind, TaskRows } from '../tables.ts';
import type { TaskRow } from '../task-row.ts';
import type { Databases } from './databases.ts';
import {
  BODY_BYTES_IN_ROW_MAX,
  BODY_KINDS,
  BYTES_OF,
  decodeHead,
  encodeHead,
  isApart,
  type LmdbRow,
  lmdbRow,
} from './head.ts';
import { type Entry, KeptRows } from './kept-rows.ts';
import type { Standing } from './line-fronts.ts';
import { appendEntry, entriesOf } from './row-history.ts';
import { nameOfNode, nameOfType, type Tallies } from './tallies.ts';
import { INDEXES, type IndexKey, indexKeysOf, isSameKey, LAST, queueKey } from './task-indexes.ts';
import { pageOf } from './task-page.ts';
import type { Totals } from './totals.ts';

export class LmdbTasks implements TaskRows<LmdbRow> {
  readonly #dbs: Databases;
  readonly #totals: () => Totals;
  readonly #tallies: Tallies;
  readonly #entries = new TransitMap<string, Entry>();
  readonly #kept = new KeptRows();
  #unwritten = new Set<Entry>();
  #unindexed = new Set<Entry>();
  /** Whoever settles a task goes on with its row, which may make room for others before that: nothing of it is written. */
  readonly #forgotten = new WeakSet<LmdbRow>();

  constructor(dbs: Databases, totals: () => Totals, tallies: Tallies) {
    this.#dbs = dbs;
    this.#totals = totals;
    this.#tallies = tallies;
  }

  get counts(): Readonly<Record<TaskStatus, number>> {
    return this.#totals().counts;
  }

  get(taskId: string): LmdbRow | undefined {
    const known = this.#entries.get(taskId);
    if (known !== undefined) return known.row;
    const kept = this.#kept.get(taskId);
    if (kept !== undefined) {
      this.#entries.set(taskId, kept);
      return kept.row;
    }
    const row = this.#read(taskId);
    if (row === undefined) return undefined;
    const { status, node } = row;
    this.#entries.set(taskId, {
      ...{ row, keys: indexKeysOf(row), counted: { status, node }, isWritten: true, isIndexed: true },
    });
    return row;
  }

  byKey(key: string): LmdbRow | undefined {
    const taskId = this.#dbs.key.get(key);
    return taskId === undefined ? undefined : this.get(taskId);
  }

  nextSeq(): number {
    this.#totals().seq += 1;
    return this.#totals().seq;
  }

  add(row: TaskRow): LmdbRow {
    const own = lmdbRow(row);
    const entry: Entry = { row: own, keys: [], counted: null, isWritten: true, isIndexed: true };
    this.#entries.set(own.taskId, entry);
    this.#change(entry);
    if (own.key !== null) this.#dbs.key.putSync(own.key, own.taskId);
    this.#totals().counts[own.status] += 1;
    return own;
  }

  replace(old: LmdbRow, row: TaskRow): LmdbRow {
    const own = lmdbRow(row, old);
    const entry = this.#entryOf(old);
    entry.row = own;
    this.#change(entry);
    this.#totals().counts[old.status] -= 1;
    this.#totals().counts[own.status] += 1;
    return own;
  }

  forget(row: LmdbRow): void {
    const { index, task, key, blob } = this.#dbs;
    const entry = this.#entryOf(row);
    for (const each of entry.keys) if (each !== null) index.removeSync(each as never);
    this.#count(entry, -1);
    this.#entries.delete(row.taskId);
    this.#kept.delete(row.taskId);
    this.#forgotten.add(row);
    this.#unwritten.delete(entry);
    this.#unindexed.delete(entry);
    task.removeSync(row.taskId);
    if (row.key !== null) key.removeSync(row.key);
    for (const kind of BODY_KINDS) if (isApart(row, kind)) blob.removeSync([row.taskId, kind]);
    this.#totals().counts[row.status] -= 1;
  }

  moved(row: LmdbRow, before: TaskStatus): void {
    this.touch(row);
    this.#totals().counts[before] -= 1;
    this.#totals().counts[row.status] += 1;
  }

  body(row: LmdbRow, kind: BodyKind): Uint8Array | null {
    return isApart(row, kind) ? (this.#dbs.blob.get([row.taskId, kind]) ?? null) : row[kind];
  }

  setBody(row: LmdbRow, kind: BodyKind, bytes: Uint8Array | null): void {
    if (bytes === null && row[kind] === null && !isApart(row, kind)) return;
    this.touch(row);
    const key = [row.taskId, kind];
    const byteLength = bytes?.byteLength ?? 0;
    const isLong = byteLength > BODY_BYTES_IN_ROW_MAX;
    if (bytes !== null && isLong) this.#dbs.blob.putSync(key, bytes);
    else if (isApart(row, kind)) this.#dbs.blob.removeSync(key);
    row[kind] = isLong ? null : bytes;
    row[BYTES_OF[kind]] = byteLength;
  }

  history(row: LmdbRow): readonly HistoryEntry[] {
    return entriesOf(row);
  }

  tell(row: LmdbRow, entry: HistoryEntry, entriesMax: number): void {
    this.touch(row);
    appendEntry(row, entry, entriesMax);
  }

  link(row: LmdbRow, dependent: LmdbRow): void {
    this.touch(row);
    this.touch(dependent);
    this.#dbs.dependent.putSync([row.taskId, dependent.seq], dependent.taskId);
    row.dependents += 1;
  }

  unlink(row: LmdbRow, dependent: LmdbRow): void {
    this.touch(row);
    this.touch(dependent);
    this.#dbs.dependent.removeSync([row.taskId, dependent.seq]);
    row.dependents -= 1;
  }

  takeDependents(row: LmdbRow): readonly LmdbRow[] {
    this.touch(row);
    row.dependents = 0;
    const links = Array.from(this.#dbs.dependent.getRange({ start: [row.taskId, 0], end: [row.taskId, LAST] }));
    for (const { key } of links) this.#dbs.dependent.removeSync(key);
    return links.map(({ value }) => this.get(value)).filter((each) => each !== undefined);
  }

  page(filter: ListFilter, limit: number, nowMs: number): TaskPage {
    this.flush();
    const { counts } = this;
    // A list may look at every task there is: what it has looked at is not kept.
    const rowOf = (taskId: string): LmdbRow | undefined => this.#entries.get(taskId)?.row ?? this.#read(taskId);
    return pageOf({ index: this.#dbs.index, tallies: this.#tallies, counts, rowOf }, filter, { limit, nowMs });
  }

  /** The first tasks of a range of the index, at most `limit`. */
  range(start: IndexKey, end: IndexKey, limit: number): string[] {
    this.flush();
    const range = { start: start as never, end: end as never, limit };
    return Array.from(this.#dbs.index.getRange(range), ({ value }) => value);
  }

  /** The first task of an index by time, and its time. */
  first(index: string): { readonly taskId: string; readonly atMs: number } | undefined {
    this.flush();
    const [first] = this.#dbs.index.getRange({ start: [index, -LAST], end: [index, LAST], limit: 1 });
    if (first === undefined) return undefined;
    const [, atMs] = first.key as [string, number];
    return { taskId: first.value, atMs };
  }

  /** The first of a line, at most `limit`. */
  line(queue: string, limit: number): Standing[] {
    this.flush();
    const key = queueKey(queue);
    const range = { start: [INDEXES.ready, key, -LAST], end: [INDEXES.ready, key, LAST], limit };
    return Array.from(this.#dbs.index.getRange(range), ({ key: place, value }) => {
      const [, , rank, seq] = place as [string, string, number, number];
      return { rank, seq, taskId: value };
    });
  }

  count(start: IndexKey, end: IndexKey): number {
    this.flush();
    return this.#dbs.index.getKeysCount({ start: start as never, end: end as never });
  }

  /** Says that a row has been changed, or is about to be in this call. */
  touch(row: LmdbRow): void {
    if (this.#forgotten.has(row)) return;
    this.#change(this.#entryOf(row));
  }

  /** Brings the indexes up to date. */
  flush(): void {
    const { index } = this.#dbs;
    for (const entry of this.#unindexed) {
      const { row } = entry;
      const keys = indexKeysOf(row);
      for (let at = 0; at < keys.length; at += 1) {
        const key = keys[at] ?? null;
        const before = entry.keys[at] ?? null;
        if (isSameKey(before, key)) continue;
        if (before !== null) index.removeSync(before as never);
        if (key !== null) index.putSync(key as never, row.taskId);
      }
      entry.keys = keys;
      entry.isIndexed = true;
      this.#recount(entry);
    }
    if (this.#unindexed.size > 0) this.#unindexed = new Set();
  }

  /** Writes what has changed. */
  write(): void {
    this.flush();
    for (const entry of this.#unwritten) {
      const { row } = entry;
      if (isOutcome(row.status) && row.settledSeq === 0) throw new Error(`${row.taskId} has settled without a place`);
      this.#dbs.task.putSync(row.taskId, encodeHead(row));
      entry.isWritten = true;
    }
    if (this.#unwritten.size > 0) this.#unwritten = new Set();
  }

  /** The transaction is over; what is likely to be asked for in the next one is kept for it. */
  end(): void {
    const areFew = this.#totals().waitingTasks;
    for (const entry of this.#entries.values()) this.#kept.keep(entry, areFew);
    this.#entries.clear();
  }

  /** Forgets what it knows: another process may change it from now on. */
  reset(): void {
    this.#kept.clear();
    this.#entries.clear();
    this.#unwritten = new Set();
    this.#unindexed = new Set();
  }

  #read(taskId: string): LmdbRow | undefined {
    const values = this.#dbs.task.get(taskId);
    return values === undefined ? undefined : decodeHead(taskId, values);
  }

  #entryOf(row: LmdbRow): Entry {
    const entry = this.#entries.get(row.taskId);
    if (entry === undefined) throw new Error(`the row of ${row.taskId} is of another transaction`);
    return entry;
  }

  #change(entry: Entry): void {
    if (entry.isWritten) {
      entry.isWritten = false;
      this.#unwritten.add(entry);
    }
    if (entry.isIndexed) {
      entry.isIndexed = false;
      this.#unindexed.add(entry);
    }
  }

  #recount(entry: Entry): void {
    const { status, node } = entry.row;
    if (entry.counted?.status === status && entry.counted.node === node) return;
    this.#count(entry, -1);
    entry.counted = { status, node };
    this.#count(entry, 1);
  }

  #count({ row, counted }: Entry, by: number): void {
    if (counted === null) return;
    this.#tallies.add(nameOfType(row.type), counted.status, by);
    if (counted.node !== null) this.#tallies.add(nameOfNode(counted.node), counted.status, by);
  }
}

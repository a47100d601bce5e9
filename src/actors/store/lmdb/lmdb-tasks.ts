/**
 * The tasks of an LMDB store within one transaction. A row is read once, changed in place, and written when an index is
 * asked for or the transaction ends, together with what that means for its indexes.
 */
import { type HistoryEntry, isOutcome, TASK_STATUSES, type TaskStatus } from '../../../protocol/task.ts';
import type { ListFilter, TaskPage } from '../store.ts';
import type { BodyKind, TaskRows } from '../tables.ts';
import { recordOf, type TaskRow } from '../task-row.ts';
import type { Databases } from './databases.ts';
import { decodeHead, encodeHead, type LmdbRow, lmdbRow } from './head.ts';
import { INDEXES, type IndexKey, indexKeysOf, isSameKey, LAST, statusKey } from './task-indexes.ts';
import type { Totals } from './totals.ts';

/** A row in this transaction, and where it stands in the indexes as they are now. */
interface Entry {
  row: LmdbRow;
  keys: readonly (IndexKey | null)[];
  isChanged: boolean;
}

export class LmdbTasks implements TaskRows<LmdbRow> {
  readonly #dbs: Databases;
  readonly #totals: () => Totals;
  readonly #entries = new Map<string, Entry>();
  readonly #changed = new Set<Entry>();

  constructor(dbs: Databases, totals: () => Totals) {
    this.#dbs = dbs;
    this.#totals = totals;
  }

  get counts(): Readonly<Record<TaskStatus, number>> {
    return this.#totals().counts;
  }

  get(taskId: string): LmdbRow | undefined {
    const known = this.#entries.get(taskId);
    if (known !== undefined) return known.row;
    const values = this.#dbs.task.get(taskId);
    if (values === undefined) return undefined;
    const row = decodeHead(values);
    this.#entries.set(taskId, { row, keys: indexKeysOf(row), isChanged: false });
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
    const entry = { row: own, keys: indexKeysOf(own).map(() => null), isChanged: false };
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
    const { index, task, key, blob, event } = this.#dbs;
    const entry = this.#entryOf(row);
    for (const each of entry.keys) if (each !== null) index.removeSync(each as never);
    this.#entries.delete(row.taskId);
    this.#changed.delete(entry);
    task.removeSync(row.taskId);
    if (row.key !== null) key.removeSync(row.key);
    // Settling has taken away the payload of a completed task and every checkpoint; no other task has a result.
    blob.removeSync([row.taskId, row.status === 'completed' ? 'result' : 'payload']);
    for (const each of this.#eventKeys(row)) event.removeSync(each as never);
    this.#totals().counts[row.status] -= 1;
  }

  moved(row: LmdbRow, before: TaskStatus): void {
    this.touch(row);
    this.#totals().counts[before] -= 1;
    this.#totals().counts[row.status] += 1;
  }

  body(row: LmdbRow, kind: BodyKind): Uint8Array | null {
    if (kind === 'checkpoint' && !row.hasCheckpoint) return null;
    return this.#dbs.blob.get([row.taskId, kind]) ?? null;
  }

  setBody(row: LmdbRow, kind: BodyKind, bytes: Uint8Array | null): void {
    if (kind === 'checkpoint' && bytes === null && !row.hasCheckpoint) return;
    this.touch(row);
    if (bytes !== null) this.#dbs.blob.putSync([row.taskId, kind], bytes);
    else this.#dbs.blob.removeSync([row.taskId, kind]);
    row[`${kind}Bytes`] = bytes?.byteLength ?? 0;
    if (kind === 'checkpoint') row.hasCheckpoint = bytes !== null;
  }

  history(row: LmdbRow): readonly HistoryEntry[] {
    return this.#eventKeys(row).map((key) => this.#dbs.event.get(key as never) as HistoryEntry);
  }

  tell(row: LmdbRow, entry: HistoryEntry, entriesMax: number): void {
    this.touch(row);
    // `entries` counts this one already.
    const n = row.entries - 1;
    if (n - row.firstEntry + 1 >= entriesMax) {
      this.#dbs.event.removeSync([row.taskId, row.firstEntry]);
      row.firstEntry += 1;
    }
    this.#dbs.event.putSync([row.taskId, n], entry);
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
    const { type, node } = filter;
    const statuses = filter.status ?? TASK_STATUSES;
    const before = filter.cursor === undefined ? LAST : Number(filter.cursor);
    const prefix = prefixOf(filter);
    const isIndexed = type === undefined || node === undefined;
    const matches = (row: LmdbRow): boolean => isIndexed || row.type === type;
    // One more than fits is looked for, to know whether there is a next page.
    const found = [...new Set(statuses)]
      .flatMap((status) => this.#newest([...prefix, statusKey(status)], before, isIndexed ? limit + 1 : LAST))
      .sort((a, b) => b.seq - a.seq)
      .filter(({ taskId }) => isIndexed || matches(this.get(taskId) as LmdbRow));
    const items = found.slice(0, limit);
    const page = {
      items: items.map(({ taskId }) => recordOf(this.get(taskId) as LmdbRow, nowMs)),
      total: isIndexed ? this.#total(prefix, [...new Set(statuses)]) : this.#totalOf(prefix, statuses, matches),
    };
    const last = items.at(-1);
    return found.length > limit && last !== undefined ? { ...page, cursor: String(last.seq) } : page;
  }

  /** The first tasks of a range of the index, at most `limit`. */
  range(start: IndexKey, end: IndexKey, limit: number): string[] {
    this.flush();
    return Array.from(this.#entriesOf(start, end, limit), ({ value }) => value);
  }

  /** The same with their keys, as the index was last written: what has been changed since is not in it. */
  written(start: IndexKey, end: IndexKey, limit: number): { readonly key: IndexKey; readonly taskId: string }[] {
    return Array.from(this.#entriesOf(start, end, limit), ({ key, value }) => ({
      key: key as unknown as IndexKey,
      taskId: value,
    }));
  }

  count(start: IndexKey, end: IndexKey): number {
    this.flush();
    return this.#dbs.index.getKeysCount({ start: start as never, end: end as never });
  }

  /** Says that a row has been changed, or is about to be in this call. */
  touch(row: LmdbRow): void {
    this.#change(this.#entryOf(row));
  }

  /** Writes what has changed, so that the indexes tell of it. */
  flush(): void {
    const { index, task } = this.#dbs;
    for (const entry of this.#changed) {
      const { row } = entry;
      if (isOutcome(row.status) && row.settledSeq === 0) throw new Error(`${row.taskId} has settled without a place`);
      const keys = indexKeysOf(row);
      for (const [at, key] of keys.entries()) {
        const before = entry.keys[at] ?? null;
        if (isSameKey(before, key)) continue;
        if (before !== null) index.removeSync(before as never);
        if (key !== null) index.putSync(key as never, row.taskId);
      }
      task.putSync(row.taskId, encodeHead(row));
      entry.keys = keys;
      entry.isChanged = false;
    }
    this.#changed.clear();
  }

  /** Forgets what it knows: another process may change it from now on. */
  reset(): void {
    this.#entries.clear();
    this.#changed.clear();
  }

  #entriesOf(start: IndexKey, end: IndexKey, limit: number) {
    return this.#dbs.index.getRange({ start: start as never, end: end as never, limit });
  }

  #entryOf(row: LmdbRow): Entry {
    const entry = this.#entries.get(row.taskId);
    if (entry === undefined) throw new Error(`the row of ${row.taskId} is of another transaction`);
    return entry;
  }

  #change(entry: Entry): void {
    if (entry.isChanged) return;
    entry.isChanged = true;
    this.#changed.add(entry);
  }

  #eventKeys({ taskId, entries, firstEntry }: LmdbRow): IndexKey[] {
    const rest = Array.from(
      { length: Math.max(0, entries - firstEntry) },
      (_, at): IndexKey => [taskId, firstEntry + at],
    );
    return entries === 0 ? [] : [[taskId, 0], ...rest];
  }

  #newest(prefix: (string | number)[], before: number, limit: number): { seq: number; taskId: string }[] {
    const range = { start: [...prefix, before], end: [...prefix, 0], reverse: true, limit: Math.min(limit, 2 ** 31) };
    const rows = Array.from(this.#dbs.index.getRange(range as never), ({ key, value }) => {
      return { seq: (key as unknown as IndexKey).at(-1) as number, taskId: value };
    });
    return rows.filter(({ seq }) => seq < before);
  }

  #total(prefix: (string | number)[], statuses: readonly TaskStatus[]): number {
    const ofStatus = (status: TaskStatus): number => {
      if (prefix[0] === INDEXES.status) return this.counts[status];
      const key = [...prefix, statusKey(status)];
      return this.#dbs.index.getKeysCount({ start: [...key, 0], end: [...key, LAST] } as never);
    };
    return statuses.reduce((sum, status) => sum + ofStatus(status), 0);
  }

  /** By looking at every task of a node: both filters together have no index of their own. */
  #totalOf(prefix: (string | number)[], statuses: readonly TaskStatus[], matches: (row: LmdbRow) => boolean): number {
    const all = [...new Set(statuses)].flatMap((status) => this.#newest([...prefix, statusKey(status)], LAST, LAST));
    return all.filter(({ taskId }) => matches(this.get(taskId) as LmdbRow)).length;
  }
}

function prefixOf({ type, node }: ListFilter): [string, ...string[]] {
  if (node !== undefined) return [INDEXES.node, node];
  if (type !== undefined) return [INDEXES.type, type];
  return [INDEXES.status];
}

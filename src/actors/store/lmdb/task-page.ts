/**
 * One page of the list of an LMDB store, newest first. It walks the index with the fewest tasks of those that have all
 * that are asked for, and looks at the row where the index does not say enough.
 */
import type { Database, Key } from 'lmdb';
import { TASK_STATUSES, type TaskStatus } from '../../../protocol/task-status.ts';
import type { ListFilter, TaskPage } from '../store.ts';
import { recordOf } from '../task-row.ts';
import type { LmdbRow } from './head.ts';
import { nameOfNode, nameOfType, type Tallies } from './tallies.ts';
import { INDEXES, type IndexKey, isHeld, LAST, statusKey } from './task-indexes.ts';

/** What a list is made from: indexes that are up to date, counts, and rows. */
export interface ListSource {
  readonly index: Database<string, Key>;
  readonly tallies: Tallies;
  readonly counts: Readonly<Record<TaskStatus, number>>;
  rowOf(taskId: string): LmdbRow | undefined;
}

interface Found {
  readonly seq: number;
  readonly taskId: string;
}

/** The beginning of keys, and how many tasks that are asked for stand there at most. */
interface Stretch {
  readonly prefix: IndexKey;
  readonly most: number;
}

/** Where to look. */
interface Walk {
  readonly stretches: readonly Stretch[];
  /** Whether all that stands there is asked for. */
  readonly isExact: boolean;
  /** Whether those that attempts hold must be looked for among what the gateways own. */
  readonly withHeld: boolean;
}

export function pageOf(
  source: ListSource,
  filter: ListFilter,
  { limit, nowMs }: { readonly limit: number; readonly nowMs: number },
): TaskPage {
  const statuses = new Set(filter.status ?? TASK_STATUSES);
  const matches = (row: LmdbRow): boolean =>
    statuses.has(row.status) &&
    (filter.type === undefined || filter.type === row.type) &&
    (filter.node === undefined || filter.node === row.node);
  const known = totalOf(source, filter, statuses);
  const before = filter.cursor === undefined ? LAST : Number(filter.cursor);
  // With both filters only those who match tell how many they are: all are looked for, and the page is cut out of them.
  const range = known === null ? { before: LAST, limit: LAST } : { before, limit: limit + 1 };
  const all = foundIn(source, walkOf(source, filter, statuses), matches, range);
  const found = known === null ? all.filter(({ seq }) => seq < before) : all;
  const items = found.slice(0, limit);
  const last = items.at(-1);
  const page = {
    items: items.map(({ taskId }) => recordOf(source.rowOf(taskId) as LmdbRow, nowMs)),
    total: known ?? all.length,
  };
  return found.length > limit && last !== undefined ? { ...page, cursor: String(last.seq) } : page;
}

/** How many match, if that is counted. */
function totalOf(
  { tallies, counts }: ListSource,
  { type, node }: ListFilter,
  statuses: Set<TaskStatus>,
): number | null {
  if (type !== undefined) return node === undefined ? tallies.total(nameOfType(type), statuses) : null;
  return node === undefined ? sum(statuses, counts) : tallies.total(nameOfNode(node), statuses);
}

function walkOf({ tallies, counts }: ListSource, filter: ListFilter, statuses: Set<TaskStatus>): Walk {
  const { type, node } = filter;
  const ofType = type === undefined ? LAST : tallies.total(nameOfType(type), TASK_STATUSES);
  if (type !== undefined && node === undefined && ofType <= sum(statuses, counts)) {
    const stretches = [{ prefix: [INDEXES.type, type] as const, most: tallies.total(nameOfType(type), statuses) }];
    return { stretches, isExact: filter.status === undefined, withHeld: false };
  }
  const mostOf = (status: TaskStatus): number => {
    if (node !== undefined) return tallies.total(nameOfNode(node), [status]);
    return type === undefined ? counts[status] : tallies.total(nameOfType(type), [status]);
  };
  const stretches = [...statuses]
    .filter((status) => !isHeldStatus(status))
    .map((status) => ({ prefix: [INDEXES.status, statusKey(status)] as const, most: mostOf(status) }));
  const isExact = type === undefined && node === undefined;
  return { stretches, isExact, withHeld: [...statuses].some(isHeldStatus) };
}

/** The newest of each index, at most `limit` of all. */
function foundIn(
  source: ListSource,
  { stretches, isExact, withHeld }: Walk,
  matches: (row: LmdbRow) => boolean,
  { before, limit }: { readonly before: number; readonly limit: number },
): Found[] {
  const isAskedFor = (taskId: string): boolean => {
    const row = source.rowOf(taskId);
    return row !== undefined && matches(row);
  };
  const found: Found[] = withHeld ? heldOf(source, matches).filter(({ seq }) => seq < before) : [];
  for (const { prefix, most } of stretches) {
    // After the last one that there is, the rest of a stretch may be long.
    const wanted = Math.min(limit, most);
    if (wanted === 0) continue;
    let count = 0;
    const range = { start: [...prefix, before === LAST ? LAST : before - 0.5], end: [...prefix, 0], reverse: true };
    for (const { key, value: taskId } of source.index.getRange(range as never)) {
      if (!isExact && !isAskedFor(taskId)) continue;
      found.push({ seq: (key as unknown as IndexKey).at(-1) as number, taskId });
      count += 1;
      if (count >= wanted) break;
    }
  }
  return found.sort((a, b) => b.seq - a.seq).slice(0, Math.min(limit, found.length));
}

/** Those that attempts hold are what the gateways own, few beside all others. */
function heldOf({ index, rowOf }: ListSource, matches: (row: LmdbRow) => boolean): Found[] {
  const range = { start: [INDEXES.owned, ''], end: [INDEXES.owned, '\u{10ffff}'] };
  const rows = Array.from(index.getRange(range), ({ value }) => rowOf(value));
  return rows.filter((row) => row !== undefined && isHeld(row) && matches(row)).map(foundOf);
}

function foundOf(row: LmdbRow | undefined): Found {
  return { seq: row?.seq ?? 0, taskId: row?.taskId ?? '' };
}

function isHeldStatus(status: TaskStatus): boolean {
  return isHeld({ status });
}

function sum(statuses: Iterable<TaskStatus>, counts: Readonly<Record<TaskStatus, number>>): number {
  let total = 0;
  for (const status of statuses) total += counts[status];
  return total;
}

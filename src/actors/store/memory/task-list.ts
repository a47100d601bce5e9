/** Every task that the memory store knows, in the order of submit, so that lists can be read newest first, page by page. */
import type { TaskStatus } from '../../../protocol/task.ts';
import type { ListFilter, TaskPage } from '../store.ts';
import { recordOf } from '../task-row.ts';
import type { MemoryRow } from './memory-row.ts';

/** Forgotten rows are dropped when they are so many, and one of so many. */
const FORGOTTEN_MIN = 64;
const FORGOTTEN_SHARE = 16;

export class TaskList {
  #rows: MemoryRow[] = [];
  #forgotten = 0;

  /** Adds the task submitted last. */
  push(row: MemoryRow): void {
    this.#rows.push(row);
  }

  /** Puts what a task is now in the place of what it was. */
  replace(row: MemoryRow): void {
    const at = this.#placeOf(row.seq);
    if (this.#rows[at]?.seq === row.seq) this.#rows[at] = row;
  }

  /** Says that one task has just been forgotten. */
  drop(): void {
    this.#forgotten += 1;
    // Soon, since a row here keeps its payload and its result: of what is held, little may be what nobody can ask for.
    if (this.#forgotten < FORGOTTEN_MIN || this.#forgotten * FORGOTTEN_SHARE < this.#rows.length) return;
    this.#rows = this.#rows.filter((row) => !row.isForgotten);
    this.#forgotten = 0;
  }

  /**
   * One page. The cursor is the place of the last task on it, so what is submitted between two pages never moves a task
   * from one to the other. A filter by status alone stops reading when the page is full; by type or node it reads all.
   */
  page(
    filter: ListFilter,
    { counts, limit, nowMs }: { counts: Readonly<Record<TaskStatus, number>>; limit: number; nowMs: number },
  ): TaskPage {
    const before = filter.cursor === undefined ? Number.POSITIVE_INFINITY : Number(filter.cursor);
    const statuses = filter.status === undefined ? null : new Set(filter.status);
    const matches = (task: MemoryRow): boolean => {
      const { status, type, node } = task;
      return (
        !task.isForgotten &&
        (statuses === null || statuses.has(status)) &&
        (filter.type === undefined || filter.type === type) &&
        (filter.node === undefined || filter.node === node)
      );
    };
    const isCounted = filter.type === undefined && filter.node === undefined;

    const found: MemoryRow[] = [];
    let total = 0;
    // What all pages have in common is counted already: a page begins where the one before ended.
    for (let at = isCounted ? this.#placeOf(before) - 1 : this.#rows.length - 1; at >= 0; at -= 1) {
      const row = this.#rows[at];
      if (row === undefined || !matches(row)) continue;
      total += 1;
      // One more than fits is looked for, to know whether there is a next page.
      if (row.seq < before && found.length <= limit) found.push(row);
      if (isCounted && found.length > limit) break;
    }
    if (isCounted) total = countOf(counts, statuses);

    const items = found.slice(0, limit);
    const last = items.at(-1);
    const page = { items: items.map((task) => recordOf(task, nowMs)), total };
    return found.length > limit && last !== undefined ? { ...page, cursor: String(last.seq) } : page;
  }

  /** Where the first stands that was not submitted before this place in the order of submit. */
  #placeOf(seq: number): number {
    let low = 0;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#rows[middle]?.seq ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function countOf(counts: Readonly<Record<TaskStatus, number>>, statuses: ReadonlySet<TaskStatus> | null): number {
  let total = 0;
  for (const [status, count] of Object.entries(counts)) {
    if (statuses === null || statuses.has(status as TaskStatus)) total += count;
  }
  return total;
}

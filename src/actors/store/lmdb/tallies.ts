/**
 * How many tasks each type and each node has, by status: so that a list knows its total without an index by all of them.
 * They follow from the rows, as the indexes do.
 */
import { TASK_STATUSES, type TaskStatus } from '../../../protocol/task-status.ts';
import type { SmallTable } from './small-table.ts';
import { statusKey } from './task-indexes.ts';

/** Counts in the order of TASK_STATUSES. */
export type Tally = number[];

export class Tallies {
  readonly #table: SmallTable<Tally>;

  constructor(table: SmallTable<Tally>) {
    this.#table = table;
  }

  add(name: string, status: TaskStatus, by: number): void {
    const tally = this.#table.get(name) ?? TASK_STATUSES.map(() => 0);
    const at = statusKey(status);
    tally[at] = (tally[at] ?? 0) + by;
    if (by < 0 && tally.every((count) => count === 0)) this.#table.delete(name);
    else this.#table.set(name, tally);
  }

  total(name: string, statuses: Iterable<TaskStatus>): number {
    const tally = this.#table.get(name) ?? [];
    let total = 0;
    for (const status of statuses) total += tally[statusKey(status)] ?? 0;
    return total;
  }
}

export function nameOfType(type: string): string {
  return `t ${type}`;
}

export function nameOfNode(node: string): string {
  return `n ${node}`;
}

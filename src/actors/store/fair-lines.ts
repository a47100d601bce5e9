/** The fair keys of which tasks are claimable, and where the last task of each ranks. Nothing is kept of any other key. */
import { rankOf, spacedTimeMs } from '../../machines/policies/rank.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { FairLine } from './rows.ts';
import type { Table } from './tables.ts';
import type { TaskRow } from './task-row.ts';

export type FairLimits = Pick<Limits, 'agingMs' | 'fairSpacingMs' | 'fairAheadMsMax'>;

export class FairLines {
  readonly #limits: FairLimits;
  readonly #lines: Table<FairLine>;

  constructor(limits: FairLimits, lines: Table<FairLine>) {
    this.#limits = limits;
    this.#lines = lines;
  }

  /** A task becomes claimable: for the first time it gets its place, later it has it. */
  enter(row: TaskRow): void {
    if (row.fairKey === null) return;
    const { agingMs, fairSpacingMs: spacingMs, fairAheadMsMax: aheadMsMax } = this.#limits;
    const name = nameOf(row);
    const line = this.#lines.get(name) ?? { lastMs: Number.NEGATIVE_INFINITY, tasks: 0 };
    if (!row.isSpaced) {
      row.timeMs = spacedTimeMs({ timeMs: row.timeMs, lastMs: line.lastMs, spacingMs, aheadMsMax });
      row.rank = rankOf({ nowMs: row.timeMs, priority: row.priority, agingMs });
      row.isSpaced = true;
    }
    line.lastMs = Math.max(line.lastMs, row.timeMs);
    line.tasks += 1;
    this.#lines.set(name, line);
  }

  /** A task is not claimable any more. */
  leave(row: TaskRow): void {
    if (row.fairKey === null) return;
    const name = nameOf(row);
    const line = this.#lines.get(name);
    if (line === undefined) return;
    line.tasks -= 1;
    if (line.tasks > 0) this.#lines.set(name, line);
    else this.#lines.delete(name);
  }
}

function nameOf({ queue, fairKey }: TaskRow): string {
  return `${queue.length}:${queue}${fairKey}`;
}

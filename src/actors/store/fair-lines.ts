/** The fair keys of which tasks are claimable, and where the last task of each ranks. Nothing is kept of any other key. */
import { rankOf, spacedTimeMs } from '../../machines/policies/rank.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { FairLine, TaskRow } from './task-row.ts';

export type FairLimits = Pick<Limits, 'agingMs' | 'fairSpacingMs' | 'fairAheadMsMax'>;

export class FairLines {
  readonly #limits: FairLimits;
  readonly #lines = new Map<string, FairLine>();

  constructor(limits: FairLimits) {
    this.#limits = limits;
  }

  /** A task becomes claimable: for the first time it gets its place, later it has it. */
  enter(row: TaskRow): void {
    if (row.fairKey === null) return;
    const { agingMs, fairSpacingMs: spacingMs, fairAheadMsMax: aheadMsMax } = this.#limits;
    const name = `${row.queue.length}:${row.queue}${row.fairKey}`;
    const line = this.#lines.get(name) ?? { name, lastMs: Number.NEGATIVE_INFINITY, tasks: 0 };
    if (!row.isSpaced) {
      row.timeMs = spacedTimeMs({ timeMs: row.timeMs, lastMs: line.lastMs, spacingMs, aheadMsMax });
      row.rank = rankOf({ nowMs: row.timeMs, priority: row.priority, agingMs });
      row.isSpaced = true;
    }
    line.lastMs = Math.max(line.lastMs, row.timeMs);
    line.tasks += 1;
    this.#lines.set(name, line);
    row.fairLine = line;
  }

  /** A task is not claimable any more. */
  leave(row: TaskRow): void {
    const { fairLine: line } = row;
    if (line === null) return;
    row.fairLine = null;
    line.tasks -= 1;
    if (line.tasks === 0) this.#lines.delete(line.name);
  }
}

/** The settled tasks that can still be asked for, in the order in which they finished. The oldest are forgotten first. */
import type { Limits } from '../../protocol/limits.ts';
import type { TaskRow } from './task-row.ts';

export type RetentionLimits = Pick<Limits, 'settledTasksMax' | 'settledBytesMax'>;

export class Retention {
  readonly #limits: RetentionLimits;
  // A queue as an array with a moving start. A Map kept in order would be slower: its iterator walks over every hole.
  #rows: (TaskRow | undefined)[] = [];
  #start = 0;
  #bytes = 0;
  /** Rows that were dropped and not come upon yet. */
  #dropped = 0;

  constructor(limits: RetentionLimits) {
    this.#limits = limits;
  }

  add(row: TaskRow): void {
    this.#rows.push(row);
    this.#bytes += keptBytesOf(row);
  }

  /** Lets go of a task that waits again. Its row must be marked as forgotten. */
  drop(row: TaskRow): void {
    this.#bytes -= keptBytesOf(row);
    this.#dropped += 1;
    if (this.#dropped <= 1_024 || this.#dropped * 2 <= this.#rows.length - this.#start) return;
    this.#rows = this.#rows.filter((each) => each !== undefined && !each.isForgotten);
    this.#start = 0;
    this.#dropped = 0;
  }

  /** Whether more is kept than the limits allow. The one that finished last is kept however large it is. */
  get isOver(): boolean {
    const tasks = this.#rows.length - this.#start - this.#dropped;
    return tasks > 1 && (tasks > this.#limits.settledTasksMax || this.#bytes > this.#limits.settledBytesMax);
  }

  oldest(): TaskRow | undefined {
    let row = this.#rows[this.#start];
    while (row?.isForgotten) {
      this.#advance();
      this.#dropped -= 1;
      row = this.#rows[this.#start];
    }
    return row;
  }

  /** Takes the oldest out. */
  shift(): TaskRow | undefined {
    const row = this.oldest();
    if (row === undefined) return undefined;
    this.#bytes -= keptBytesOf(row);
    this.#advance();
    return row;
  }

  #advance(): void {
    this.#rows[this.#start] = undefined;
    this.#start += 1;
    if (this.#start > 1_024 && this.#start * 2 > this.#rows.length) {
      this.#rows = this.#rows.slice(this.#start);
      this.#start = 0;
    }
  }
}

/** The result of a task, or the payload of one that may be redriven. */
function keptBytesOf({ result, payload }: TaskRow): number {
  return (result?.byteLength ?? 0) + payload.byteLength;
}

/** The settled tasks that can still be asked for, in the order in which they finished. The oldest are forgotten first. */

import type { SettledRows } from '../tables.ts';
import { Endings } from './endings.ts';
import type { MemoryRow } from './memory-row.ts';

export class Retention implements SettledRows<MemoryRow> {
  // A queue as an array with a moving start. A Map kept in order would be slower: its iterator walks over every hole.
  #rows: (MemoryRow | undefined)[] = [];
  readonly #endings = new Endings();
  #start = 0;
  #bytes = 0;
  /** Rows that were dropped and not come upon yet. */
  #dropped = 0;

  get tasks(): number {
    return this.#rows.length - this.#start - this.#dropped;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(row: MemoryRow): void {
    row.course = this.#endings.of(row.course);
    this.#rows.push(row);
    this.#bytes += keptBytesOf(row);
  }

  /** Lets go of a task that waits again under a new row, or is forgotten. */
  drop(row: MemoryRow): void {
    row.isForgotten = true;
    this.#bytes -= keptBytesOf(row);
    if (row === this.#rows[this.#start]) {
      this.#advance();
      return;
    }
    this.#dropped += 1;
    // Few of them: each keeps the bytes of its task.
    if (this.#dropped <= 64 || this.#dropped * 16 <= this.#rows.length - this.#start) return;
    this.#rows = this.#rows.filter((each) => each !== undefined && !each.isForgotten);
    this.#start = 0;
    this.#dropped = 0;
  }

  oldest(): MemoryRow | undefined {
    let row = this.#rows[this.#start];
    while (row?.isForgotten) {
      this.#advance();
      this.#dropped -= 1;
      row = this.#rows[this.#start];
    }
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
function keptBytesOf({ resultBytes, payloadBytes }: MemoryRow): number {
  return resultBytes + payloadBytes;
}

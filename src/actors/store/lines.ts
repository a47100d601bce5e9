/**
 * Where tasks stand while they wait for their turn or their time: ready, delayed, spaced by their fair keys, held back by
 * their limits; and which classes have got something to claim.
 */
import { type FairLimits, FairLines } from './fair-lines.ts';
import { LimitRows } from './limit-rows.ts';
import type { Want } from './store.ts';
import type { Tables, WaitingLines } from './tables.ts';
import type { TaskRow } from './task-row.ts';

export class Lines<Row extends TaskRow> {
  readonly waiting: WaitingLines<Row>;
  readonly limits: LimitRows;
  readonly #fair: FairLines;
  #readied = new Set<string>();

  constructor(tables: Tables<Row>, limits: FairLimits) {
    this.waiting = tables.lines;
    this.#fair = new FairLines(limits, tables.fair);
    this.limits = new LimitRows(tables.limits, {
      hasWaiting: (queue) => this.waiting.has(queue),
      onOpened: (queues) => this.tellReady(queues),
    });
  }

  /** Classes that are to be looked at. */
  tellReady(queues: readonly string[]): void {
    for (const queue of queues) this.#readied.add(queue);
  }

  /** A task without a row stands in its line. */
  tellEntered(queue: string): void {
    this.#readied.add(queue);
  }

  /** The classes that got claimable tasks since this was last asked, and still have some. */
  takeReadied(): readonly string[] {
    if (this.#readied.size === 0) return [];
    const queues = [...this.#readied].filter((queue) => this.waiting.has(queue));
    this.#readied = new Set();
    return queues;
  }

  /** A task that is pending now gets its place, unless it has one, and stands in its line. */
  enter(row: Row): void {
    this.#fair.enter(row);
    this.waiting.enter(row);
    this.limits.enter(row);
    this.#readied.add(row.queue);
  }

  /** A task has just ceased to be pending, without its turn. */
  leave(row: Row): void {
    this.#fair.leave(row);
    this.waiting.leave(row);
    // Its limit may have held back those behind it, which have another or none.
    if (row.limit !== null) this.#readied.add(row.queue);
  }

  /** Takes the first tasks; `begin` is told of each, and it is not pending after that. */
  take(wants: readonly Want[], { limit, nowMs }: { limit: number; nowMs: number }, begin: (row: Row) => void): void {
    this.waiting.take(wants, limit, {
      mayTake: (row) => this.limits.isOpen(row, nowMs),
      take: (row) => {
        this.#fair.leave(row);
        this.limits.claim(row, nowMs);
        begin(row);
      },
    });
  }
}

/**
 * Where tasks stand while they wait for their turn or their time: ready, delayed, spaced by their fair keys, held back by
 * their limits; and which classes have got something to claim.
 */
import { comparePlaces } from '../../machines/policies/rank.ts';
import type { Clock } from '../../protocol/ports.ts';
import { LazyHeap } from '../lazy-heap.ts';
import { type FairLimits, FairLines } from './fair-lines.ts';
import { LimitRows } from './limit-rows.ts';
import { ReadyQueue } from './ready-queue.ts';
import type { Want } from './store.ts';
import type { TaskRow } from './task-row.ts';

export class Lines {
  readonly ready = new ReadyQueue();
  readonly limits: LimitRows;
  readonly #clock: Clock;
  readonly #fair: FairLines;
  readonly #delayed = new LazyHeap<TaskRow>(
    (a, b) => a.dueMs - b.dueMs || comparePlaces(a, b),
    (row) => row.status === 'delayed',
  );
  #readied = new Set<string>();

  constructor(clock: Clock, limits: FairLimits) {
    this.#clock = clock;
    this.#fair = new FairLines(limits);
    this.limits = new LimitRows((queues) => {
      for (const queue of queues) {
        if (this.ready.has(queue)) this.#readied.add(queue);
        else queues.delete(queue);
      }
    });
  }

  /** The classes that got claimable tasks since this was last asked, and still have some. */
  takeReadied(): readonly string[] {
    if (this.#readied.size === 0) return [];
    const queues = [...this.#readied].filter((queue) => this.ready.has(queue));
    this.#readied = new Set();
    return queues;
  }

  /** A task that is pending now gets its place, unless it has one, and stands in its line. */
  enter(row: TaskRow): void {
    this.#fair.enter(row);
    this.ready.push(row);
    row.limitRow?.queues.add(row.queue);
    this.#readied.add(row.queue);
  }

  /** A task has just ceased to be pending, without its turn. */
  leave(row: TaskRow): void {
    this.#fair.leave(row);
    this.ready.drop(row);
    // Its limit may have held back those behind it, which have another or none.
    if (row.limitRow !== null) this.#readied.add(row.queue);
  }

  /** Takes the first tasks; `begin` is told of each, and it is not pending after that. */
  take(wants: readonly Want[], limit: number, begin: (row: TaskRow) => void): TaskRow[] {
    const nowMs = this.#clock.now();
    return this.ready.take(wants, limit, {
      mayTake: ({ limitRow }) => limitRow === null || this.limits.isOpen(limitRow, nowMs),
      take: (row) => {
        this.#fair.leave(row);
        if (row.limitRow !== null) this.limits.claim(row.limitRow, nowMs);
        begin(row);
      },
    });
  }

  /** A task that is delayed now waits for its time. */
  delay(row: TaskRow): void {
    this.#delayed.push(row);
  }

  /** A task has just ceased to be delayed, before its time. */
  dropDelayed(): void {
    this.#delayed.drop();
  }

  /** Takes the delayed task whose time has come first, if any has. */
  takeDue(): TaskRow | undefined {
    const row = this.#delayed.first();
    return row !== undefined && row.dueMs <= this.#clock.now() ? this.#delayed.take() : undefined;
  }
}

/**
 * Where the tasks of the memory store stand while they wait: heaps of rows, for their turn, their time and their expiry.
 * Beyond the first `hotTasksMax` of those that wait for their turn they are cold.
 */
import { comparePlaces } from '../../machines/policies/rank.ts';
import type { Limits } from '../../protocol/limits.ts';
import { LazyHeap } from '../lazy-heap.ts';
import { ColdTask } from './cold-task.ts';
import { lapsesAtMs } from './lapse.ts';
import type { Expiry, MemoryRow } from './memory-row.ts';
import { ReadyQueue } from './ready-queue.ts';
import type { Want } from './store.ts';
import type { Taker, WaitingLines } from './tables.ts';

/** Who keeps a task as a row or cold. */
export interface Warmth {
  /** Keeps it as a row from now on. */
  warm(task: ColdTask): MemoryRow;
}

export class MemoryLines implements WaitingLines<MemoryRow> {
  readonly #warmth: Warmth;
  readonly #hotTasksMax: number;
  readonly #ready = new ReadyQueue<MemoryRow | ColdTask>();
  /** Rows among those that are ready. */
  #hot = 0;
  readonly #delayed = new LazyHeap<MemoryRow>(
    (a, b) => a.dueMs - b.dueMs || comparePlaces(a, b),
    (row) => row.status === 'delayed',
  );
  readonly #expiries = new LazyHeap<Expiry>(
    (a, b) => a.atMs - b.atMs || a.row.seq - b.row.seq,
    (expiry) => !expiry.isOver,
  );

  constructor(warmth: Warmth, { hotTasksMax }: Pick<Limits, 'hotTasksMax'>) {
    this.#warmth = warmth;
    this.#hotTasksMax = hotTasksMax;
  }

  has(queue: string): boolean {
    return this.#ready.has(queue);
  }

  sizes(): ReadonlyMap<string, number> {
    return this.#ready.sizes();
  }

  ahead(row: MemoryRow): number {
    return this.#ready.ahead(row);
  }

  enter(row: MemoryRow): void {
    this.#hot += 1;
    this.#ready.push(row);
  }

  /** Whether one more of those that wait for their turn is to be a row. */
  get hasHotRoom(): boolean {
    return this.#hot < this.#hotTasksMax;
  }

  /** A task that is kept cold is claimable, and has its place. */
  enterCold(cold: ColdTask): void {
    this.#ready.push(cold);
  }

  leave(row: MemoryRow): void {
    this.#hot -= 1;
    this.#ready.drop(row);
  }

  /** A cold task is a row from now on: it stands in its place. */
  exchange(cold: ColdTask, row: MemoryRow): void {
    this.#ready.drop(cold);
    this.#hot += 1;
    this.#ready.push(row);
  }

  take(wants: readonly Want[], limit: number, taker: Taker<MemoryRow>): void {
    this.#ready.take(wants, limit, {
      // A cold task has nothing that could hold it back.
      mayTake: (task) => task instanceof ColdTask || taker.mayTake(task),
      take: (task) => {
        if (task instanceof ColdTask) taker.take(this.#warmth.warm(task));
        else {
          this.#hot -= 1;
          taker.take(task);
        }
      },
    });
  }

  delay(row: MemoryRow): void {
    this.#delayed.push(row);
  }

  dropDelayed(_row: MemoryRow): void {
    this.#delayed.drop();
  }

  takeDue(nowMs: number): MemoryRow | undefined {
    const row = this.#delayed.first();
    return row !== undefined && row.dueMs <= nowMs ? this.#delayed.take() : undefined;
  }

  expireLater(row: MemoryRow): void {
    const at = lapsesAtMs(row);
    row.expiry = this.#at(row, at.ttl);
    row.deadline = this.#at(row, at.deadline);
  }

  dropExpiry(row: MemoryRow): void {
    this.#drop(row.expiry);
    row.expiry = null;
  }

  dropExpiries(row: MemoryRow): void {
    this.dropExpiry(row);
    this.#drop(row.deadline);
    row.deadline = null;
  }

  nextExpired(nowMs: number): MemoryRow | undefined {
    const expiry = this.#expiries.first();
    if (expiry === undefined || expiry.atMs > nowMs) return undefined;
    this.#expiries.take();
    expiry.isOver = true;
    return expiry.row;
  }

  #at(row: MemoryRow, atMs: number): Expiry | null {
    if (atMs === Number.POSITIVE_INFINITY) return null;
    const expiry = { row, atMs, isOver: false };
    this.#expiries.push(expiry);
    return expiry;
  }

  #drop(expiry: Expiry | null): void {
    if (expiry === null || expiry.isOver) return;
    expiry.isOver = true;
    this.#expiries.drop();
  }
}

/**
 * Where the tasks of the memory store stand while they wait: heaps of rows, for their turn, their time and their expiry.
 */
import { comparePlaces } from '../../../machines/policies/rank.ts';
import { LazyHeap } from '../../lazy-heap.ts';
import { lapsesAtMs } from '../lapse.ts';
import type { Want } from '../store.ts';
import type { Taker, WaitingLines } from '../tables.ts';
import type { MemoryRow } from './memory-row.ts';
import { ReadyQueue } from './ready-queue.ts';
import type { Expiry } from './row-parts.ts';

/** A row that fails at a time. */
interface Expiring extends Expiry {
  readonly row: MemoryRow;
}

export class MemoryLines implements WaitingLines<MemoryRow> {
  readonly #ready = new ReadyQueue<MemoryRow>();
  readonly #delayed = new LazyHeap<MemoryRow>(
    (a, b) => a.dueMs - b.dueMs || comparePlaces(a, b),
    (row) => row.status === 'delayed',
  );
  readonly #expiries = new LazyHeap<Expiring>(
    (a, b) => a.atMs - b.atMs || a.row.seq - b.row.seq,
    (expiry) => !expiry.isOver,
  );

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
    this.#ready.push(row);
  }

  leave(row: MemoryRow): void {
    this.#ready.drop(row);
  }

  take(wants: readonly Want[], limit: number, taker: Taker<MemoryRow>): void {
    this.#ready.take(wants, limit, taker);
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

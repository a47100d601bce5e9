/** The limits of the memory store, the times of their claims, and when to look at each next. */
import { LazyHeap } from '../../lazy-heap.ts';
import type { LimitRow, LimitTable } from '../limit-rows.ts';

interface Wake {
  readonly entry: Entry;
  readonly atMs: number;
  isOver: boolean;
}

interface Entry {
  readonly row: LimitRow;
  /** Oldest first; those before `start` are forgotten. */
  claims: number[];
  start: number;
  wake: Wake | null;
}

export class MemoryLimits implements LimitTable {
  readonly #entries = new Map<string, Entry>();
  readonly #wakes = new LazyHeap<Wake>(
    (a, b) => a.atMs - b.atMs,
    (wake) => !wake.isOver,
  );

  get(key: string): LimitRow | undefined {
    return this.#entries.get(key)?.row;
  }

  set(row: LimitRow): void {
    const entry = this.#entry(row);
    if (row.wakeAtMs === (entry.wake?.atMs ?? null)) return;
    this.#dropWake(entry);
    if (row.wakeAtMs === null) return;
    entry.wake = { entry, atMs: row.wakeAtMs, isOver: false };
    this.#wakes.push(entry.wake);
  }

  delete(row: LimitRow): void {
    this.#dropWake(this.#entry(row));
    this.#entries.delete(row.key);
  }

  firstDue(nowMs: number): LimitRow | undefined {
    const wake = this.#wakes.first();
    return wake !== undefined && wake.atMs <= nowMs ? wake.entry.row : undefined;
  }

  claimAt(row: LimitRow, claim: number): number {
    const { claims, start } = this.#entry(row);
    return claims[start + claim - row.firstClaim] ?? 0;
  }

  addClaim(row: LimitRow, atMs: number): void {
    this.#entry(row).claims.push(atMs);
    row.nextClaim += 1;
  }

  dropLastClaim(row: LimitRow): void {
    this.#entry(row).claims.pop();
    row.nextClaim -= 1;
  }

  dropClaims(row: LimitRow, before: number): void {
    const entry = this.#entry(row);
    entry.start += before - row.firstClaim;
    row.firstClaim = before;
    if (entry.start <= 1_024 || entry.start * 2 <= entry.claims.length) return;
    entry.claims = entry.claims.slice(entry.start);
    entry.start = 0;
  }

  #entry(row: LimitRow): Entry {
    const entry = this.#entries.get(row.key) ?? { row, claims: [], start: 0, wake: null };
    this.#entries.set(row.key, entry);
    return entry;
  }

  #dropWake(entry: Entry): void {
    if (entry.wake === null) return;
    entry.wake.isOver = true;
    entry.wake = null;
    this.#wakes.drop();
  }
}

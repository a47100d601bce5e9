/** The limits of an LMDB store, the times of their claims, and when to look at each next. */
import type { LimitRow, LimitTable } from '../limit-rows.ts';
import type { Databases } from './layout.ts';
import { SmallTable } from './small-table.ts';
import { LAST } from './task-indexes.ts';

/** Claims that are forgotten in one step, so that no step is long. */
const CLAIMS_DROPPED_MAX = 64;

/** As it is written: `standsAtMs` is where it stands in the order of wakes. */
interface StoredLimit extends LimitRow {
  standsAtMs?: number | null;
}

export class LmdbLimits implements LimitTable {
  readonly #dbs: Databases;
  readonly #rows: SmallTable<StoredLimit>;
  /** No limit is to be looked at before this, as far as is known. */
  #wakeMs = -LAST;

  constructor(dbs: Databases) {
    this.#dbs = dbs;
    this.#rows = new SmallTable(dbs.small.limit);
  }

  get(key: string): LimitRow | undefined {
    return this.#rows.get(key);
  }

  set(row: StoredLimit): void {
    this.#wakeAt(row, row.wakeAtMs);
    this.#rows.set(row.key, row);
  }

  delete(row: StoredLimit): void {
    this.#wakeAt(row, null);
    this.#rows.delete(row.key);
  }

  firstDue(nowMs: number): LimitRow | undefined {
    if (this.#wakeMs > nowMs) return undefined;
    const [first] = this.#dbs.wake.getRange({ start: [-LAST], limit: 1 });
    this.#wakeMs = first === undefined ? LAST : (first.key as [number, string])[0];
    return first === undefined || this.#wakeMs > nowMs ? undefined : this.get(first.value);
  }

  claimAt(row: LimitRow, claim: number): number {
    return this.#dbs.claim.get([row.key, claim]) ?? 0;
  }

  addClaim(row: LimitRow, atMs: number): void {
    this.#dbs.claim.putSync([row.key, row.nextClaim], atMs);
    row.nextClaim += 1;
  }

  dropLastClaim(row: LimitRow): void {
    row.nextClaim -= 1;
    this.#dbs.claim.removeSync([row.key, row.nextClaim]);
  }

  dropClaims(row: LimitRow, before: number): void {
    const end = Math.min(before, row.firstClaim + CLAIMS_DROPPED_MAX);
    for (; row.firstClaim < end; row.firstClaim += 1) this.#dbs.claim.removeSync([row.key, row.firstClaim]);
  }

  flush(): void {
    this.#rows.flush();
  }

  reset(): void {
    this.#rows.reset();
  }

  /** Forgets when to look next: another process may change it from now on. */
  forget(): void {
    this.#wakeMs = -LAST;
  }

  #wakeAt(row: StoredLimit, atMs: number | null): void {
    const before = row.standsAtMs ?? null;
    if (before === atMs) return;
    if (before !== null) this.#dbs.wake.removeSync([before, row.key]);
    if (atMs !== null) this.#dbs.wake.putSync([atMs, row.key], row.key);
    if (atMs !== null) this.#wakeMs = Math.min(this.#wakeMs, atMs);
    row.standsAtMs = atMs;
  }
}

/**
 * Which gateways have a claim on work, until when, and which tasks each owns. A gateway is dead when its lease has
 * lapsed and another one says so, never by time alone.
 */
import type { GatewayRow } from './rows.ts';
import type { GatewayRecord } from './store.ts';
import type { OwnedRows, Table } from './tables.ts';
import type { TaskRow } from './task-row.ts';

export class GatewayRows<Row extends TaskRow> {
  readonly #rows: Table<GatewayRow>;
  readonly #owned: OwnedRows<Row>;

  constructor(rows: Table<GatewayRow>, owned: OwnedRows<Row>) {
    this.#rows = rows;
    this.#owned = owned;
  }

  add(gateway: string, ttlMs: number, nowMs: number): void {
    const row = { gateway, ttlMs, leaseUntilMs: nowMs + ttlMs, steadySinceMs: nowMs, isFenced: false };
    this.#rows.set(gateway, row);
  }

  /** Its row, unless it was swept or has left. */
  get(gateway: string): GatewayRow | undefined {
    const row = this.#rows.get(gateway);
    return row?.isFenced === false ? row : undefined;
  }

  /** Those that are present, by id. */
  all(nowMs: number): GatewayRecord[] {
    const present = Array.from(this.#rows.values()).filter(({ isFenced }) => !isFenced);
    return present
      .map(({ gateway, leaseUntilMs }) => {
        return { gateway, leaseInMs: Math.ceil(leaseUntilMs - nowMs), owned: this.#owned.countOf(gateway) };
      })
      .sort((one, other) => (one.gateway < other.gateway ? -1 : 1));
  }

  renew(row: GatewayRow, ttlMs: number, nowMs: number): void {
    if (nowMs > row.leaseUntilMs) row.steadySinceMs = nowMs;
    row.ttlMs = ttlMs;
    row.leaseUntilMs = nowMs + ttlMs;
    this.#rows.set(row.gateway, row);
  }

  /** The tasks of a gateway that is present. */
  ownedBy(gateway: string): readonly Row[] {
    return this.get(gateway) === undefined ? [] : this.#owned.of(gateway);
  }

  own(row: Row, owner: GatewayRow): void {
    this.disown(row);
    row.owner = owner.gateway;
    this.#owned.add(row, owner.gateway);
  }

  disown(row: Row): void {
    if (row.owner === null) return;
    this.#owned.drop(row, row.owner);
    row.owner = null;
  }

  /** Forgets a gateway that owns nothing any more. */
  remove(row: GatewayRow): void {
    this.#rows.delete(row.gateway);
  }

  /**
   * Fences every gateway whose lease has lapsed, on behalf of one that has itself renewed without a gap for a full TTL.
   * After an outage of the store every lease has lapsed; without that rule the first gateway to come back would sweep
   * all the others and have their running work done twice.
   */
  fenceLapsed(by: GatewayRow, nowMs: number): string[] {
    if (nowMs > by.leaseUntilMs || nowMs - by.steadySinceMs < by.ttlMs) return [];
    const lapsed = Array.from(this.#rows.values()).filter((row) => !row.isFenced && nowMs > row.leaseUntilMs);
    for (const row of lapsed) {
      row.isFenced = true;
      this.#rows.set(row.gateway, row);
    }
    return lapsed.map((row) => row.gateway);
  }

  /** The tasks that fenced gateways still own. Each must be disowned before the next one is asked for. */
  *orphans(): Generator<Row, void> {
    for (const { gateway, isFenced } of Array.from(this.#rows.values())) {
      if (!isFenced) continue;
      for (let row = this.#owned.firstOf(gateway); row !== undefined; row = this.#owned.firstOf(gateway)) yield row;
      this.#rows.delete(gateway);
    }
  }
}

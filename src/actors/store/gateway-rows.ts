/**
 * Which gateways have a claim on work, until when, and which tasks each owns. A gateway is dead when its lease has
 * lapsed and another one says so, never by time alone.
 */
import type { GatewayRecord } from './store.ts';
import type { TaskRow } from './task-row.ts';

export interface GatewayRow {
  readonly gateway: string;
  leaseUntilMs: number;
  ttlMs: number;
  /** Since when its lease has held without a gap. */
  steadySinceMs: number;
  readonly owned: Set<TaskRow>;
}

export class GatewayRows {
  readonly #present = new Map<string, GatewayRow>();
  /** Swept, and still owning tasks that wait to be given back. */
  readonly #fenced = new Map<string, GatewayRow>();

  add(gateway: string, ttlMs: number, nowMs: number): void {
    const row = { gateway, ttlMs, leaseUntilMs: nowMs + ttlMs, steadySinceMs: nowMs, owned: new Set<TaskRow>() };
    this.#present.set(gateway, row);
  }

  /** Its row, unless it was swept or has left. */
  get(gateway: string): GatewayRow | undefined {
    return this.#present.get(gateway);
  }

  /** Those that are present, by id. */
  all(nowMs: number): GatewayRecord[] {
    return Array.from(this.#present.values(), ({ gateway, leaseUntilMs, owned }) => ({
      gateway,
      leaseInMs: Math.ceil(leaseUntilMs - nowMs),
      owned: owned.size,
    })).sort((one, other) => (one.gateway < other.gateway ? -1 : 1));
  }

  renew(row: GatewayRow, ttlMs: number, nowMs: number): void {
    if (nowMs > row.leaseUntilMs) row.steadySinceMs = nowMs;
    row.ttlMs = ttlMs;
    row.leaseUntilMs = nowMs + ttlMs;
  }

  own(row: TaskRow, owner: GatewayRow): void {
    this.disown(row);
    row.owner = owner.gateway;
    owner.owned.add(row);
  }

  disown(row: TaskRow): void {
    if (row.owner === null) return;
    const owner = this.#present.get(row.owner) ?? this.#fenced.get(row.owner);
    owner?.owned.delete(row);
    row.owner = null;
  }

  /** Forgets a gateway that owns nothing any more. */
  remove(row: GatewayRow): void {
    this.#present.delete(row.gateway);
  }

  /**
   * Fences every gateway whose lease has lapsed, on behalf of one that has itself renewed without a gap for a full TTL.
   * After an outage of the store every lease has lapsed; without that rule the first gateway to come back would sweep
   * all the others and have their running work done twice.
   */
  fenceLapsed(by: GatewayRow, nowMs: number): string[] {
    if (nowMs > by.leaseUntilMs || nowMs - by.steadySinceMs < by.ttlMs) return [];
    const lapsed = [...this.#present.values()].filter((row) => nowMs > row.leaseUntilMs);
    for (const row of lapsed) {
      this.#present.delete(row.gateway);
      this.#fenced.set(row.gateway, row);
    }
    return lapsed.map((row) => row.gateway);
  }

  /** The tasks that fenced gateways still own. Each must be disowned before the next one is asked for. */
  *orphans(): Generator<TaskRow, void> {
    for (const [gateway, { owned }] of this.#fenced) {
      yield* owned;
      this.#fenced.delete(gateway);
    }
  }
}

/** The standing orders of a store. */
import { PincerError } from '../../protocol/failure.ts';
import type { StandingOrder } from './cluster.ts';
import type { Table } from './tables.ts';

export class OrderRows {
  readonly #ordersMax: number;
  readonly #rows: Table<StandingOrder>;

  constructor(ordersMax: number, rows: Table<StandingOrder>) {
    this.#ordersMax = ordersMax;
    this.#rows = rows;
  }

  put({ kind, name }: StandingOrder): void {
    const key = keyOf({ kind, name });
    if (this.#rows.get(key) === undefined && this.#rows.size >= this.#ordersMax) {
      const message = `there are ${this.#rows.size} standing orders, and ordersMax is ${this.#ordersMax}`;
      throw new PincerError('RATE_EXCEEDED', message);
    }
    this.#rows.set(key, { kind, name });
  }

  drop(order: StandingOrder): boolean {
    return this.#rows.delete(keyOf(order));
  }

  all(): readonly StandingOrder[] {
    return Array.from(this.#rows.values(), (order) => ({ ...order })).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }
}

function keyOf({ kind, name }: StandingOrder): string {
  return `${kind} ${name}`;
}

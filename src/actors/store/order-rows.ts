/** The standing orders of a memory store. */
import { PincerError } from '../../protocol/failure.ts';
import type { StandingOrder } from './cluster.ts';

export class OrderRows {
  readonly #ordersMax: number;
  readonly #rows = new Map<string, StandingOrder>();

  constructor(ordersMax: number) {
    this.#ordersMax = ordersMax;
  }

  put({ kind, name }: StandingOrder): void {
    const key = keyOf({ kind, name });
    if (!this.#rows.has(key) && this.#rows.size >= this.#ordersMax) {
      const message = `there are ${this.#rows.size} standing orders, and ordersMax is ${this.#ordersMax}`;
      throw new PincerError('RATE_EXCEEDED', message);
    }
    this.#rows.set(key, { kind, name });
  }

  drop(order: StandingOrder): boolean {
    return this.#rows.delete(keyOf(order));
  }

  all(): readonly StandingOrder[] {
    return [...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, order]) => ({ ...order }));
  }
}

function keyOf({ kind, name }: StandingOrder): string {
  return `${kind} ${name}`;
}

/** A bounded memory of names: what was seen within a time, oldest first. */
import type { Clock } from '../protocol/ports.ts';

export class Recent {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #keepMs: number;
  /** By name, when it may be forgotten; in the order in which they were added. */
  readonly #until = new Map<string, number>();

  constructor(clock: Clock, options: { max: number; keepMs?: number }) {
    this.#clock = clock;
    this.#max = options.max;
    this.#keepMs = options.keepMs ?? Number.POSITIVE_INFINITY;
  }

  has(name: string): boolean {
    this.#forget();
    return this.#until.has(name);
  }

  /** True while nothing that must still be remembered would have to go for another name. */
  get hasRoom(): boolean {
    this.#forget();
    return this.#until.size < this.#max;
  }

  /** Remembers a name; beyond the bound the oldest goes. */
  add(name: string): void {
    this.#forget();
    this.#until.delete(name);
    this.#until.set(name, this.#clock.now() + this.#keepMs);
    for (const oldest of this.#until.keys()) {
      if (this.#until.size <= this.#max) break;
      this.#until.delete(oldest);
    }
  }

  delete(name: string): void {
    this.#until.delete(name);
  }

  #forget(): void {
    const now = this.#clock.now();
    for (const [name, until] of this.#until) {
      if (until > now) break;
      this.#until.delete(name);
    }
  }
}

/** A rate limit that runs on the path of every frame: no timer, no promise, no allocation; time is an argument. */

/**
 * Lets `perSecond` through on average and `burst` at once. What is taken is always taken, since a frame that has been
 * read cannot be unread: an empty bucket goes into debt and says how long to stop reading.
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #level: number;
  #at: number;

  /** Full at `now`, a monotonic time in milliseconds. `burst` is one second’s worth unless it is given. */
  constructor(perSecond: number, now: number, burst: number = perSecond) {
    this.#perMs = perSecond / 1_000;
    this.#burst = burst;
    this.#level = burst;
    this.#at = now;
  }

  /** Takes `amount`; returns how many milliseconds to wait before taking more, 0 for none. `now` must not go back. */
  take(amount: number, now: number): number {
    this.#level = Math.min(this.#burst, this.#level + (now - this.#at) * this.#perMs) - amount;
    this.#at = now;
    return this.#level >= 0 ? 0 : -this.#level / this.#perMs;
  }
}

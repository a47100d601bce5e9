/**
 * A flush that may come a little late, because something else that leaves before then can take along what waits. One timer
 * for whatever waits: with many flushes it would not pay to clear and set one for each. It looks twice in `withinMs`, and
 * what has waited for one whole look is sent at the next. Where waiting was in vain, the next ones need not wait.
 */
import type { Clock } from '../protocol/ports.ts';

export class LateFlush {
  readonly #clock: Clock;
  readonly #withinMs: number;
  readonly #flush: () => void;
  /** How many need not wait after one that waited in vain. */
  readonly #sparedMax: number;
  #spared = 0;
  #isWaiting = false;
  #flushes = 0;
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, withinMs: number, flush: () => void, sparedMax = 0) {
    this.#clock = clock;
    this.#withinMs = withinMs;
    this.#flush = flush;
    this.#sparedMax = sparedMax;
  }

  /** Whether the next one need not wait: it is counted as spared. */
  spare(): boolean {
    if (this.#spared === 0) return this.#withinMs === 0;
    this.#spared -= 1;
    return true;
  }

  /** Something waits from now on. False: it always does, or nothing may, so there is nothing to begin at the end of this turn. */
  wait(): boolean {
    if (this.#isWaiting) return false;
    this.#isWaiting = true;
    return this.#cancel === null;
  }

  /** The turn ends, and nothing took along what waits. */
  begin(): void {
    if (this.#isWaiting && this.#cancel === null) this.#look(this.#flushes);
  }

  /** There was a flush. */
  flushed(): void {
    this.#isWaiting = false;
    this.#flushes += 1;
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#isWaiting = false;
  }

  #look(flushesBefore: number): void {
    this.#cancel = this.#clock.schedule(this.#withinMs / 2, () => {
      this.#cancel = null;
      if (!this.#isWaiting) return;
      if (this.#flushes === flushesBefore) {
        this.#spared = this.#sparedMax;
        this.#flush();
      } else this.#look(this.#flushes);
    });
  }
}

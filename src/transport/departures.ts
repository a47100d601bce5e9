/**
 * What leaves at the end of a turn of the event loop: the posts of one gateway, node or client that have something to send
 * by then are asked in one step, in the order in which they said so.
 */
import type { Clock } from '../protocol/ports.ts';

/** One that may have something to send. */
export interface Departing {
  /** The turn ends. */
  depart(): void;
}

export class Departures {
  readonly #clock: Clock;
  #waiting: Departing[] = [];
  #isDue = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Has it asked at the end of this turn. */
  add(departing: Departing): void {
    this.#waiting.push(departing);
    this.expect();
  }

  /**
   * Has this turn end behind what was put off until then before. Whoever puts off work that will have something to send
   * says so, and what it sends still leaves in the same step of the event loop.
   */
  expect(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#clock.soon(this.#leave);
  }

  readonly #leave = (): void => {
    let asked = 0;
    try {
      // Also those who have something to send because of what another one has just done.
      while (asked < this.#waiting.length) {
        const departing = this.#waiting[asked];
        asked += 1;
        departing?.depart();
      }
    } finally {
      this.#isDue = false;
      this.#waiting = this.#waiting.slice(asked);
      if (this.#waiting.length > 0) this.expect();
    }
  };
}

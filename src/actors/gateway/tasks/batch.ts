/**
 * Entries gathered during a turn and written in one step. While the store is away all wait and are written later; where
 * it is there and will not have them, each is tried for itself, so that one at fault keeps no other one waiting.
 */
import { PincerError } from '../../../protocol/failure.ts';
import type { Clock } from '../../../protocol/ports.ts';
import type { Deadlines } from '../../world/deadlines.ts';

export interface BatchOptions<Entry> {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** Entries in one write. */
  readonly sizeMax: number;
  /** Wait before a failed write is tried again. */
  readonly retryMs: number;
  write(entries: readonly Entry[]): Promise<void>;
  onFailed(error: unknown): void;
}

export class Batch<Entry> {
  readonly #options: BatchOptions<Entry>;
  #entries: Entry[] = [];
  #isDue = false;
  #isHeld = false;

  constructor(options: BatchOptions<Entry>) {
    this.#options = options;
  }

  add(entry: Entry): void {
    this.#entries.push(entry);
    if (this.#isDue) return;
    this.#isDue = true;
    this.#options.clock.soon(() => {
      this.#isDue = false;
      this.flush();
    });
  }

  flush(): void {
    while (this.#entries.length > 0 && !this.#isHeld) void this.#write(this.#entries.splice(0, this.#options.sizeMax));
  }

  async #write(entries: Entry[]): Promise<void> {
    try {
      await this.#options.write(entries);
    } catch (error) {
      this.#options.onFailed(error);
      if (error instanceof PincerError && error.code === 'STORE_UNAVAILABLE') this.#hold(entries);
      else if (entries.length > 1) for (const entry of entries) void this.#write([entry]);
      else this.#options.deadlines.set(this.#options.retryMs, () => void this.#write(entries));
    }
  }

  /** All wait, in their order. */
  #hold(entries: readonly Entry[]): void {
    this.#entries = [...entries, ...this.#entries];
    this.#isHeld = true;
    this.#options.deadlines.set(this.#options.retryMs, () => {
      this.#isHeld = false;
      this.flush();
    });
  }
}

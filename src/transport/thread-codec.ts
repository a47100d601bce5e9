/**
 * Plain data between two threads of one process that run the same version: what the names of an object are is said once,
 * then it is numbers. Unlike frames these bytes are trusted, and each reader must read all that its writer wrote, in order.
 */
import { Packr, Unpackr } from 'msgpackr';

// Stateful on purpose: see msgpack.ts for what peers speak.
const BETWEEN_THREADS = { sequential: true, useRecords: true, mapsAsObjects: false, moreTypes: false } as const;

export class ThreadWriter {
  #packr = new Packr({ ...BETWEEN_THREADS });

  /**
   * Bytes of their own, in a buffer of their own: they can be handed over. Nothing of the value is referred to.
   * @throws what cannot be packed; the reader must `startAnew` before it reads what is written next
   */
  write(value: unknown): Uint8Array<ArrayBuffer> {
    try {
      return new Uint8Array(this.#packr.pack(value));
    } catch (error) {
      // Names that it gave numbers to are known to nobody else.
      this.#packr = new Packr({ ...BETWEEN_THREADS });
      throw error;
    }
  }
}

export class ThreadReader {
  #unpackr = new Unpackr({ ...BETWEEN_THREADS });

  /** What was written. Its bytes are views of these ones. */
  read(bytes: Uint8Array): unknown {
    return this.#unpackr.unpack(bytes);
  }

  /** Forgets what was said of names. */
  startAnew(): void {
    this.#unpackr = new Unpackr({ ...BETWEEN_THREADS });
  }
}

/**
 * Bytes of the memory store’s own. Small ones lie side by side in slabs: a typed array with memory of its own takes three
 * hundred bytes beside what is in it. A slab lives as long as anything in it.
 */
import { NO_BYTES } from '../task-row.ts';

const SLAB_BYTES = 8_192;
/** Larger ones would leave too much of a slab unused. */
const SMALL_BYTES_MAX = SLAB_BYTES / 4;

export class Slabs {
  #slab = NO_BYTES;
  #buffer: ArrayBufferLike = NO_BYTES.buffer;
  #end = 0;

  /** What the bytes kept last lie in. */
  get buffer(): ArrayBufferLike {
    return this.#buffer;
  }

  /** Keeps a copy; says where it begins in `buffer`. */
  keep(bytes: Uint8Array): number {
    const { byteLength } = bytes;
    if (byteLength > SMALL_BYTES_MAX) {
      this.#buffer = new Uint8Array(bytes).buffer;
      return 0;
    }
    if (this.#end + byteLength > this.#slab.byteLength) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#end = 0;
    }
    const at = this.#end;
    this.#end += byteLength;
    this.#slab.set(bytes, at);
    this.#buffer = this.#slab.buffer;
    return at;
  }

  /** A copy: callers pass views of frames, which are overwritten. */
  copyOf(bytes: Uint8Array): Uint8Array {
    const { byteLength } = bytes;
    if (byteLength === 0) return NO_BYTES;
    if (byteLength > SMALL_BYTES_MAX) return new Uint8Array(bytes);
    const at = this.keep(bytes);
    return new Uint8Array(this.#buffer, at, byteLength);
  }
}

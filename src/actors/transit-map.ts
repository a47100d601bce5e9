/**
 * A Map for what comes and goes by the thousand and stays for a moment: live tasks, attempts, requests. V8 chains the
 * tables of one Map: each that is outgrown, or full of holes, points to its successor. So once a full collection has made
 * one of them old, it keeps all that came after it, with every value that was in them, until the next full collection;
 * each young collection copies all of that. A Map that is replaced after so many new entries has a short chain.
 */

/** Entries after which a Map is replaced: more than it holds, so that copying those is little beside adding them. */
const REPLACED_AFTER = 512;
const REPLACED_AFTER_TIMES = 4;

/** Iterators see it as it was when they began or later; what is added while they run they may miss. */
export class TransitMap<Key, Value> {
  #map = new Map<Key, Value>();
  #added = 0;

  get size(): number {
    return this.#map.size;
  }

  get(key: Key): Value | undefined {
    return this.#map.get(key);
  }

  has(key: Key): boolean {
    return this.#map.has(key);
  }

  set(key: Key, value: Value): void {
    this.#added += 1;
    if (this.#added > REPLACED_AFTER && this.#added > this.#map.size * REPLACED_AFTER_TIMES) this.#replace();
    this.#map.set(key, value);
  }

  delete(key: Key): boolean {
    return this.#map.delete(key);
  }

  clear(): void {
    // Not `clear` of the Map: that chains its tables, too, and they keep what was in them.
    if (this.#map.size > 0) this.#map = new Map();
    this.#added = 0;
  }

  keys(): IterableIterator<Key> {
    return this.#map.keys();
  }

  values(): IterableIterator<Value> {
    return this.#map.values();
  }

  [Symbol.iterator](): IterableIterator<[Key, Value]> {
    return this.#map[Symbol.iterator]();
  }

  #replace(): void {
    const replaced = new Map<Key, Value>();
    for (const [key, value] of this.#map) replaced.set(key, value);
    this.#map = replaced;
    this.#added = 0;
  }
}

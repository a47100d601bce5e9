/**
 * A binary heap whose items can be withdrawn without being searched for: the owner changes the item so that `isLive`
 * denies it, and says `drop()`. Dead items are skipped when they come to the top, and cleared away together once they
 * outnumber the live ones, so the heap never holds more than twice what is live.
 */
import TinyQueue from 'tinyqueue';

/** Below this many dead items clearing away costs more than it frees. */
const DEAD_KEPT_MAX = 64;

export class LazyHeap<Item> {
  readonly #compare: (a: Item, b: Item) => number;
  readonly #isLive: (item: Item) => boolean;
  #heap: TinyQueue<Item>;
  #dead = 0;

  constructor(compare: (a: Item, b: Item) => number, isLive: (item: Item) => boolean) {
    this.#compare = compare;
    this.#isLive = isLive;
    this.#heap = new TinyQueue<Item>([], compare);
  }

  /** How many live items it holds. */
  get size(): number {
    return this.#heap.length - this.#dead;
  }

  /** How many items take up room, the dead ones included. At most twice `size`, plus 64. */
  get held(): number {
    return this.#heap.length;
  }

  /** Adds a live item. An item may come back only after it was taken, never after it was dropped. */
  push(item: Item): void {
    this.#heap.push(item);
  }

  /** The first live item, left where it is. */
  first(): Item | undefined {
    this.#skipDead();
    return this.#heap.peek();
  }

  /** Takes the first live item out. */
  take(): Item | undefined {
    this.#skipDead();
    return this.#heap.pop();
  }

  /** Says that one item in the heap has just ceased to be live. */
  drop(): void {
    this.#dead += 1;
    if (this.#dead <= DEAD_KEPT_MAX || this.#dead * 2 <= this.#heap.length) return;
    this.#heap = new TinyQueue(this.#heap.data.filter(this.#isLive), this.#compare);
    this.#dead = 0;
  }

  /** The live items, in no order. */
  *[Symbol.iterator](): Iterator<Item> {
    for (const item of this.#heap.data) if (this.#isLive(item)) yield item;
  }

  #skipDead(): void {
    if (this.#dead === 0) return;
    for (let top = this.#heap.peek(); top !== undefined && !this.#isLive(top); top = this.#heap.peek()) {
      this.#heap.pop();
      this.#dead -= 1;
    }
  }
}

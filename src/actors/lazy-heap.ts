/**
 * A heap whose items can be withdrawn without being searched for: the owner changes the item so that `isLive` denies it,
 * and says `drop()`. Dead items are skipped when they come to the top, and cleared away together once they outnumber the
 * live ones, so the heap never holds more than twice what is live.
 *
 * Most items come in the order in which they go: tasks of one priority, deadlines of one span. Those stand in a row, where
 * adding and taking cost the same however many there are; only what comes out of order is sifted through a binary heap.
 */
import TinyQueue from 'tinyqueue';

/** Below this many dead items, or places of taken ones, clearing away costs more than it frees. */
const DEAD_KEPT_MAX = 64;

export class LazyHeap<Item> {
  readonly #compare: (a: Item, b: Item) => number;
  readonly #isLive: (item: Item) => boolean;
  /** What came in order, from `#from` on. */
  #row: (Item | undefined)[] = [];
  #from = 0;
  #last: Item | undefined = undefined;
  /** What did not. */
  #heap: TinyQueue<Item>;
  #dead = 0;

  constructor(compare: (a: Item, b: Item) => number, isLive: (item: Item) => boolean) {
    this.#compare = compare;
    this.#isLive = isLive;
    this.#heap = new TinyQueue<Item>([], compare);
  }

  /** How many live items it holds. */
  get size(): number {
    return this.held - this.#dead;
  }

  /** How many items take up room, the dead ones included. At most twice `size`, plus 64. */
  get held(): number {
    return this.#row.length - this.#from + this.#heap.length;
  }

  /** Adds a live item. An item may come back only after it was taken, never after it was dropped. */
  push(item: Item): void {
    if (this.#last === undefined || this.#compare(this.#last, item) <= 0) {
      this.#row.push(item);
      this.#last = item;
    } else this.#heap.push(item);
  }

  /** The first live item, left where it is. */
  first(): Item | undefined {
    if (this.#dead > 0) this.#skipDead();
    const inRow = this.#row[this.#from];
    if (this.#heap.length === 0) return inRow;
    return this.#isHeapFirst(inRow) ? this.#heap.peek() : inRow;
  }

  /** Takes the first live item out. */
  take(): Item | undefined {
    if (this.#dead > 0) this.#skipDead();
    const inRow = this.#row[this.#from];
    if (this.#heap.length > 0 && this.#isHeapFirst(inRow)) return this.#heap.pop();
    if (inRow !== undefined) this.#advance();
    return inRow;
  }

  /** Says that one item in the heap has just ceased to be live. */
  drop(): void {
    this.#dead += 1;
    if (this.#dead <= DEAD_KEPT_MAX || this.#dead * 2 <= this.held) return;
    this.#heap = new TinyQueue(this.#heap.data.filter(this.#isLive), this.#compare);
    this.#row = this.#row.filter((item) => item !== undefined && this.#isLive(item));
    this.#from = 0;
    this.#last = this.#row.at(-1);
    this.#dead = 0;
  }

  /** The live items, in no order. */
  *[Symbol.iterator](): Iterator<Item> {
    for (const item of this.#row) if (item !== undefined && this.#isLive(item)) yield item;
    for (const item of this.#heap.data) if (this.#isLive(item)) yield item;
  }

  #isHeapFirst(inRow: Item | undefined): boolean {
    return inRow === undefined || this.#compare(this.#heap.peek() as Item, inRow) < 0;
  }

  #skipDead(): void {
    for (let item = this.#row[this.#from]; item !== undefined && !this.#isLive(item); item = this.#row[this.#from]) {
      this.#advance();
      this.#dead -= 1;
    }
    for (let top = this.#heap.peek(); top !== undefined && !this.#isLive(top); top = this.#heap.peek()) {
      this.#heap.pop();
      this.#dead -= 1;
    }
  }

  #advance(): void {
    const row = this.#row;
    row[this.#from] = undefined;
    this.#from += 1;
    if (this.#from === row.length) this.#last = undefined;
    if (this.#from <= DEAD_KEPT_MAX || this.#from * 2 <= row.length) return;
    row.splice(0, this.#from);
    this.#from = 0;
  }
}

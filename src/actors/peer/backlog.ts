/** What waits for its turn, in order. What is taken is let go of, also of a backlog that is never empty. */

/** So much taken is cut off at once: shifting an array for each would be O(n). */
const CUT_FROM = 1_024;

export class Backlog<Item extends object> {
  #items: (Item | undefined)[] = [];
  /** Where it begins: what lies before was taken. */
  #from = 0;

  get size(): number {
    return this.#items.length - this.#from;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  /** The next; undefined: none waits. */
  take(): Item | undefined {
    const item = this.#items[this.#from];
    if (item === undefined) return undefined;
    this.#items[this.#from] = undefined;
    this.#from += 1;
    if (this.#from === this.#items.length) {
      this.#items.length = 0;
      this.#from = 0;
    } else if (this.#from > CUT_FROM && this.#from * 2 > this.#items.length) {
      this.#items.splice(0, this.#from);
      this.#from = 0;
    }
    return item;
  }

  takeAll(): Item[] {
    const all = this.#items.slice(this.#from) as Item[];
    this.#items = [];
    this.#from = 0;
    return all;
  }
}

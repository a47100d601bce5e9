/**
 * A table of small rows in LMDB, as the verbs want it: what was read or set in a transaction is kept until its end and
 * then written once, so that a thousand tasks of one class change its row once.
 */
import type { Database } from 'lmdb';
import { TransitMap } from '../../transit-map.ts';
import type { Table } from '../tables.ts';

/** Rows that are kept from one transaction to the next: more than there may be classes, of which a claim may ask for each. */
const KNOWN_MAX = 16_384;

export class SmallTable<Value> implements Table<Value> {
  readonly #db: Database<unknown, string>;
  readonly #keyOf: (name: string) => string;
  /** What is known of rows in this transaction; undefined: there is none. */
  readonly #known = new TransitMap<string, Value | undefined>();
  /** Names of those that are to be written. */
  readonly #changed = new TransitMap<string, true>();

  /** `keyOf` makes keys of names that may be too long for one. */
  constructor(db: Database<unknown, string>, keyOf: (name: string) => string = (name) => name) {
    this.#db = db;
    this.#keyOf = keyOf;
  }

  get size(): number {
    this.flush();
    return this.#db.getCount();
  }

  get(name: string): Value | undefined {
    return this.#read(this.#keyOf(name));
  }

  #read(key: string): Value | undefined {
    if (this.#known.has(key)) return this.#known.get(key);
    const value = this.#db.get(key) as Value | undefined;
    this.#known.set(key, value);
    return value;
  }

  set(name: string, value: Value): void {
    const key = this.#keyOf(name);
    this.#known.set(key, value);
    this.#changed.set(key, true);
  }

  delete(name: string): boolean {
    const key = this.#keyOf(name);
    const existed = this.#read(key) !== undefined;
    this.#known.set(key, undefined);
    if (existed) this.#changed.set(key, true);
    return existed;
  }

  values(): Value[] {
    this.flush();
    const keys = Array.from(this.#db.getKeys());
    return keys.map((key) => this.#read(key)).filter((value) => value !== undefined);
  }

  /** Writes what has changed. */
  flush(): void {
    for (const key of this.#changed.keys()) {
      const value = this.#known.get(key);
      if (value === undefined) this.#db.removeSync(key);
      else this.#db.putSync(key, value);
    }
    this.#changed.clear();
  }

  /** Forgets what it knows, if that is much. */
  trim(): void {
    if (this.#known.size > KNOWN_MAX) this.#known.clear();
  }

  /** Forgets what it knows: another process may change it from now on. */
  reset(): void {
    this.#known.clear();
    this.#changed.clear();
  }
}

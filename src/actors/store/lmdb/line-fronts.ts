/**
 * Who comes first in the lines of an LMDB store: so that a claim need not look into the index, and what is submitted and
 * claimed in one transaction never stands in it. Valid only as long as no other process has written (lmdb-tables.ts knows).
 */
import { comparePlaces, type Place } from '../../../machines/policies/rank.ts';
import type { LmdbRow } from './head.ts';

/** Places that are read at once at most, and those that are kept of one line; fewer where there are many lines. */
const READ_MAX = 256;
const PLACES_MAX = 1_024;
const PLACES_OF_ALL = 262_144;
/** Lines of which the front is kept: more than there may be classes, as each claim may look at every one of them in turn. */
const FRONTS_MAX = 16_384;

export interface Standing extends Place {
  readonly taskId: string;
}

/** The first of one line: all that stand before the last of these, or, if it is whole, all. */
class Front {
  readonly #read: (limit: number) => Standing[];
  readonly #placesMax: () => number;
  #standing: Standing[] = [];
  #isWhole = false;
  /** How many are read next: twice as many each time, as long as nobody else writes and all is read anew. */
  #limit: number;

  constructor(lines: { read(limit: number): Standing[]; placesMax(): number }, wanted: number) {
    this.#read = lines.read;
    this.#placesMax = lines.placesMax;
    this.#limit = Math.min(READ_MAX, wanted + 1);
  }

  first(): Standing | undefined {
    if (this.#standing.length === 0 && !this.#isWhole) {
      const limit = Math.min(this.#limit, this.#placesMax());
      this.#standing = this.#read(limit);
      this.#isWhole = this.#standing.length < limit;
      this.#limit = Math.min(READ_MAX, 2 * this.#limit);
    }
    return this.#standing[0];
  }

  take(): void {
    this.#standing.shift();
  }

  enter({ rank, seq, taskId }: LmdbRow): void {
    const standing = this.#standing;
    const at = this.#placeOf({ rank, seq });
    if (at === standing.length && !this.#isWhole) return;
    standing.splice(at, 0, { rank, seq, taskId });
    const placesMax = this.#placesMax();
    if (standing.length <= placesMax) return;
    standing.length = placesMax;
    this.#isWhole = false;
  }

  leave({ rank, seq, taskId }: LmdbRow): void {
    const at = this.#placeOf({ rank, seq });
    if (this.#standing[at]?.taskId === taskId) this.#standing.splice(at, 1);
  }

  /** Where the first stands that does not stand before this place. */
  #placeOf(place: Place): number {
    let from = 0;
    let to = this.#standing.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (comparePlaces(this.#standing[middle] as Standing, place) < 0) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

/** Where all that stand are kept. */
export interface Lines {
  /** The first of a line, at most `limit`. */
  line(queue: string, limit: number): Standing[];
}

export class LineFronts {
  readonly #lines: Lines;
  readonly #fronts = new Map<string, Front>();
  readonly #placesMax = (): number => Math.min(PLACES_MAX, Math.ceil(PLACES_OF_ALL / this.#fronts.size));

  constructor(lines: Lines) {
    this.#lines = lines;
  }

  /** `wanted`: how many may be taken of it now. */
  of(queue: string, wanted: number): Front {
    let front = this.#fronts.get(queue);
    if (front === undefined) {
      const [oldest] = this.#fronts.keys();
      if (oldest !== undefined && this.#fronts.size >= FRONTS_MAX) this.#fronts.delete(oldest);
      const read = (limit: number): Standing[] => this.#lines.line(queue, limit);
      front = new Front({ read, placesMax: this.#placesMax }, wanted);
      this.#fronts.set(queue, front);
    }
    return front;
  }

  /** A row has its place in its line. */
  enter(row: LmdbRow): void {
    this.#fronts.get(row.queue)?.enter(row);
  }

  /** A row does not stand in its line any more, without its turn. */
  leave(row: LmdbRow): void {
    this.#fronts.get(row.queue)?.leave(row);
  }

  reset(): void {
    this.#fronts.clear();
  }
}

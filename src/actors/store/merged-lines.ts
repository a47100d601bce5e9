/** Takes from several lines at once, whichever has the first task; what is wanted of each and of all has a limit. */
import TinyQueue from 'tinyqueue';
import { comparePlaces, type Place } from '../../machines/policies/rank.ts';
import type { Want } from './store.ts';
import type { Taker } from './tables.ts';

/** The claimable tasks of one class, in order. */
export interface Line<Row> {
  /** Where the first one stands. */
  first(): Place | undefined;
  /** The first one itself. */
  row(): Row | undefined;
  /** Takes the first one out. */
  take(): void;
}

/** A line that is being taken from: where its first task stands, and how many more it may give. */
interface Head<Row> {
  place: Place;
  readonly line: Line<Row>;
  left: number;
}

/**
 * At most `want.limit` of each class and `limit` in all. `lineOf` is told how many may be taken of its class. Of each line
 * only the place of its first task is looked at: there may be thousands of lines, and rows for few of them.
 */
export function takeMerged<Row extends Place>(
  wants: readonly Want[],
  limit: number,
  { lineOf, taker }: { lineOf: (queue: string, limit: number) => Line<Row> | undefined; taker: Taker<Row> },
): void {
  const heads = new TinyQueue<Head<Row>>([], (a, b) => comparePlaces(a.place, b.place));
  for (const [queue, left] of limitsByQueue(wants)) {
    const line = left > 0 ? lineOf(queue, Math.min(left, limit)) : undefined;
    const place = line?.first();
    if (line !== undefined && place !== undefined) heads.push({ place, line, left });
  }
  for (let taken = 0; taken < limit; ) {
    const head = heads.pop();
    if (head === undefined) break;
    const row = head.line.row();
    // Asked when its turn has come: one before it may have used up the limit that both share.
    if (row === undefined || !taker.mayTake(row)) continue;
    head.line.take();
    taker.take(row);
    taken += 1;
    head.left -= 1;
    const next = head.left > 0 ? head.line.first() : undefined;
    if (next === undefined) continue;
    head.place = next;
    heads.push(head);
  }
}

/** A class that is wanted twice is wanted that much more. */
function limitsByQueue(wants: readonly Want[]): Map<string, number> {
  const limits = new Map<string, number>();
  for (const { queue, limit } of wants) limits.set(queue, (limits.get(queue) ?? 0) + Math.max(0, limit));
  return limits;
}

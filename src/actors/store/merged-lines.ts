/** Takes from several lines at once, whichever has the first task; what is wanted of each and of all has a limit. */
import TinyQueue from 'tinyqueue';
import { comparePlaces, type Place } from '../../machines/policies/rank.ts';
import type { Want } from './store.ts';
import type { Taker } from './tables.ts';

/** The claimable tasks of one class, in order. */
export interface Line<Row> {
  first(): Row | undefined;
  /** Takes the first one out. */
  take(): void;
}

/** A line that is being taken from: its first task, and how many more it may give. */
interface Head<Row> {
  row: Row;
  readonly line: Line<Row>;
  left: number;
}

/** At most `want.limit` of each class and `limit` in all. `lineOf` is told how many may be taken of its class. */
export function takeMerged<Row extends Place>(
  wants: readonly Want[],
  limit: number,
  { lineOf, taker }: { lineOf: (queue: string, limit: number) => Line<Row> | undefined; taker: Taker<Row> },
): void {
  const heads = new TinyQueue<Head<Row>>([], (a, b) => comparePlaces(a.row, b.row));
  for (const [queue, left] of limitsByQueue(wants)) {
    const line = left > 0 ? lineOf(queue, Math.min(left, limit)) : undefined;
    const row = line?.first();
    if (line !== undefined && row !== undefined && taker.mayTake(row)) heads.push({ row, line, left });
  }
  for (let taken = 0; taken < limit; ) {
    const head = heads.pop();
    if (head === undefined) break;
    // A head before it may have used up the limit that both share.
    if (!taker.mayTake(head.row)) continue;
    head.line.take();
    taker.take(head.row);
    taken += 1;
    head.left -= 1;
    const next = head.left > 0 ? head.line.first() : undefined;
    if (next === undefined || !taker.mayTake(next)) continue;
    head.row = next;
    heads.push(head);
  }
}

/** A class that is wanted twice is wanted that much more. */
function limitsByQueue(wants: readonly Want[]): Map<string, number> {
  const limits = new Map<string, number>();
  for (const { queue, limit } of wants) limits.set(queue, (limits.get(queue) ?? 0) + Math.max(0, limit));
  return limits;
}

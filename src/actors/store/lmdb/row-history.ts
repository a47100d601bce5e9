/**
 * The history of a task as it is written down: its entries as JSON, one after another in its row. One more is appended
 * without looking at those before it, and they are read only when somebody asks for them.
 */
import type { HistoryEntry } from '../../../protocol/task.ts';

/** What the entries of one row share. */
export interface Telling {
  /** The entries that are kept: the first ever, and those from this one on. */
  firstEntry: number;
  /** Each with a comma after it. */
  told: string;
  /** The first gateway that they name: it is written once, here. */
  toldBy: string | null;
}

/** When, what, attempt, gateway (`true`: that of `toldBy`), node, detail. */
type Written = [number, number | string, number, string | true | null, string | null, string | null];

/** What mostly happens is written as its place in this list, anything else by its name: only ever append to it. */
const EVENTS = [
  ...['task.submitted', 'task.claimed', 'task.assigned', 'attempt.started', 'task.completed', 'task.failed'],
  ...['task.cancelled', 'attempt.released', 'task.due', 'task.adopted', 'task.redriven', 'task.expired'],
  ...['cancel.requested', 'dependency.settled'],
];
const PLACES = new Map(EVENTS.map((event, at) => [event, at]));

/** Adds an entry; beyond `entriesMax` the oldest but the first makes room for it. */
export function appendEntry(row: Telling, entry: HistoryEntry, entriesMax: number): void {
  // `n` counts this one already.
  if (entry.n - row.firstEntry >= entriesMax) {
    const [first, , ...rest] = writtenOf(row.told);
    row.told = [...(first === undefined ? [] : [first]), ...rest].map(lineOf).join('');
    row.firstEntry += 1;
  }
  if (row.toldBy === null && entry.gateway !== undefined) row.toldBy = entry.gateway;
  row.told += lineOf(writtenAs(entry, row.toldBy));
}

function writtenAs({ at, event, attempt, gateway, node, detail }: HistoryEntry, toldBy: string | null): Written {
  const by = gateway !== undefined && gateway === toldBy ? true : (gateway ?? null);
  return [at, PLACES.get(event) ?? event, attempt, by, node ?? null, detail ?? null];
}

/** The entries that are kept, oldest first. */
export function entriesOf({ told, toldBy, firstEntry }: Telling): HistoryEntry[] {
  return writtenOf(told).map(([at, event, attempt, by, node, detail], place) => {
    const name = typeof event === 'number' ? (EVENTS[event] ?? `event ${event}`) : event;
    const entry: HistoryEntry = { n: place === 0 ? 1 : firstEntry + place, at, event: name, attempt };
    const gateway = by === true ? toldBy : by;
    if (gateway !== null) entry.gateway = gateway;
    if (node !== null) entry.node = node;
    if (detail !== null) entry.detail = detail;
    return entry;
  });
}

function writtenOf(told: string): Written[] {
  return JSON.parse(`[${told.slice(0, -1)}]`) as Written[];
}

/** By hand, a quarter of the time of `JSON.stringify`: there is one with every change of a task. */
function lineOf([at, event, attempt, by, node, detail]: Written): string {
  return `[${at},${quoted(event)},${attempt},${quoted(by)},${quoted(node)},${quoted(detail)}],`;
}

function quoted(value: string | number | boolean | null): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/** Of a row that has told nothing yet. */
export function noTelling(): Telling {
  return { firstEntry: 1, told: '', toldBy: null };
}

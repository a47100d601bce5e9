/**
 * The histories of the memory store: of each entry a line and a time. Most lines are the same for very many tasks (claimed
 * by this gateway, sent to that node), and so they are shared; entries are made of them when somebody asks.
 */
import { toldLate } from '../../../protocol/history.ts';
import type { HistoryEntry } from '../../../protocol/task.ts';

/** Whose history it is. */
interface Teller {
  readonly createdAt: number;
  ownCourse(): { readonly history: PackedHistory };
}

/** What an entry says of itself. */
interface Told {
  readonly at: number;
  readonly event: string;
  readonly node?: string | undefined;
  readonly detail?: string | undefined;
  readonly lateMs?: number | undefined;
}

/** What an entry says, but for its number and its time. */
export interface Line {
  readonly event: string;
  readonly attempt: number;
  readonly gateway: string | undefined;
  readonly node: string | undefined;
  readonly detail: string | undefined;
  /** Whether its detail is `toldLate`, of a number that stands with its time. */
  readonly isLate: boolean;
  /** Its time itself, where the difference to another one would not give it back exactly: such a line is not shared. */
  readonly at: number | null;
}

/** Lines and, behind each, its time: milliseconds after the task was created, and how late it was told. */
export type PackedHistory = (Line | number)[];

/** Lines of one event and node that are looked through for one to share. */
const SHARED_MAX = 8;

/** Nodes whose lines are shared: beyond this many, the next ones are shared anew. */
const NODES_MAX = 1_024;

const SUBMITTED: Line = {
  event: 'task.submitted',
  attempt: 0,
  gateway: undefined,
  node: undefined,
  detail: undefined,
  isLate: false,
  at: null,
};

/** Both times in one number: of such a line are as many different ones as milliseconds, were they a part of it. */
const LATE_UNIT = 2 ** 16;
const AFTER_MAX = 2 ** 36;

/** The history of a task that was submitted, and waits for nothing but its turn. */
export function submittedHistory(afterMs: number): PackedHistory {
  return [SUBMITTED, afterMs];
}

export class Histories {
  /** By event and node. */
  readonly #shared = new Map<string, Map<string | undefined, Line[]>>();

  /** Adds an entry; beyond `entriesMax` the oldest but the first makes room for it. */
  add(row: Teller, told: Told, attempt: number, gateway: string | undefined, entriesMax: number): void {
    const { history } = row.ownCourse();
    if (history.length >= entriesMax * 2) history.splice(2, 2);
    const afterMs = told.at - row.createdAt;
    const time = timeOf(afterMs, told.lateMs);
    const isExact = time !== null && row.createdAt + afterMs === told.at;
    history.push(isExact ? this.#lineOf(told, attempt, gateway) : newLine(told, attempt, gateway), time ?? afterMs);
  }

  #lineOf(told: Told, attempt: number, gateway: string | undefined): Line {
    const { event, node, detail, lateMs } = told;
    const isLate = lateMs !== undefined;
    const lines = this.#linesOf(event, node);
    for (const line of lines) {
      if (line.attempt !== attempt || line.isLate !== isLate) continue;
      if (line.detail === detail && line.gateway === gateway) return line;
    }
    const line: Line = { event, attempt, gateway, node, detail, isLate, at: null };
    if (lines.length >= SHARED_MAX) lines.shift();
    lines.push(line);
    return line;
  }

  #linesOf(event: string, node: string | undefined): Line[] {
    let byNode = this.#shared.get(event);
    if (byNode === undefined) {
      byNode = new Map();
      this.#shared.set(event, byNode);
    }
    let lines = byNode.get(node);
    if (lines === undefined) {
      if (byNode.size >= NODES_MAX) byNode.clear();
      lines = [];
      byNode.set(node, lines);
    }
    return lines;
  }
}

/** A line of its own, with its time and all that it says. */
function newLine(told: Told, attempt: number, gateway: string | undefined): Line {
  const { event, node, lateMs, at } = told;
  const detail = lateMs === undefined ? told.detail : toldLate(lateMs);
  return { event, attempt, gateway, node, detail, isLate: false, at };
}

/** What stands behind a shared line; null where that would not give both times back exactly. */
function timeOf(afterMs: number, lateMs: number | undefined): number | null {
  if (lateMs === undefined) return afterMs;
  const isAfter = Number.isInteger(afterMs) && afterMs >= 0 && afterMs < AFTER_MAX;
  const isLate = Number.isInteger(lateMs) && lateMs >= 0 && lateMs < LATE_UNIT;
  return isAfter && isLate ? afterMs * LATE_UNIT + lateMs : null;
}

/** The entries of a history that has had so many in all: the first, and those that are left of the others. */
export function entriesOf(history: PackedHistory, createdAt: number, total: number): HistoryEntry[] {
  const entries: HistoryEntry[] = [];
  const count = history.length / 2;
  for (let index = 0; index < count; index += 1) {
    const { event, attempt, gateway, node, detail, isLate, at } = history[index * 2] as Line;
    const time = history[index * 2 + 1] as number;
    const entry: HistoryEntry = {
      n: index === 0 ? 1 : total - (count - 1 - index),
      at: at ?? createdAt + (isLate ? Math.floor(time / LATE_UNIT) : time),
      event,
      attempt,
    };
    if (gateway !== undefined) entry.gateway = gateway;
    if (node !== undefined) entry.node = node;
    if (isLate) entry.detail = toldLate(time % LATE_UNIT);
    else if (detail !== undefined) entry.detail = detail;
    entries.push(entry);
  }
  return entries;
}

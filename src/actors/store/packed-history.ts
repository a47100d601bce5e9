/**
 * The histories of the memory store: of each entry a line and a time. Most lines are the same for very many tasks (claimed
 * by this gateway, sent to that node), and so they are shared; entries are made of them when somebody asks.
 */
import type { HistoryEntry } from '../../protocol/task.ts';

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
}

/** What an entry says, but for its number and its time. */
interface Line {
  readonly event: string;
  readonly attempt: number;
  readonly gateway: string | undefined;
  readonly node: string | undefined;
  readonly detail: string | undefined;
  /** Its time itself, where the difference to another one would not give it back exactly: such a line is not shared. */
  readonly at: number | null;
}

/** Lines and, behind each, its time: milliseconds after the task was created. */
export type PackedHistory = (Line | number)[];

/** Lines of each event that are looked through for one to share: as many nodes as many gateways have. */
const SHARED_MAX = 16;

const SUBMITTED: Line = {
  event: 'task.submitted',
  attempt: 0,
  gateway: undefined,
  node: undefined,
  detail: undefined,
  at: null,
};

/** The history of a task that was submitted, and waits for nothing but its turn. */
export function submittedHistory(afterMs: number): PackedHistory {
  return [SUBMITTED, afterMs];
}

export class Histories {
  readonly #shared = new Map<string, Line[]>();

  /** Adds an entry; beyond `entriesMax` the oldest but the first makes room for it. */
  add(row: Teller, told: Told, attempt: number, gateway: string | undefined, entriesMax: number): void {
    const { history } = row.ownCourse();
    if (history.length >= entriesMax * 2) history.splice(2, 2);
    const { at } = told;
    const afterMs = at - row.createdAt;
    const isExact = row.createdAt + afterMs === at;
    history.push(isExact ? this.#lineOf(told, attempt, gateway) : newLine(told, attempt, gateway, at), afterMs);
  }

  #lineOf(told: Told, attempt: number, gateway: string | undefined): Line {
    const { event, node, detail } = told;
    let lines = this.#shared.get(event);
    if (lines === undefined) {
      lines = [];
      this.#shared.set(event, lines);
    }
    for (const line of lines) {
      if (line.node !== node || line.gateway !== gateway) continue;
      if (line.attempt === attempt && line.detail === detail) return line;
    }
    const line = newLine(told, attempt, gateway, null);
    if (lines.length >= SHARED_MAX) lines.shift();
    lines.push(line);
    return line;
  }
}

function newLine({ event, node, detail }: Told, attempt: number, gateway: string | undefined, at: number | null): Line {
  return { event, attempt, gateway, node, detail, at };
}

/** The entries of a history that has had so many in all: the first, and those that are left of the others. */
export function entriesOf(history: PackedHistory, createdAt: number, total: number): HistoryEntry[] {
  const entries: HistoryEntry[] = [];
  const count = history.length / 2;
  for (let index = 0; index < count; index += 1) {
    const { event, attempt, gateway, node, detail, at } = history[index * 2] as Line;
    const entry: HistoryEntry = {
      n: index === 0 ? 1 : total - (count - 1 - index),
      at: at ?? createdAt + (history[index * 2 + 1] as number),
      event,
      attempt,
    };
    if (gateway !== undefined) entry.gateway = gateway;
    if (node !== undefined) entry.node = node;
    if (detail !== undefined) entry.detail = detail;
    entries.push(entry);
  }
  return entries;
}

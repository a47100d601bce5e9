/**
 * What the history of a task says: the names of its entries, what stands in their details, and each entry as a sentence.
 * Every store writes these words; replay and `pincer story` read them.
 */
import type { HistoryEntry } from './task.ts';

/** Everything that a history can tell. */
export const HISTORY_EVENTS = [
  'task.submitted',
  'task.redriven',
  'task.due',
  'task.claimed',
  'task.assigned',
  'attempt.started',
  'task.adopted',
  'attempt.released',
  'cancel.requested',
  'dependency.settled',
  'task.expired',
  'task.completed',
  'task.failed',
  'task.cancelled',
] as const;
export type HistoryEvent = (typeof HISTORY_EVENTS)[number];

/** What an attempt that is over has cost its task. */
export type Cost = 'failure' | 'crash' | 'nothing';

/** What is said of an attempt that is over: `failure: HANDLER_FAILED; waits 250 ms`. */
const COST = /^(failure|crash|nothing)(?:: ([A-Z][A-Z0-9_]*))?(?:;|$)/;
/** That a task does not wait for its turn yet: `waits 250 ms and for 2 tasks`. */
const WAITS = /(?:^|; )(waits (?:\d+ ms|for \d+ tasks?)(?: and for \d+ tasks?)?)$/;

/** What is said of the start of an attempt that nobody had told of before its result. */
export function toldLate(lateMs: number): string {
  return `told by its result, ${lateMs} ms later`;
}

/** The event of an entry, or null for one that this version does not know. */
export function eventOf({ event }: HistoryEntry): HistoryEvent | null {
  return HISTORY_EVENTS.find((name) => name === event) ?? null;
}

/** What an attempt cost, if the entry tells of the end of one. */
export function costOf({ detail }: HistoryEntry): Cost | null {
  return (COST.exec(detail ?? '')?.[1] as Cost | undefined) ?? null;
}

/** The code of the failure that an entry tells of, or null. */
export function codeOf({ detail }: HistoryEntry): string | null {
  return COST.exec(detail ?? '')?.[2] ?? /^[A-Z][A-Z0-9_]+$/.exec(detail ?? '')?.[0] ?? null;
}

/** Whether the task then waits for a time or for other tasks, not for its turn. */
export function isDelayedBy({ detail }: HistoryEntry): boolean {
  return WAITS.test(detail ?? '');
}

/** A gateway by its name, without the id that its store adds each time it joins. */
export function gatewayNameOf({ gateway }: HistoryEntry): string | null {
  return gateway?.replace(/:[^:]*$/, '') ?? null;
}

/** An entry as a sentence. Peers’ text in it is theirs: make it safe before a terminal sees it. */
export function sentenceOf(entry: HistoryEntry): string {
  const { attempt, node = 'a node', detail } = entry;
  const gateway = gatewayNameOf(entry) ?? 'of a name that is not known';
  const waits = WAITS.exec(detail ?? '')?.[1];
  const because = codeOf(entry) === null ? '' : ` (${codeOf(entry)})`;
  const event = eventOf(entry);
  switch (event) {
    case 'task.submitted':
      return waits === undefined ? 'It was submitted and waits for its turn.' : `It was submitted and ${waits}.`;
    case 'task.redriven':
      return `It was told to try again, with fresh budgets${waits === undefined ? '' : `; it ${waits}`}.`;
    case 'task.due':
      return 'What it waited for is over; it waits for its turn.';
    case 'task.claimed':
      return `Gateway ${gateway} took it for one of its nodes: attempt ${attempt} begins.`;
    case 'task.assigned':
      return `It was sent to ${node}.`;
    case 'attempt.started':
      return `${node} has started it${detail === undefined ? '' : ` (${detail})`}.`;
    case 'task.adopted':
      return `Gateway ${gateway} took over the attempt, which goes on at ${node}.`;
    case 'attempt.released':
      return `${endOf(entry)}${because}; the task ${waits ?? 'waits for its turn again'}.`;
    case 'cancel.requested':
      return 'It is to be cancelled.';
    case 'dependency.settled':
      return `A task that it waited for has ended (${detail ?? 'how is not known'}).`;
    case 'task.expired':
      return `Its time has passed while it waited${because}.`;
    case 'task.completed':
      return `It completed on ${node}; the result of attempt ${attempt} counts.`;
    case 'task.failed':
      return `It failed for good${because}.`;
    case 'task.cancelled':
      return 'It was cancelled.';
    case null:
      return `${entry.event}, which this version does not know${detail === undefined ? '' : `: ${detail}`}.`;
    default:
      return event satisfies never;
  }
}

function endOf(entry: HistoryEntry): string {
  const { attempt, node } = entry;
  const where = node === undefined ? '' : ` on ${node}`;
  switch (costOf(entry)) {
    case 'failure':
      return `Attempt ${attempt}${where} failed`;
    case 'crash':
      return `Attempt ${attempt}${where} was lost with its node or gateway`;
    default:
      return `Attempt ${attempt}${where} was given back without having failed`;
  }
}

/** Answers that fit into one frame: a peer could not read any other, however often it were sent. */
import { PincerError } from '../../../protocol/failure.ts';
import type { Limits } from '../../../protocol/limits.ts';
import type { NodeView } from '../../../protocol/node.ts';
import type { Answer, Query } from '../../../protocol/query.ts';
import { encodeFrame } from '../../../transport/codec.ts';
import { preflight } from '../../../transport/preflight.ts';

/** What the rest of the message takes: its type, its numbers. */
const ENVELOPE_BYTES = 256;
const HISTORY_KEPT = 50;

type AnyAnswer = Answer<Query['what']>;
type Ask = (query: Query) => Promise<AnyAnswer>;

/**
 * Answers a query, more briefly if it must: a page has fewer rows and a cursor, a task comes with the end of its history
 * only, a node without the list of its attempts, and so do all nodes for a peer that asks for no page of them. Of findings,
 * and of types that are paused, it has the first.
 * @throws PincerError `FRAME_TOO_LARGE` if even that does not fit, and what `answer` throws.
 */
export async function answerInOneFrame(query: Query, limits: Limits, answer: Ask): Promise<AnyAnswer> {
  let given: AnyAnswer | null = await answer(query);
  while (given !== null) {
    if (fits(given, limits)) return given;
    given = await shorter(query, given, answer);
  }
  throw new PincerError('FRAME_TOO_LARGE', `the answer to '${query.what}' does not fit into one frame`, {
    hint: 'Ask for less: a status, a single task or node.',
  });
}

/** The same with less in it; null: there is nothing left to leave out. */
async function shorter(query: Query, given: AnyAnswer, answer: Ask): Promise<AnyAnswer | null> {
  switch (query.what) {
    case 'tasks': {
      // Where the next page begins is for the store to say.
      const { length } = (given as Answer<'tasks'>).items;
      if (length <= 1) return null;
      return answer({ ...query, filter: { ...query.filter, limit: Math.ceil(length / 2) } });
    }
    case 'task': {
      const { history, ...task } = given as Answer<'task'>;
      return history.length <= HISTORY_KEPT ? null : { ...task, history: history.slice(-HISTORY_KEPT) };
    }
    case 'why': {
      const { nodes, ...why } = given as Answer<'why'>;
      const half = halfOf(nodes, ({ nodeId }) => nodeId);
      return half === null ? null : { ...why, nodes: half.items, cursor: half.cursor };
    }
    case 'nodes': {
      const nodes = given as Answer<'nodes'>;
      const { items } = nodes;
      const isPage = query.limit !== undefined || query.cursor !== undefined;
      const half = halfOf(items, ({ nodeId }) => nodeId);
      if ((!isPage || half === null) && items.some(hasAttempts)) return { ...nodes, items: items.map(withoutAttempts) };
      return half;
    }
    case 'node': {
      const { node } = given as Answer<'node'>;
      return hasAttempts(node) ? { node: withoutAttempts(node) } : null;
    }
    case 'schedules': {
      const schedules = given as Answer<'schedules'>;
      const half = halfOf(schedules.items, ({ scheduleId }) => scheduleId);
      return half === null ? null : { ...schedules, ...half };
    }
    case 'stats': {
      const { paused, draining, ...counts } = given as Answer<'stats'>;
      if (paused.length + draining.length === 0) return null;
      return { ...counts, paused: firstHalf(paused), draining: firstHalf(draining) };
    }
    case 'doctor': {
      const { findings, left, ...rest } = given as Answer<'doctor'>;
      const kept = firstHalf(findings);
      return findings.length === 0 ? null : { ...rest, findings: kept, left: left + findings.length - kept.length };
    }
    default:
      return null;
  }
}

function halfOf<Item>(items: readonly Item[], idOf: (item: Item) => string): { items: Item[]; cursor: string } | null {
  const half = items.slice(0, Math.ceil(items.length / 2));
  const last = half.at(-1);
  return last === undefined || half.length === items.length ? null : { items: half, cursor: idOf(last) };
}

function firstHalf<Item>(items: readonly Item[]): Item[] {
  return items.slice(0, Math.floor(items.length / 2));
}

function hasAttempts({ running, overdue }: NodeView): boolean {
  return running.length + overdue.length > 0;
}

function withoutAttempts(node: NodeView): NodeView {
  return { ...node, running: [], overdue: [] };
}

function fits(given: AnyAnswer, limits: Limits): boolean {
  const frame = encodeFrame([{ type: 'answer', payload: given }]);
  if (frame.byteLength + ENVELOPE_BYTES > limits.frameBytesMax) return false;
  try {
    preflight(frame, { ...limits, frameItemsMax: limits.frameItemsMax - 16 });
    return true;
  } catch {
    return false;
  }
}

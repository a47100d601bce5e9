/** Answers that fit into one frame: a peer could not read any other, however often it were sent. */
import { PincerError } from '../../protocol/failure.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Answer, Query } from '../../protocol/query.ts';
import { encodeFrame } from '../../transport/codec.ts';
import { preflight } from '../../transport/preflight.ts';

/** What the rest of the message takes: its type, its numbers. */
const ENVELOPE_BYTES = 256;
const HISTORY_KEPT = 50;

/**
 * Answers a query, more briefly if it must: a page of tasks has fewer rows and a cursor, nodes come without the list of
 * their attempts, a task with the end of its history only.
 * @throws PincerError `FRAME_TOO_LARGE` if even that does not fit, and what `answer` throws.
 */
export async function answerInOneFrame(
  query: Query,
  limits: Limits,
  answer: (query: Query) => Promise<Answer<Query['what']>>,
): Promise<Answer<Query['what']>> {
  let asked = query;
  for (;;) {
    const given = await answer(asked);
    if (fits(given, limits)) return given;
    if (asked.what === 'tasks' && 'items' in given && given.items.length > 1) {
      asked = { ...asked, filter: { ...asked.filter, limit: Math.ceil(given.items.length / 2) } };
      continue;
    }
    const brief = abridged(given);
    if (fits(brief, limits)) return brief;
    throw new PincerError('FRAME_TOO_LARGE', `the answer to '${query.what}' does not fit into one frame`, {
      hint: 'Ask for less: a status, a single task or node.',
    });
  }
}

function abridged(given: Answer<Query['what']>): Answer<Query['what']> {
  if ('history' in given) return { ...given, history: given.history.slice(-HISTORY_KEPT) };
  if ('items' in given && !('total' in given)) {
    return { ...given, items: given.items.map((node) => ({ ...node, running: [], overdue: [] })) };
  }
  return given;
}

function fits(given: Answer<Query['what']>, limits: Limits): boolean {
  const frame = encodeFrame([{ type: 'answer', payload: given }]);
  if (frame.byteLength + ENVELOPE_BYTES > limits.frameBytesMax) return false;
  try {
    preflight(frame, { ...limits, frameItemsMax: limits.frameItemsMax - 16 });
    return true;
  } catch {
    return false;
  }
}

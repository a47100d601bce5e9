/** Best fit: keeps nodes that can do more than others free for what needs them. */
import type { Candidate } from './placement.ts';

/**
 * The candidates that a strategy may choose from for a task that each of them could do: the last free slot of a node is
 * kept for what needs that node, as long as a less versatile one has room. So generic work is spread over all nodes, and
 * yet never stands in the way of the first specialised task; and no slot stays empty while there is work for it.
 * Never empties a list.
 */
export function bestFit(candidates: readonly Candidate[]): readonly Candidate[] {
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (const { versatility } of candidates) {
    if (versatility < least) least = versatility;
    if (versatility > most) most = versatility;
  }
  if (least >= most) return candidates;
  return candidates.filter(({ versatility, running, slots }) => versatility === least || slots - running > 1);
}

import type { Strategy } from './placement.ts';

/** The fractional part of the golden ratio: its multiples modulo 1 fill the unit interval more evenly than chance. */
const GOLDEN = 0.618_033_988_749_894_9;

/**
 * Spreads placements in proportion to free slots, smoothly: turn by turn the golden-ratio sequence points into the row of
 * all free slots, and the node whose slot it is gets the task.
 * @see Weyl’s equidistribution theorem, 1916; the sequence is the one-dimensional Kronecker sequence of the golden ratio
 */
export const weighted: Strategy = (candidates, { turn }) => {
  const row = candidates.toSorted((one, other) => (one.nodeId < other.nodeId ? -1 : 1));
  let free = 0;
  for (const { running, slots } of row) free += slots - running;
  let position = ((turn * GOLDEN) % 1) * free;
  for (const { nodeId, running, slots } of row) {
    position -= slots - running;
    if (position < 0) return nodeId;
  }
  return row.at(-1)?.nodeId;
};

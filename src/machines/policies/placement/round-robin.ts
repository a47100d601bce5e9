import { first, type Strategy } from './placement.ts';

/**
 * Takes the node that was not taken for the longest time. A cursor over a list skews when the list changes; an order of
 * last turns does not, since it belongs to the nodes.
 */
export const roundRobin: Strategy = (candidates) =>
  first(candidates, (one, other) =>
    one.lastTurn === other.lastTurn ? one.nodeId < other.nodeId : one.lastTurn < other.lastTurn,
  )?.nodeId;

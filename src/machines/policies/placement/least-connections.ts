import { first, isLessTaken, type Strategy } from './placement.ts';

/**
 * Takes the node with the smallest share of its slots taken: fewest running tasks, by capacity. Of equals the least
 * versatile, so that nodes with rare capabilities stay free for what needs them; then by id.
 */
export const leastConnections: Strategy = (candidates) => first(candidates, isLessTaken)?.nodeId;

import type { Candidate, Strategy } from './placement.ts';

/**
 * Takes the node with the smallest share of its slots taken: fewest running tasks, by capacity. Of equals the least
 * versatile, so that nodes with rare capabilities stay free for what needs them; then by id.
 */
export const leastConnections: Strategy = (candidates) => {
  let best: Candidate | undefined;
  for (const candidate of candidates) if (best === undefined || isBetter(candidate, best)) best = candidate;
  return best?.nodeId;
};

function isBetter(one: Candidate, other: Candidate): boolean {
  // Cross-multiplied shares: exact, and no division by zero slots.
  const difference = one.running * other.slots - other.running * one.slots;
  if (difference !== 0) return difference < 0;
  if (one.capabilities !== other.capabilities) return one.capabilities < other.capabilities;
  return one.nodeId < other.nodeId;
}

import { type Candidate, first, isLessTaken, type Strategy } from './placement.ts';

/**
 * Takes the node with the least load: ½ CPU + ½ memory as last reported, plus what was placed there since, as a share of
 * its slots. Without that correction every placement between two heartbeats would go to the same node.
 */
export const leastLoad: Strategy = (candidates) =>
  first(candidates, (one, other) => {
    const difference = loadOf(one) - loadOf(other);
    return difference === 0 ? isLessTaken(one, other) : difference < 0;
  })?.nodeId;

function loadOf({ cpu, memory, placedSinceReport, slots }: Candidate): number {
  return cpu / 2 + memory / 2 + placedSinceReport / slots;
}

import { isLessTaken, type Strategy } from './placement.ts';

/**
 * Takes the less taken of two nodes drawn at random: nearly as even as asking all, and it never herds.
 * @see Mitzenmacher, “The Power of Two Choices in Randomized Load Balancing”, 2001
 */
export const powerOfTwo: Strategy = (candidates, { random }) => {
  const count = candidates.length;
  const one = candidates[Math.floor(random() * count)];
  // The second among the others, so that two choices are two nodes.
  const other = candidates[(candidates.indexOf(one as never) + 1 + Math.floor(random() * (count - 1))) % count];
  if (one === undefined || other === undefined) return one?.nodeId;
  return isLessTaken(other, one) ? other.nodeId : one.nodeId;
};

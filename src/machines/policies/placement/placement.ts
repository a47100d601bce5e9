/**
 * The placement contract: a few facts about the candidates and the task in, a choice out. Pure, total, deterministic for
 * equal facts; ties are broken by id. test/conformance/placement.ts is this page as a suite.
 */

/** A node that may take the task: it is healthy, not draining, has a free slot and everything the task needs. */
export interface Candidate {
  readonly nodeId: string;
  /** Slots taken, the gateway’s own reservations included. Less than `slots`. */
  readonly running: number;
  /** Slots in all, at least 1. */
  readonly slots: number;
  /** How many capabilities and kinds of resources it has: of equals, the least versatile is taken first. */
  readonly versatility: number;
  /** Last reported shares in [0, 1]; 0 before the first report. */
  readonly cpu: number;
  readonly memory: number;
  /** Attempts placed on it since that report, which it therefore does not show. */
  readonly placedSinceReport: number;
  /** When it was last chosen, as a count of all placements; 0 if never. */
  readonly lastTurn: number;
}

/** What is to be placed. */
export interface Placement {
  readonly taskId: string;
  /** What the task should stay close to, if anything: tasks with the same key prefer the same node. */
  readonly affinityKey: string | null;
  /** How many placements were made before this one. */
  readonly turn: number;
  /** Seeded randomness, a number in [0, 1) per call. */
  readonly random: () => number;
}

/** Chooses a node for one task; undefined only if there are no candidates. */
export type Strategy = (candidates: readonly Candidate[], placement: Placement) => string | undefined;

/** The candidate that no other precedes. */
export function first(
  candidates: readonly Candidate[],
  precedes: (one: Candidate, other: Candidate) => boolean,
): Candidate | undefined {
  let best: Candidate | undefined;
  for (const candidate of candidates) if (best === undefined || precedes(candidate, best)) best = candidate;
  return best;
}

/** By share of slots taken, then the least versatile, then by id: the order that most strategies fall back on. */
export function isLessTaken(one: Candidate, other: Candidate): boolean {
  // Cross-multiplied shares: exact.
  const difference = one.running * other.slots - other.running * one.slots;
  return difference === 0 ? isLessVersatile(one, other) : difference < 0;
}

export function isLessVersatile(one: Candidate, other: Candidate): boolean {
  if (one.versatility !== other.versatility) return one.versatility < other.versatility;
  return one.nodeId < other.nodeId;
}

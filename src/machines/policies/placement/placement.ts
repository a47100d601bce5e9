/** The placement contract: a few facts about the candidates in, a choice out. Pure, total, deterministic; ties are broken by id. */

/** A node that may take the task: it is healthy, not draining, has a free slot and every capability. */
export interface Candidate {
  readonly nodeId: string;
  /** Slots taken, the gateway’s own reservations included. */
  readonly running: number;
  readonly slots: number;
  /** How many capabilities it has: of equals, the least versatile is taken first. */
  readonly capabilities: number;
}

/** Chooses a node for one task; undefined only if there are no candidates. */
export type Strategy = (candidates: readonly Candidate[]) => string | undefined;

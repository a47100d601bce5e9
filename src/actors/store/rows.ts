/** The small rows that a store keeps beside its tasks. Plain data: they can be written down as they are. */

/** A gateway that has joined. */
export interface GatewayRow {
  readonly gateway: string;
  leaseUntilMs: number;
  ttlMs: number;
  /** Since when its lease has held without a gap. */
  steadySinceMs: number;
  /** Swept, and kept only while it owns tasks that wait to be given back. */
  isFenced: boolean;
}

/** A named lock. */
export interface Lock {
  readonly key: string;
  readonly holder: string;
  readonly token: number;
  readonly untilMs: number;
}

/** Where a node is attached. */
export interface DirectoryRow {
  readonly nodeId: string;
  readonly gateway: string;
  readonly epoch: number;
  readonly view: Uint8Array;
  readonly atMs: number;
}

/** One fair key in one class. */
export interface FairLine {
  /** The time by which its last task ranks. */
  lastMs: number;
  /** How many of them are claimable. */
  tasks: number;
}

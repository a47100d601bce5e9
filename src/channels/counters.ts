/** What a channel has done since it started, for metrics and for the last line that it prints. */

/** Counts since the start of the process; none ever falls. */
export interface ChannelCounters {
  /** Messages that were taken. */
  received: number;
  /** Messages that had been taken before: the platform sent them again. */
  repeated: number;
  /** Messages that were turned away, whoever sent them. */
  refused: number;
  /** Reports of tasks that were shown. */
  progress: number;
  /** Messages that went out. */
  delivered: number;
  /** Deliveries that were not repeated, since they had been made. */
  deduplicated: number;
  /** Attempts to deliver that failed. */
  failed: number;
  /** Deliveries that were given up; `pincer tasks ls --status failed` has them. */
  dead: number;
}

export function createCounters(): ChannelCounters {
  return { received: 0, repeated: 0, refused: 0, progress: 0, delivered: 0, deduplicated: 0, failed: 0, dead: 0 };
}

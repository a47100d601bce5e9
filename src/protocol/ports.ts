/** The ports through which the outside world enters: time, randomness, ids. Composition roots supply the real ones. */

/** Time. `now` is monotonic and only its differences mean anything; `wallTime` is for people. */
export interface Clock {
  /** Monotonic milliseconds, with fractions. */
  now(): number;
  /** Milliseconds since 1970-01-01 UTC: for people, and for the times of schedules. Decides nothing else. */
  wallTime(): number;
  /**
   * Calls back once, no earlier than `delayMs` from now (any length; at once if ≤ 0 or NaN), and never within the call.
   * Returns the cancel function.
   */
  schedule(delayMs: number, callback: () => void): () => void;
  /** Calls back once at the end of this turn of the event loop, when all input at hand has been taken. */
  soon(callback: () => void): void;
}

/** Randomness: a number in [0, 1). */
export type Random = () => number;

/** A fresh identifier, unique in the world: letters, digits and `-`, at most 36 characters. */
export interface Ids {
  (): string;
  /** The same, so that they sort by this time, in milliseconds since 1970. Absent: they are made of what the port gives. */
  readonly inOrder?: (wallMs: number) => string;
}

/** One line per state change worth waking for; fields, never payloads or tokens. */
export interface Log {
  debug(event: string, fields?: Readonly<Record<string, unknown>>): void;
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** How long to wait before trying again: exponential backoff with full jitter, so that what failed together does not return together. */

export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * A wait in milliseconds, uniform in [0, min(maxMs, baseMs × 2^(failures − 1))].
 * `failures` counts from 1; `random` is a number in [0, 1).
 * @see Marc Brooker, “Exponential Backoff and Jitter”, AWS Architecture Blog, 2015 (“full jitter”)
 */
export function backoffMs(failures: number, backoff: Backoff, random: number): number {
  const exponent = Math.min(Math.max(failures, 1) - 1, 30);
  return random * Math.min(backoff.maxMs, backoff.baseMs * 2 ** exponent);
}

/** A duration spread by ± 10 %, so that periodic work of many peers does not fall into step. `random` is in [0, 1). */
export function spreadMs(durationMs: number, random: number): number {
  return durationMs * (0.9 + 0.2 * random);
}

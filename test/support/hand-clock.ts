/** A clock for tests that use real sockets: `soon` and `now` are real, but scheduled calls wait until the test lets time pass. */
import { performance } from 'node:perf_hooks';
import type { Clock } from '../../src/protocol/ports.ts';

export interface HandClock extends Clock {
  /** Lets this much time pass: runs what falls due, in order. */
  pass(ms: number): void;
  /** How many calls are scheduled and neither ran nor were cancelled. */
  readonly scheduled: number;
}

/** A clock that is still tells no other time than what has passed by hand: for rates, which a busy machine would not reach. */
export function createHandClock({ isStill = false } = {}): HandClock {
  let passedMs = 0;
  const waiting = new Set<{ readonly at: number; readonly callback: () => void }>();
  const startedAt = performance.now();
  const now = (): number => (isStill ? startedAt : performance.now()) + passedMs;
  return {
    now,
    wallTime: () => 1_700_000_000_000 + now(),
    soon: (callback) => void setImmediate(callback),
    schedule(delayMs, callback) {
      const entry = { at: now() + Math.max(0, delayMs), callback };
      waiting.add(entry);
      return () => void waiting.delete(entry);
    },
    pass(ms) {
      passedMs += ms;
      const due = [...waiting].filter((entry) => entry.at <= now()).sort((a, b) => a.at - b.at);
      for (const entry of due) if (waiting.delete(entry)) entry.callback();
    },
    get scheduled() {
      return waiting.size;
    },
  };
}

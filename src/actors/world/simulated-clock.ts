/**
 * A clock that a test or a simulation moves by hand. Callbacks run one at a time, each at its exact time, in order of
 * due time and then of scheduling; between two of them everything that was promised or put off to `soon` has settled.
 * So a run depends on nothing but what was scheduled.
 */
import { PincerError } from '../../protocol/failure.ts';
import type { Clock } from '../../protocol/ports.ts';
import { LazyHeap } from '../lazy-heap.ts';

/** 2026-01-01 UTC: what `wallTime` says at simulated time 0. */
export const SIMULATED_EPOCH_MS = Date.UTC(2026, 0, 1);

/** Rounds of `soon` that may follow one another without time passing, before that counts as a loop without end. */
const ROUNDS_MAX = 100_000;

/** A clock whose time passes only in `advance`. */
export interface SimulatedClock extends Clock {
  /** Lets this much time pass. Rejects with whatever a callback throws; time then stands where that callback was due. */
  advance(ms: number): Promise<void>;
  /** Lets no time pass: runs what waits for `soon` until nothing does and all promises at hand have settled. */
  runSoon(): Promise<void>;
  /** Sets the wall clock by so much, forward or back, as somebody’s hand or NTP would. No wait changes by it. */
  stepWall(ms: number): void;
  /** How many callbacks wait, for a time or for `soon`. */
  readonly pending: number;
}

interface Timer {
  readonly dueMs: number;
  readonly seq: number;
  readonly callback: () => void;
  isLive: boolean;
}

/** A simulated clock that starts at `startMs` (default 0). */
export function createSimulatedClock(startMs = 0): SimulatedClock {
  const timers = new LazyHeap<Timer>(
    (a, b) => a.dueMs - b.dueMs || a.seq - b.seq,
    (timer) => timer.isLive,
  );
  let wallStepMs = 0;
  const soon = new Set<{ readonly callback: () => void }>();
  let nowMs = startMs;
  let seq = 0;
  // Two advances at once would run each other's callbacks at the wrong time: they take turns.
  let tail: Promise<unknown> = Promise.resolve();

  function inTurn(work: () => Promise<void>): Promise<void> {
    const done = tail.then(work);
    tail = done.catch(() => undefined);
    return done;
  }

  function putOff(callback: () => void): () => void {
    const entry = { callback };
    soon.add(entry);
    return () => soon.delete(entry);
  }

  async function settle(): Promise<void> {
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      await turnOfTheLoop();
      if (soon.size === 0) return;
      // What is put off during this round belongs to the next one, as with setImmediate.
      for (const entry of [...soon]) if (soon.delete(entry)) entry.callback();
    }
    throw new PincerError('INTERNAL', `soon() was called ${ROUNDS_MAX} times in a row without time passing`);
  }

  async function moveTo(untilMs: number): Promise<void> {
    await settle();
    for (let timer = timers.first(); timer !== undefined && timer.dueMs <= untilMs; timer = timers.first()) {
      timers.take();
      timer.isLive = false;
      nowMs = timer.dueMs;
      timer.callback();
      await settle();
    }
    nowMs = untilMs;
  }

  return {
    now: () => nowMs,
    wallTime: () => SIMULATED_EPOCH_MS + wallStepMs + Math.floor(nowMs),
    stepWall(ms) {
      wallStepMs += ms;
    },
    soon: putOff,
    schedule(delayMs, callback) {
      if (!(delayMs > 0)) return putOff(callback);
      const timer: Timer = { dueMs: nowMs + delayMs, seq, callback, isLive: true };
      seq += 1;
      timers.push(timer);
      return () => {
        if (!timer.isLive) return;
        timer.isLive = false;
        timers.drop();
      };
    },
    async advance(ms) {
      if (!(ms >= 0) || ms === Number.POSITIVE_INFINITY) {
        throw new PincerError(
          'OPTION_INVALID',
          `advance(${ms}): time passes by a finite number of milliseconds, at least 0`,
        );
      }
      await inTurn(() => moveTo(nowMs + ms));
    },
    runSoon: () => inTurn(settle),
    get pending() {
      return timers.size + soon.size;
    },
  };
}

/** A real turn of the event loop is the one thing that lets every promise settle, however long its chain. */
function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

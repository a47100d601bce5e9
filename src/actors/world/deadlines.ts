/**
 * Every wait of one gateway, node or client: a heap of absolute times over one timer of the clock. Charts never own
 * timers; a time that passes reaches them as an event.
 */
import { PincerError } from '../../protocol/failure.ts';
import type { Clock } from '../../protocol/ports.ts';
import { LazyHeap } from '../lazy-heap.ts';

/** A set deadline; `clear` is idempotent and cheap. */
export interface Deadline {
  clear(): void;
}

export interface Deadlines {
  /** Calls back once, `delayMs` from now. */
  set(delayMs: number, onPassed: () => void): Deadline;
  /** Clears every deadline for good. */
  stop(): void;
  /** How many are set, for tests and metrics. */
  readonly size: number;
}

interface Entry {
  readonly at: number;
  readonly order: number;
  /** Null once it has passed or was cleared. */
  onPassed: (() => void) | null;
}

export function createDeadlines(clock: Clock): Deadlines {
  const heap = new LazyHeap<Entry>(
    (one, other) => one.at - other.at || one.order - other.order,
    (entry) => entry.onPassed !== null,
  );
  let order = 0;
  let isStopped = false;
  let timer: { readonly at: number; readonly cancel: () => void } | null = null;

  function arm(): void {
    const next = heap.first();
    if (next === undefined || (timer !== null && timer.at <= next.at)) return;
    timer?.cancel();
    timer = { at: next.at, cancel: clock.schedule(next.at - clock.now(), pass) };
  }

  function pass(): void {
    timer = null;
    const now = clock.now();
    // What is set meanwhile waits for the next pass, however soon it is due: one that sets itself again must not hold all.
    const before = order;
    for (let next = heap.first(); next !== undefined && next.at <= now && next.order < before; next = heap.first()) {
      heap.take();
      const { onPassed } = next;
      next.onPassed = null;
      onPassed?.();
      if (isStopped) return;
    }
    arm();
  }

  return {
    set(delayMs, onPassed) {
      if (isStopped) return { clear: () => {} };
      const entry: Entry = { at: clock.now() + Math.max(0, delayMs), order: order++, onPassed };
      heap.push(entry);
      arm();
      return {
        clear() {
          if (entry.onPassed === null) return;
          entry.onPassed = null;
          heap.drop();
        },
      };
    },
    stop() {
      isStopped = true;
      timer?.cancel();
      timer = null;
    },
    get size() {
      return isStopped ? 0 : heap.size;
    },
  };
}

/**
 * What a caller gives as a wait: with NaN no deadline of this heap would ever pass, whosever it is.
 * @throws PincerError `OPTION_INVALID`, naming `what`
 */
export function expectWait(what: string, waitMs: number): void {
  if (waitMs >= 0) return;
  throw new PincerError('OPTION_INVALID', `${what} is ${waitMs}, must be a number of milliseconds, 0 or more`);
}

/**
 * The real clock. Its timers are plain ones: each holds the process until it fires or is cancelled, so whoever schedules
 * also cancels. Anything that must not keep a process alive is its owner's business.
 */
import type { Clock } from '../../protocol/ports.ts';

/** The longest delay that setTimeout keeps; it turns anything longer into 1 ms. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** From the start of this process to the start of the machine’s own monotonic clock. */
const MACHINE_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** The clock of this machine: monotonic time, the same in all its processes; wall time from `Date.now`. */
export function systemClock(): Clock {
  return {
    now: () => MACHINE_MS + performance.now(),
    wallTime: () => Date.now(),
    schedule,
    soon: (callback) => {
      setImmediate(callback);
    },
  };
}

function schedule(delayMs: number, callback: () => void): () => void {
  if (!(delayMs > 0)) {
    const immediate = setImmediate(callback);
    return () => clearImmediate(immediate);
  }
  const dueMs = performance.now() + delayMs;
  let timer: NodeJS.Timeout;
  // A timer may fire up to a millisecond before performance.now says that it is due, and a long wait takes several
  // timers. Both are the same question: is anything left to wait?
  const arm = (): void => {
    const leftMs = dueMs - performance.now();
    if (leftMs > 0) timer = setTimeout(arm, Math.min(Math.ceil(leftMs), TIMER_MS_MAX));
    else callback();
  };
  // Never at once, however short the wait: whoever schedules does not yet hold what cancels it, and would take for
  // waiting what has passed.
  timer = setTimeout(arm, Math.min(Math.ceil(delayMs), TIMER_MS_MAX));
  return () => clearTimeout(timer);
}

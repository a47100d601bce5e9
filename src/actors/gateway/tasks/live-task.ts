/** What a gateway knows of a task that is claimed, beside its record, and who waits until the store has what came of it. */
import type { Deadline } from '../../world/deadlines.ts';
import type { Ended } from './settlement.ts';

export interface LiveTask extends Ended {
  readonly payload: Uint8Array;
  readonly attempt: number;
  startedAt: number | null;
  deadline: Deadline | null;
  /** What came of it is on its way into the store. */
  isEnded: boolean;
  /** Called when the store has what came of the attempt; an array once there are several to call. */
  whenStored: (() => void) | (() => void)[] | null;
}

/** Tells who waits that the store has it. */
export function stored(live: LiveTask): void {
  const { whenStored } = live;
  if (whenStored === null) return;
  live.whenStored = null;
  if (typeof whenStored === 'function') whenStored();
  else for (const done of whenStored) done();
}

/** Those who wait, with one more. */
export function also(before: LiveTask['whenStored'], done: () => void): LiveTask['whenStored'] {
  if (before === null) return done;
  return typeof before === 'function' ? [before, done] : [...before, done];
}

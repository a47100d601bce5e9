/**
 * The store's clock: one time for every process of the machine, that goes on when all of them are gone.
 *
 * While the machine runs it is the machine's monotonic clock, so no step of the wall clock moves it. From one boot to the
 * next the wall clock says how long it was off; should that have been set back meanwhile, no time has passed. So it never
 * goes back, and leases, delays, times to live and deadlines hold across restarts.
 * @see docs/decisions/0004-store-on-disk.md
 */
import { readFileSync } from 'node:fs';
import type { Clock } from '../../../protocol/ports.ts';

/** What the store remembers of its last write. */
export interface TimeMark {
  /** Which boot of the machine it was. */
  readonly boot: string;
  readonly machineMs: number;
  readonly wallMs: number;
  readonly storeMs: number;
}

/** The mark for now. `boot` and the clock’s `now` are the same in all processes of the machine. */
export function markTime(clock: Pick<Clock, 'now' | 'wallTime'>, boot: string, last: TimeMark | null): TimeMark {
  const machineMs = clock.now();
  const wallMs = clock.wallTime();
  const at = (storeMs: number): TimeMark => ({ boot, machineMs, wallMs, storeMs });
  if (last === null) return at(wallMs);
  const isSameBoot = last.boot === boot && machineMs >= last.machineMs;
  const passedMs = isSameBoot ? machineMs - last.machineMs : Math.max(0, wallMs - last.wallMs);
  return at(last.storeMs + passedMs);
}

/** Names this boot of the machine. Where the system does not say, a monotonic clock that starts anew tells. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/**
 * When a schedule runs. Each run has a nominal time that every gateway computes alike, so that its task has one key and
 * is submitted once; of runs that were missed, the newest is made up for and the others are left out.
 */
import { Cron } from 'croner';
import { PincerError } from '../protocol/failure.ts';
import type { Schedule } from './store/new-task.ts';

/** The next run of a schedule: its nominal time, and how long until then; 0 if its time has come. */
export interface NextRun {
  readonly runAt: number;
  readonly inMs: number;
}

type Times = Pick<Schedule, 'pattern' | 'everyMs' | 'timezone'>;

const SECOND_MS = 1_000;

/**
 * Checks the times of a schedule.
 * @throws PincerError `SCHEDULE_INVALID`
 */
export function checkTimes({ pattern, everyMs, timezone }: Times, nowMs: number): void {
  if ((pattern === undefined) === (everyMs === undefined)) {
    throw new PincerError('SCHEDULE_INVALID', 'a schedule has either a cron pattern or everyMs');
  }
  if (pattern === undefined) {
    if (timezone === undefined) return;
    throw new PincerError('SCHEDULE_INVALID', 'a time zone is for a cron pattern; everyMs is the same everywhere');
  }
  // A pattern may also be a date, which is no schedule.
  if (/^\s*\d{4}-/.test(pattern)) {
    throw new PincerError('SCHEDULE_INVALID', `'${pattern}' is a date, not a cron pattern`);
  }
  let first: Date | null;
  try {
    first = cronOf({ pattern, timezone }).nextRun(new Date(nowMs));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PincerError('SCHEDULE_INVALID', `cron '${pattern}' in ${timezone ?? 'UTC'}: ${why}`, { cause: error });
  }
  if (first === null) throw new PincerError('SCHEDULE_INVALID', `cron '${pattern}' never comes`);
}

/**
 * The next run after `sinceMs`, which is that of the last run or of the making of the schedule. Null if there is none.
 * A clock that was set back brings no run twice; one that was set forward brings one, for all that it has passed over.
 */
export function nextRun(times: Times, sinceMs: number, nowMs: number): NextRun | null {
  return times.everyMs === undefined ? nextOfPattern(times, sinceMs, nowMs) : nextOfSpan(times.everyMs, sinceMs, nowMs);
}

function nextOfSpan(everyMs: number, sinceMs: number, nowMs: number): NextRun {
  const passed = Math.floor((nowMs - sinceMs) / everyMs);
  if (passed >= 1) return { runAt: sinceMs + passed * everyMs, inMs: 0 };
  // No longer than the span itself, wherever the wall clock is.
  return { runAt: sinceMs + everyMs, inMs: Math.min(everyMs, sinceMs + everyMs - nowMs) };
}

function nextOfPattern(times: Times, sinceMs: number, nowMs: number): NextRun | null {
  const cron = cronOf(times);
  const next = cron.nextRun(new Date(sinceMs))?.getTime();
  if (next === undefined) return null;
  if (next > nowMs) return { runAt: next, inMs: next - nowMs };
  // The newest that has passed: those before `now` and the second that it is in.
  const second = Math.floor(nowMs / SECOND_MS) * SECOND_MS;
  const [newest] = cron.previousRuns(1, new Date(second + SECOND_MS));
  return { runAt: Math.max(next, newest?.getTime() ?? next), inMs: 0 };
}

function cronOf({ pattern = '', timezone = 'UTC' }: Times): Cron {
  return new Cron(pattern, { timezone, paused: true });
}

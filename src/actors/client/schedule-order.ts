/** What a client asks for when it schedules a task. */
import { PincerError } from '../../protocol/failure.ts';
import { checkOptions, type Names } from '../../protocol/options.ts';
import { Order } from '../../protocol/query.ts';
import { RUN_OPTIONS, type SubmitOptions, submitSpec, type Wanted } from './submit-spec.ts';

/** When a schedule runs: one of `cron` and `everyMs`. */
export interface ScheduleTimes {
  /** A cron pattern: minute, hour, day of month, month, day of week; six fields have seconds first. */
  readonly cron?: string;
  /** Milliseconds between two runs, at least 1 000. Not moved by a wall clock that is set. */
  readonly everyMs?: number;
  /** The IANA time zone of the pattern, such as `Europe/Vienna`. Default UTC. */
  readonly timezone?: string;
}

/** How each run of a schedule is submitted: as any task, but with an id and a key of its own and without dependencies. */
export type ScheduleOptions = Omit<
  SubmitOptions,
  'taskId' | 'key' | 'after' | 'onDependencyFailure' | 'watch' | 'signal'
>;

const TIMES: Names<ScheduleTimes> = { cron: true, everyMs: true, timezone: true };
const SCHEDULE_OPTIONS: Names<ScheduleOptions> = { ...RUN_OPTIONS, delayMs: true };

/** A schedule that is wanted: of what, when, and when it is now. */
export interface WantedSchedule extends Omit<Wanted, 'taskId'> {
  readonly scheduleId: string;
  readonly when: ScheduleTimes;
  readonly nowMs: number;
}

/**
 * @throws PincerError `PAYLOAD_INVALID`, `PAYLOAD_TOO_LARGE`, `OPTION_INVALID` or `SCHEDULE_INVALID`.
 */
export async function scheduleOrder({ scheduleId, when, nowMs, ...words }: WantedSchedule): Promise<Order> {
  checkOptions(when, 'schedule', 'cron or everyMs, when it runs', TIMES);
  checkOptions(words.options, 'schedule', 'options, or nothing', SCHEDULE_OPTIONS);
  // Any id will do: each run gets its own.
  const { taskId: _, key: __, after: ___, watch: ____, ...task } = await submitSpec({ ...words, taskId: 'scheduled' });
  const parsed = Order.safeParse({ what: 'schedule.put', scheduleId, ...when, task });
  if (parsed.success) {
    // Told here, before a gateway is waited for. Loaded by who has schedules: it brings a parser that no other client needs.
    const { checkTimes } = await import('../schedule-times.ts');
    checkTimes({ pattern: when.cron, everyMs: when.everyMs, timezone: when.timezone }, nowMs);
    return parsed.data;
  }
  const issue = parsed.error.issues[0];
  throw new PincerError('OPTION_INVALID', `schedule: ${issue?.path.join('.')} ${issue?.message ?? 'is invalid'}`);
}

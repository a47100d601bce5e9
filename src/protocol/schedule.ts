/** Schedules as they travel: when to submit a task again and again, and how lists show that. */
import { z } from 'zod';
import { Identifier, TaskType } from './identifier.ts';
import { defaultLimits } from './limits.ts';
import { Priority, TaskSpec } from './task.ts';

/** What every run submits: a task without an id or key of its own, which each run gets, and without dependencies. */
export const ScheduledTask = TaskSpec.omit({ taskId: true, key: true, after: true });
export type ScheduledTask = z.infer<typeof ScheduledTask>;

/** When: one of `cron` and `everyMs`. */
export const Times = {
  /** A cron pattern of five fields, or six with seconds first. */
  cron: z.string().min(1).max(128).optional(),
  /** Milliseconds between two runs. */
  everyMs: z.int().min(1_000).max(defaultLimits.taskTimeoutMsMax).optional(),
  /** An IANA time zone for the pattern. Default UTC. */
  timezone: z.string().min(1).max(64).optional(),
};

/** A schedule as lists show it. Times are wall-clock milliseconds since 1970. */
export const ScheduleView = z.strictObject({
  scheduleId: Identifier,
  type: TaskType,
  priority: Priority,
  ...Times,
  createdAt: z.number(),
  /** The time of the newest run; absent before the first. */
  lastRunAt: z.number().optional(),
  /** The time of the next run; absent if there is none. */
  nextRunAt: z.number().optional(),
});
export type ScheduleView = z.infer<typeof ScheduleView>;

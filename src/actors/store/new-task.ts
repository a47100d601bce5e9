/** What a store is asked to keep: tasks, the limits they share, what they wait for, and schedules that make them. */

/** A limit that every task with the same key shares, across all classes and gateways of the store. */
export interface TaskLimit {
  readonly key: string;
  /** How many of them may be claimed at once. Default: any number. */
  readonly concurrency?: number | undefined;
  /**
   * How many of them may be claimed in any 60 s: a sliding window over the times of the claims, not a bucket, so there
   * is no double burst. Claims made while no `perMinute` was asked for are not counted. Default: any number.
   */
  readonly perMinute?: number | undefined;
}

/** Tasks that must have settled before this one may be claimed. */
export interface Dependencies {
  /** Each must be known, or come earlier in the same submit: so nothing can wait in a circle. At most dependenciesMax. */
  readonly taskIds: readonly string[];
  /**
   * What to do when one of them fails or is cancelled. `fail`: this task fails with DEPENDENCY_FAILED. `ignore`: it
   * counts as done. `run`: this task waits for no other any more.
   */
  readonly onFailure: 'fail' | 'ignore' | 'run';
}

/**
 * A task to be kept. The store gives it its place: rank = its time + (priority − 5) × agingMs, then order of submit. Its
 * time is that of its submit, or, if it is delayed, the time when it is due: until then others pass it.
 */
export interface NewTask {
  readonly taskId: string;
  readonly type: string;
  /** The requirement class in which it waits. */
  readonly queue: string;
  readonly needs: readonly string[];
  readonly priority: number;
  readonly timeoutMs: number;
  readonly attemptsMax: number;
  readonly key?: string | undefined;
  readonly payload: Uint8Array;
  /** Wall-clock milliseconds, for people. */
  readonly createdAt: number;
  /** The gateway that took the submit, as it names itself: where its submitter may be told how it gets on. */
  readonly origin?: string | undefined;
  /** Who submitted it, as the gateway knows him: his unsettled tasks are counted (clientTasksMax). Left out: it is not counted. */
  readonly client?: string | undefined;
  /** For the placement of its attempts, kept as given: the node that takes it if it has room. */
  readonly prefer?: string | undefined;
  /** As `prefer`: tasks of one key go to one node, where the strategy heeds it. */
  readonly affinityKey?: string | undefined;
  /** Not claimable before this much time has passed. Default 0. */
  readonly delayMs?: number | undefined;
  /**
   * Claimable tasks of one class and key are spaced: each ranks fairSpacingMs after the last of them, at most
   * fairAheadMsMax after its own time, so that a thousand of one user do not stand before the one of another. The key is
   * forgotten when none of its tasks is claimable. The place is given when the task first gets into its line.
   */
  readonly fairKey?: string | undefined;
  /**
   * What is over the limit is not claimable now; `onReady` tells when it is again. The numbers submitted last for a key
   * count. All tasks of one class should have the same limit: a class stands still when its first task may not be claimed.
   */
  readonly limit?: TaskLimit | undefined;
  /** It is `delayed` until all of these have settled. */
  readonly after?: Dependencies | undefined;
  /**
   * If no attempt has started within this time of the submit, the task fails with TASK_EXPIRED: when the time has passed
   * and it waits, or when the attempt that holds it then is released.
   */
  readonly ttlMs?: number | undefined;
  /** From submit to outcome: as `ttlMs`, whether or not an attempt has started, with DEADLINE_PASSED. */
  readonly deadlineMs?: number | undefined;
}

/** When to submit a task, again and again. The store keeps it, gateways run it: see `noteScheduleRun`. */
export interface Schedule {
  readonly id: string;
  /** When it was made, wall clock: runs are counted from then, or from the last one. */
  readonly createdAt: number;
  /** A cron pattern. Either this or `everyMs`. */
  readonly pattern?: string | undefined;
  readonly everyMs?: number | undefined;
  /** For the pattern; default UTC. */
  readonly timezone?: string | undefined;
  /** What every run submits, under an id of its own. */
  readonly task: Omit<NewTask, 'taskId' | 'createdAt'>;
}

/** A schedule as the store keeps it. */
export interface ScheduleRecord extends Schedule {
  /** The newest run that a gateway noted, wall clock; null before the first. Kept when the schedule is put again. */
  readonly lastRunAt: number | null;
}

/** The states of a task. Apart from the schemas, so that who needs no more, as the thread of a store, loads no more. */

/** The states of a task, in the order of its life. The last three are its outcomes. */
export const TASK_STATUSES = [
  'delayed',
  'pending',
  'assigned',
  'running',
  'cancelling',
  'completed',
  'failed',
  'cancelled',
] as const;
/** A state of a task. */
export type TaskStatus = (typeof TASK_STATUSES)[number];

export const OUTCOME_STATUSES = ['completed', 'failed', 'cancelled'] as const;
export type OutcomeStatus = (typeof OUTCOME_STATUSES)[number];

/** Whether a status is an outcome: the task will not change any more. */
export function isOutcome(status: TaskStatus): status is OutcomeStatus {
  return (OUTCOME_STATUSES as readonly string[]).includes(status);
}

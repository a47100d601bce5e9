/** What a task is: what was asked, the states it goes through, and how it may end. */
import { z } from 'zod';
import { FAILURE_CODE } from './failure.ts';
import { Capabilities, Identifier, TaskType, Text } from './identifier.ts';
import { defaultLimits } from './limits.ts';
import { Labels, Resources } from './node.ts';
import { OUTCOME_STATUSES, TASK_STATUSES } from './task-status.ts';

export const TaskStatus = z.enum(TASK_STATUSES);
/** A state of a task. */
export type TaskStatus = z.infer<typeof TaskStatus>;

/** The capability that each task type of the specification needs. Any other type needs what its task declares. */
export const NEEDS_OF_TYPE: Readonly<Record<string, string>> = Object.freeze({
  __proto__: null as never,
  'agent-turn': 'llm',
  'tool-execution': 'tools',
  'memory-search': 'memory',
  'image-analysis': 'vision',
  'speech-transcription': 'speech',
});

/** Whether a type is channel work: a delivery to a platform, `channel/NAME`. All else is agent work, and neither kind of node gets the other’s. */
export function isChannelWork(type: string): boolean {
  return type.startsWith('channel/');
}

/** Application data as it travels: msgpack inside `bin`. The gateway routes it without decoding it. */
export const Opaque: z.ZodType<Uint8Array> = z
  .instanceof(Uint8Array)
  .refine((bytes) => bytes.byteLength <= defaultLimits.payloadBytesMax, {
    message: `must be at most ${defaultLimits.payloadBytesMax} bytes`,
  });

/** 1 (first) to 10 (last); first in, first out within one priority. Default 5. */
export const Priority = z.int().min(1).max(10);

/** How long one attempt may run, in milliseconds. */
export const TimeoutMs = z.int().min(1).max(defaultLimits.taskTimeoutMsMax);

/** What was asked: the part of a task that never changes. */
export const TaskSpec = z.strictObject({
  taskId: Identifier,
  type: TaskType,
  payload: Opaque,
  priority: Priority,
  /** How long one attempt may run, in milliseconds. */
  timeout: TimeoutMs,
  /** Capabilities the node must have, beyond the one its type needs. */
  needs: Capabilities.optional(),
  /** How many failures the task may have before it is failed; crashes of nodes count apart. */
  attempts: z.int().min(1).max(defaultLimits.attemptsMax).optional(),
  /** Labels the node must carry. */
  labels: Labels.optional(),
  /** Amounts that each attempt takes of what its node has. */
  resources: Resources.optional(),
  /** The only node that may run it. */
  node: Identifier.optional(),
  /** The node that takes it if it has room; else any other does. */
  prefer: Identifier.optional(),
  /** Tasks of one key stay on one node where the strategy is consistent-hash. */
  affinityKey: z.string().min(1).max(128).optional(),
  /** Not before this many milliseconds from now. */
  delay: TimeoutMs.optional(),
  /** If no attempt has started within this many milliseconds, the task fails with TASK_EXPIRED. */
  ttl: TimeoutMs.optional(),
  /** From submit to outcome, whatever happens; beyond it the task fails with DEADLINE_PASSED. */
  deadline: TimeoutMs.optional(),
  /** Tasks of one key do not stand before those of another, however many they are. */
  fairKey: z.string().min(1).max(128).optional(),
  /** A limit that all tasks with its key share: how many at once, how many in any minute. */
  limit: z
    .strictObject({
      key: z.string().min(1).max(128),
      concurrency: z.int().min(1).max(1_000_000).optional(),
      perMinute: z.int().min(1).max(1_000_000).optional(),
    })
    // The numbers of the newest task count for all: without any, it would lift the limit.
    .refine(({ concurrency, perMinute }) => concurrency !== undefined || perMinute !== undefined, {
      message: 'must have concurrency, perMinute or both',
    })
    .optional(),
  /** Tasks that must have settled before this one; and what to do if one of them fails. */
  after: z
    .strictObject({
      taskIds: z.array(Identifier).min(1).max(defaultLimits.dependenciesMax),
      onFailure: z.enum(['fail', 'ignore', 'run']),
    })
    .optional(),
  /** The same key is the same task: a second submit gets the first’s id and outcome. */
  key: z.string().min(1).max(128).optional(),
});
export type TaskSpec = z.infer<typeof TaskSpec>;

/** Why an attempt or a task failed, as it travels. */
export const FailureShape = z.strictObject({
  code: z.string().regex(FAILURE_CODE),
  message: Text,
  retryable: z.boolean(),
});

/** How a task ended. */
export const Outcome = z.strictObject({
  taskId: Identifier,
  status: z.enum(OUTCOME_STATUSES),
  result: Opaque.optional(),
  error: FailureShape.optional(),
  /** The node of the attempt that decided; absent if the task waited when it ended. */
  node: Identifier.optional(),
  /** How many attempts were started. */
  attempts: z.int().min(0),
  /** From submit to the start of the last attempt, in milliseconds; 0 if none was started. */
  queuedMs: z.number().min(0),
  /** The duration of the last attempt, in milliseconds; 0 if none was started. */
  runMs: z.number().min(0),
});
export type Outcome = z.infer<typeof Outcome>;

/** A task as lists show it. Times are wall-clock milliseconds since 1970, for people. */
export const TaskView = z.strictObject({
  taskId: Identifier,
  type: TaskType,
  priority: Priority,
  status: TaskStatus,
  needs: Capabilities,
  attempts: z.int().min(0),
  failures: z.int().min(0),
  crashes: z.int().min(0),
  timeout: z.number(),
  node: Identifier.optional(),
  key: z.string().optional(),
  createdAt: z.number(),
  startedAt: z.number().optional(),
  finishedAt: z.number().optional(),
  queuedMs: z.number().optional(),
  runMs: z.number().optional(),
  error: FailureShape.optional(),
});
export type TaskView = z.infer<typeof TaskView>;

/** One entry in the history of a task: what happened, when (wall clock), to which attempt. */
export const HistoryEntry = z.strictObject({
  /** Its number, from 1. Where one is missing, entries were forgotten to make room. */
  n: z.int().min(1),
  at: z.number(),
  event: z.string(),
  attempt: z.int().min(0),
  node: Identifier.optional(),
  /** The gateway that held the task then: its id in the store, another one each time it joins. */
  gateway: z.string().max(128).optional(),
  detail: Text.optional(),
});
export type HistoryEntry = z.infer<typeof HistoryEntry>;

/** Every capability a task needs, sorted: its type’s and its own. */
export function needsOf(task: {
  readonly type: string;
  readonly needs?: readonly string[] | undefined;
}): readonly string[] {
  const ofType = NEEDS_OF_TYPE[task.type];
  const declared = task.needs ?? [];
  if (declared.length === 0) return ofType === undefined ? [] : [ofType];
  return [...new Set(ofType === undefined ? declared : [ofType, ...declared])].sort();
}

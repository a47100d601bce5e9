/** What is sent for a task: its input checked and encoded, its options as the wire names them, all of it within its schema. */
import { PincerError } from '../../protocol/failure.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Payload } from '../../protocol/message.ts';
import { faultOf } from '../../protocol/node.ts';
import type { Names } from '../../protocol/options.ts';
import { isSurelySpec } from '../../protocol/quick-check.ts';
import { TaskSpec } from '../../protocol/task.ts';
import { encodePayload } from '../../transport/payload.ts';
import { checked, type TaskDefinition } from '../task-definition.ts';

/** How a task is submitted: where it may run, how long, how often, and in what order. */
export interface SubmitOptions {
  /** 1 (first) to 10 (last). Default 5. */
  readonly priority?: number;
  /** How long one attempt may run, in milliseconds. Default: the task’s, else 300 000. */
  readonly timeoutMs?: number;
  /** Idempotency key: the same key is the same task. */
  readonly key?: string;
  /** Capabilities a node must have, beyond the task’s own. */
  readonly needs?: readonly string[];
  /** Labels the node must carry. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Amounts that each attempt takes of what its node has, such as `{ gpu: 1, memoryMb: 4096 }`. */
  readonly resources?: Readonly<Record<string, number>>;
  /** The only node that may run it. */
  readonly node?: string;
  /** The node that takes it if it has room, such as the one with warm caches; else any other does, at once. */
  readonly prefer?: string;
  /**
   * What the task should stay close to: where the strategy is `consistent-hash`, tasks of one key go to one node, until it
   * is more than half full and 1.25 times as full as the average.
   */
  readonly affinityKey?: string;
  /** Not before this many milliseconds from now. */
  readonly delayMs?: number;
  /** If no attempt has started within this many milliseconds, the task fails with `TASK_EXPIRED`. */
  readonly ttlMs?: number;
  /** From submit to outcome, in milliseconds, whatever happens; beyond it the task fails with `DEADLINE_PASSED`. */
  readonly deadlineMs?: number;
  /** Tasks of one key (a user, a tenant) do not stand before those of another, however many they are. */
  readonly fairKey?: string;
  /** A limit that all tasks with its key share: how many run at once, how many start in any minute, or both. */
  readonly limit?: { readonly key: string; readonly concurrency?: number; readonly perMinute?: number };
  /** Ids of tasks that must have settled before this one. */
  readonly after?: readonly string[];
  /**
   * With `after`: what to do when one of those fails: `fail` this one too, `ignore` it, or `run` this one at once. Default
   * `fail`.
   */
  readonly onDependencyFailure?: 'fail' | 'ignore' | 'run';
  /** How many failures the task may have before it is failed. Default: the task’s, else 3. */
  readonly attempts?: number;
  /** The task’s id; submitting it twice makes one task. Default: a fresh one. */
  readonly taskId?: string;
  /**
   * False: do not follow the task. Of its handle `accepted()` and `cancel()` are of use; whatever asks how it gets on or ends
   * fails at once with `OPTION_INVALID`: `follow(taskId)` tells that. Default true.
   */
  readonly watch?: boolean;
  /**
   * Aborting cancels the task, at once if no gateway was given it yet; with `watch: false`, until it is accepted. The signal of
   * a handler whose time is up, or whose node stops or was lost, only lets go of a task with a `taskId` or `key` of yours: the
   * next attempt finds it again.
   */
  readonly signal?: AbortSignal;
}

/** The names of what may be said of any task, however it comes to be submitted. */
export const RUN_OPTIONS = {
  priority: true,
  timeoutMs: true,
  needs: true,
  labels: true,
  resources: true,
  node: true,
  prefer: true,
  affinityKey: true,
  ttlMs: true,
  deadlineMs: true,
  fairKey: true,
  limit: true,
  attempts: true,
} as const;

export const SUBMIT_OPTIONS: Names<SubmitOptions> = {
  ...RUN_OPTIONS,
  key: true,
  delayMs: true,
  after: true,
  onDependencyFailure: true,
  taskId: true,
  watch: true,
  signal: true,
};

type Spec = { -readonly [Name in keyof Payload<'task_submit'>]: Payload<'task_submit'>[Name] };

export interface Wanted {
  readonly taskId: string;
  readonly definition: TaskDefinition;
  readonly input: unknown;
  readonly options: SubmitOptions;
  readonly limits: Limits;
}

/**
 * The definition of a task that may be told by its type’s name.
 * @throws PincerError `OPTION_INVALID` for neither, by the name of the call
 */
export function definitionOf(task: TaskDefinition | string, call: string): TaskDefinition {
  if (typeof task === 'string') return { type: task };
  if (typeof task?.type === 'string') return task;
  throw new PincerError('OPTION_INVALID', `${call}: no task is named; give what defineTask made, or its type’s name`);
}

/**
 * The payload of a submit: at once, unless the schema of the input takes its time.
 * @throws PincerError `PAYLOAD_INVALID`, `PAYLOAD_TOO_LARGE`, `OPTION_INVALID`; or rejects with it
 */
export function submitSpec(wanted: Wanted): Spec | Promise<Spec> {
  const { definition, input } = wanted;
  // Checked here for an early, precise error; sent as given: the node parses it anew and fills in defaults.
  const parsed = checked(definition.input, input, 'PAYLOAD_INVALID', 'input');
  return parsed instanceof Promise && definition.input !== undefined
    ? parsed.then(() => specOf(wanted))
    : specOf(wanted);
}

function specOf({ taskId, definition, input, options, limits }: Wanted): Spec {
  const payload = encodePayload(input, limits);
  const { payloadBytesMax } = limits;
  if (payload.byteLength > payloadBytesMax) {
    throw new PincerError(
      'PAYLOAD_TOO_LARGE',
      `the payload has ${payload.byteLength} bytes, more than ${payloadBytesMax}`,
    );
  }
  const { priority = 5, timeoutMs = definition.timeoutMs ?? limits.taskTimeoutMs } = options;
  const spec: Spec = { taskId, type: definition.type, payload, priority, timeout: timeoutMs };
  addOptions(spec, definition, options);
  if (!isSurelySpec(spec)) {
    const parsed = TaskSpec.safeParse(spec);
    if (!parsed.success) {
      throw new PincerError('OPTION_INVALID', `submit: ${wordsOf(parsed.error.issues[0])}`);
    }
    // Of names, the schema does not see all.
    const fault = faultOf(spec) ?? excessOf(spec, limits);
    if (fault !== null) throw new PincerError('OPTION_INVALID', `submit: ${fault}`);
  }
  if (options.watch === false) spec.watch = false;
  return spec;
}

/** The options as they are said, where the wire has another name. */
const SAID: Readonly<Record<string, string>> = {
  timeout: 'timeoutMs',
  delay: 'delayMs',
  ttl: 'ttlMs',
  deadline: 'deadlineMs',
  'after.taskIds': 'after',
  'after.onFailure': 'onDependencyFailure',
};

function wordsOf(issue: { path: PropertyKey[]; message: string } | undefined): string {
  const path = issue?.path.join('.') ?? '';
  const at = Object.keys(SAID).find((name) => path === name || path.startsWith(`${name}.`));
  const option = at === undefined ? path : `${SAID[at]}${path.slice(at.length)}`;
  return `${option} ${issue?.message ?? 'is invalid'}`;
}

/** What the rest of the message takes at most: all but its payload, labels and resources has a bound. */
const OTHERS_BYTES_MAX = 65_536;

/** Why a task does not fit into the one frame that it goes in, or null. Each label may be as it is, and all be too many. */
function excessOf({ payload, labels, resources }: Spec, limits: Limits): string | null {
  if (labels === undefined && resources === undefined) return null;
  const what = 'labels and resources are too much for one message';
  try {
    const named = encodePayload([labels, resources], limits).byteLength;
    const room = limits.frameBytesMax - OTHERS_BYTES_MAX - payload.byteLength;
    return named <= room
      ? null
      : `${what}: they take ${named} bytes, and beside the payload there are ${Math.max(0, room)}`;
  } catch (error) {
    return `${what}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Adds what was said beyond the usual; most tasks say nothing. */
function addOptions(spec: Spec, definition: TaskDefinition, options: SubmitOptions): void {
  const { key, labels, resources, node, prefer, affinityKey, delayMs, ttlMs, deadlineMs, fairKey, limit } = options;
  const { after, onDependencyFailure } = options;
  const attempts = options.attempts ?? definition.retry?.attempts;
  if (definition.needs !== undefined || options.needs !== undefined) {
    const needs = [...new Set([...(definition.needs ?? []), ...(options.needs ?? [])])];
    if (needs.length > 0) spec.needs = needs;
  }
  if (attempts !== undefined) spec.attempts = attempts;
  if (key !== undefined) spec.key = key;
  if (labels !== undefined) spec.labels = { ...labels };
  if (resources !== undefined) spec.resources = { ...resources };
  if (node !== undefined) spec.node = node;
  if (prefer !== undefined) spec.prefer = prefer;
  if (affinityKey !== undefined) spec.affinityKey = affinityKey;
  // None is what a computed delay comes to when its time is now.
  if (delayMs !== undefined && delayMs !== 0) spec.delay = delayMs;
  if (ttlMs !== undefined) spec.ttl = ttlMs;
  if (deadlineMs !== undefined) spec.deadline = deadlineMs;
  if (fairKey !== undefined) spec.fairKey = fairKey;
  if (limit !== undefined) spec.limit = { ...limit };
  // The same: a list that is computed may have come to nothing.
  if (after !== undefined && after.length > 0) {
    spec.after = { taskIds: [...after], onFailure: onDependencyFailure ?? 'fail' };
  } else if (after === undefined && onDependencyFailure !== undefined) {
    throw new PincerError('OPTION_INVALID', 'submit: onDependencyFailure is for the tasks of after, and there is none');
  }
}

/** A client’s tasks: prepared, sent in a window so that a link is never flooded, followed until they end. */
import { PincerError } from '../../protocol/failure.ts';
import type { Message, Payload } from '../../protocol/message.ts';
import { TaskSpec, type TaskStatus } from '../../protocol/task.ts';
import { encodePayload } from '../../transport/payload.ts';
import type { Connection } from '../connection.ts';
import type { Requests } from '../requests.ts';
import { checked, type TaskDefinition } from '../task-definition.ts';
import type { World } from '../world.ts';
import { Submission, type TaskHandle } from './handle.ts';

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
  /** What the task should stay close to: where the strategy is `consistent-hash`, tasks of one key go to one node. */
  readonly affinityKey?: string;
  /** Not before this many milliseconds from now. */
  readonly delayMs?: number;
  /** If no attempt has started within this many milliseconds, the task fails with `TASK_EXPIRED`. */
  readonly ttlMs?: number;
  /** From submit to outcome, in milliseconds, whatever happens; beyond it the task fails with `DEADLINE_PASSED`. */
  readonly deadlineMs?: number;
  /** Tasks of one key (a user, a tenant) do not stand before those of another, however many they are. */
  readonly fairKey?: string;
  /** A limit that all tasks with its key share: how many run at once, how many start in any minute. */
  readonly limit?: { readonly key: string; readonly concurrency?: number; readonly perMinute?: number };
  /** Ids of tasks that must have settled before this one. */
  readonly after?: readonly string[];
  /** What to do when one of those fails: `fail` this one too, `ignore` it, or `run` this one at once. Default `fail`. */
  readonly onDependencyFailure?: 'fail' | 'ignore' | 'run';
  /** How many failures the task may have before it is failed. Default: the task’s, else 3. */
  readonly attempts?: number;
  /** The task’s id; submitting it twice makes one task. Default: a fresh one. */
  readonly taskId?: string;
  /** False: do not follow the task; only `accepted()` of its handle resolves. Default true. */
  readonly watch?: boolean;
  /** Aborting cancels the task. */
  readonly signal?: AbortSignal;
}

export interface SubmitsOptions {
  readonly requests: Requests;
  readonly connection: () => Connection;
  cancel(taskId: string): Promise<TaskStatus>;
  /** Why nothing can be submitted any more, or null. */
  end(): PincerError | null;
}

export class Submits {
  readonly #world: World;
  readonly #options: SubmitsOptions;
  /** Not accepted yet, by the id they were submitted with. */
  readonly #open = new Map<string, Submission>();
  /** Followed, by the id the gateway knows. */
  readonly #followed = new Map<string, Set<Submission>>();
  #backlog: (() => void)[] = [];
  #backlogFrom = 0;
  #underWay = 0;

  constructor(world: World, options: SubmitsOptions) {
    this.#world = world;
    this.#options = options;
  }

  submit(task: TaskDefinition | string, input: unknown, options: SubmitOptions = {}): TaskHandle {
    const { ids, limits } = this.#world;
    const submission = new Submission(options.taskId ?? ids(), limits, this.#options.cancel);
    this.#open.set(submission.taskId, submission);
    this.#prepare(typeof task === 'string' ? { type: task } : task, input, submission.taskId, options).then(
      (payload) => this.#enqueue(submission, payload, options.signal),
      (error: unknown) => this.#refuse(submission, asPincerError(error)),
    );
    return submission;
  }

  follow(taskId: string): TaskHandle {
    const submission = new Submission(taskId, this.#world.limits, this.#options.cancel);
    const end = this.#options.end();
    if (end !== null) submission.refuse(end);
    else {
      this.#follow(submission, taskId);
      submission.accept(taskId, false);
      // Without a session, the first welcome watches everything that is followed.
      this.#options.connection().send('task_watch', { taskIds: [taskId] });
    }
    return submission;
  }

  settle(outcome: Payload<'task_settled'>): void {
    const waiting = this.#followed.get(outcome.taskId);
    this.#followed.delete(outcome.taskId);
    for (const submission of waiting ?? []) submission.settle(outcome);
    this.#pump();
  }

  report({ taskId, payload }: Payload<'task_progress'>): void {
    for (const submission of this.#followed.get(taskId) ?? []) submission.report(payload);
  }

  /** A new session does not know what the old one watched. What was not accepted is submitted again, and so watched. */
  watchAgain(): void {
    const { listMax } = this.#world.limits;
    const taskIds = [...this.#followed.keys()].filter((taskId) => !this.#open.has(taskId));
    for (let start = 0; start < taskIds.length; start += listMax) {
      this.#options.connection().send('task_watch', { taskIds: taskIds.slice(start, start + listMax) });
    }
  }

  fail(error: PincerError): void {
    const followed = [...this.#followed.values()].flatMap((waiting) => [...waiting]);
    for (const submission of [...this.#open.values(), ...followed]) if (!submission.isOver) submission.refuse(error);
    this.#open.clear();
    this.#followed.clear();
    this.#backlog = [];
    this.#backlogFrom = 0;
  }

  async #prepare(
    definition: TaskDefinition,
    input: unknown,
    taskId: string,
    options: SubmitOptions,
  ): Promise<Payload<'task_submit'>> {
    const { limits } = this.#world;
    const { priority = 5, key, watch, signal, labels, resources, node, prefer, affinityKey } = options;
    const { delayMs, ttlMs, deadlineMs, fairKey, limit, after, onDependencyFailure = 'fail' } = options;
    const end = this.#options.end();
    if (end !== null) throw end;
    if (signal?.aborted === true) throw new PincerError('TASK_CANCELLED', 'the signal was aborted before the submit');
    // Checked here for an early, precise error; sent as given: the node parses it anew and fills in defaults.
    await checked(definition.input, input, 'PAYLOAD_INVALID', 'input');
    const payload = encodePayload(input, limits);
    const { payloadBytesMax } = limits;
    if (payload.byteLength > payloadBytesMax) {
      throw new PincerError(
        'PAYLOAD_TOO_LARGE',
        `the payload has ${payload.byteLength} bytes, more than ${payloadBytesMax}`,
      );
    }
    const needs = [...new Set([...(definition.needs ?? []), ...(options.needs ?? [])])];
    const attempts = options.attempts ?? definition.retry?.attempts;
    const spec = {
      taskId,
      type: definition.type,
      payload,
      priority,
      timeout: options.timeoutMs ?? definition.timeoutMs ?? limits.taskTimeoutMs,
      ...(needs.length === 0 ? {} : { needs }),
      ...(attempts === undefined ? {} : { attempts }),
      ...(key === undefined ? {} : { key }),
      ...(labels === undefined ? {} : { labels: { ...labels } }),
      ...(resources === undefined ? {} : { resources: { ...resources } }),
      ...(node === undefined ? {} : { node }),
      ...(prefer === undefined ? {} : { prefer }),
      ...(affinityKey === undefined ? {} : { affinityKey }),
      ...(delayMs === undefined ? {} : { delay: delayMs }),
      ...(ttlMs === undefined ? {} : { ttl: ttlMs }),
      ...(deadlineMs === undefined ? {} : { deadline: deadlineMs }),
      ...(fairKey === undefined ? {} : { fairKey }),
      ...(limit === undefined ? {} : { limit: { ...limit } }),
      ...(after === undefined ? {} : { after: { taskIds: [...after], onFailure: onDependencyFailure } }),
    };
    const parsed = TaskSpec.safeParse(spec);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new PincerError('OPTION_INVALID', `submit: ${issue?.path.join('.')} ${issue?.message ?? 'is invalid'}`);
    }
    return watch === false ? { ...spec, watch } : spec;
  }

  #enqueue(submission: Submission, payload: Payload<'task_submit'>, signal: AbortSignal | undefined): void {
    this.#backlog.push(() => this.#send(submission, payload));
    this.#pump();
    if (signal === undefined) return;
    const onAbort = (): void => {
      const cancelled = submission.accepted().then(() => submission.cancel());
      // Refused, or over before: then there is nothing to cancel, and the handle says so.
      cancelled.catch(() => {});
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const release = (): void => signal.removeEventListener('abort', onAbort);
    submission.outcome().then(release, release);
    if (signal.aborted) onAbort();
  }

  #pump(): void {
    const { submitsUnderWayMax, watchMax } = this.#world.limits;
    while (this.#underWay < submitsUnderWayMax && this.#followed.size < watchMax) {
      const next = this.#backlog[this.#backlogFrom];
      if (next === undefined) {
        this.#backlog = [];
        this.#backlogFrom = 0;
        return;
      }
      this.#backlogFrom += 1;
      this.#underWay += 1;
      next();
    }
  }

  #send(submission: Submission, payload: Payload<'task_submit'>): void {
    const isWatched = payload.watch !== false;
    // Followed from the start: the outcome may come in the same frame as the acceptance.
    if (isWatched) this.#follow(submission, payload.taskId);
    const over = (): void => {
      this.#underWay -= 1;
      this.#open.delete(payload.taskId);
      this.#pump();
    };
    const onAccepted = (message: Message): void => {
      if (message.type === 'task_accepted') {
        const { taskId, created } = message.payload;
        if (isWatched && taskId !== payload.taskId) {
          this.#unfollow(submission, payload.taskId);
          this.#follow(submission, taskId);
        }
        submission.accept(taskId, created);
      }
      over();
    };
    this.#options.requests.ask('task_submit', payload, onAccepted, (error) => {
      this.#unfollow(submission, payload.taskId);
      this.#refuse(submission, error);
      over();
    });
  }

  #follow(submission: Submission, taskId: string): void {
    const waiting = this.#followed.get(taskId);
    if (waiting === undefined) this.#followed.set(taskId, new Set([submission]));
    else waiting.add(submission);
  }

  #unfollow(submission: Submission, taskId: string): void {
    const waiting = this.#followed.get(taskId);
    waiting?.delete(submission);
    if (waiting?.size === 0) this.#followed.delete(taskId);
  }

  #refuse(submission: Submission, error: PincerError): void {
    this.#open.delete(submission.taskId);
    submission.refuse(error);
  }
}

function asPincerError(error: unknown): PincerError {
  return error instanceof PincerError ? error : new PincerError('INTERNAL', String(error), { cause: error });
}

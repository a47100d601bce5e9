/** A client’s tasks: prepared, sent in a window so that a link is never flooded, followed until they end. */
import { PincerError } from '../../protocol/failure.ts';
import { Identifier } from '../../protocol/identifier.ts';
import type { Message, Payload } from '../../protocol/message.ts';
import { checkOptions } from '../../protocol/options.ts';
import type { TaskStatus } from '../../protocol/task.ts';
import { AbortListeners } from '../peer/abort-listeners.ts';
import { Backlog } from '../peer/backlog.ts';
import type { Connection } from '../peer/connection.ts';
import type { Request, Requests } from '../peer/requests.ts';
import type { TaskDefinition } from '../task-definition.ts';
import { newTaskId } from '../task-id.ts';
import { TransitMap } from '../transit-map.ts';
import type { World } from '../world/world.ts';
import { Submission, type SubmissionOptions, type TaskHandle } from './handle.ts';
import { definitionOf, SUBMIT_OPTIONS, type SubmitOptions, submitSpec } from './submit-spec.ts';

export interface SubmitsOptions {
  readonly requests: Requests;
  readonly connection: () => Connection;
  cancel(taskId: string): Promise<TaskStatus>;
  /** Why nothing can be submitted any more, or null. */
  end(): PincerError | null;
}

/** A task that is submitted: one object from its place in the backlog to its answer. */
class SubmitRequest implements Request {
  readonly type = 'task_submit';
  readonly to = undefined;
  readonly isRepeatable = true;
  readonly submission: Submission;
  readonly payload: Payload<'task_submit'>;
  /** It is in the backlog. */
  isWaiting = true;
  readonly #onAnswered: (request: SubmitRequest, answer: Message | PincerError) => void;

  constructor(submission: Submission, payload: Payload<'task_submit'>, onAnswered: Submits['onAnswered']) {
    this.submission = submission;
    this.payload = payload;
    this.#onAnswered = onAnswered;
  }

  onAnswer(message: Message): void {
    this.#onAnswered(this, message);
  }

  onError(error: PincerError): void {
    this.#onAnswered(this, error);
  }
}

export class Submits {
  readonly #world: World;
  readonly #options: SubmitsOptions;
  /** Those whose input a schema takes its time to check. */
  readonly #preparing = new Set<Submission>();
  /** Followed, by the id the gateway knows; the set is for tasks that are followed more than once. */
  readonly #followed = new TransitMap<string, Submission | Set<Submission>>();
  /** What submissions share: there may be very many. */
  readonly #watched: SubmissionOptions;
  readonly #unwatched: SubmissionOptions;
  readonly #backlog = new Backlog<SubmitRequest>();
  readonly #aborts = new AbortListeners();
  #underWay = 0;

  /** What is asked to be watched and has not been dealt with, by the number of its message in this session. */
  readonly #watches = new Map<number, readonly string[]>();

  constructor(world: World, options: SubmitsOptions) {
    this.#world = world;
    this.#options = options;
    const shared = { limits: world.limits, cancel: options.cancel };
    this.#watched = { ...shared, isWatched: true };
    this.#unwatched = { ...shared, isWatched: false };
  }

  submit(task: TaskDefinition | string, input: unknown, how?: SubmitOptions): TaskHandle {
    // What is not typed may say null for nothing.
    const options = how ?? NOTHING_SAID;
    const { ids, clock, limits } = this.#world;
    const taskId = options.taskId ?? newTaskId(ids, clock.wallTime());
    const submission = new Submission(taskId, options.watch === false ? this.#unwatched : this.#watched);
    const { signal } = options;
    try {
      const end = this.#options.end();
      if (end !== null) throw end;
      if (options !== NOTHING_SAID) checkOptions(options, 'submit', 'options, or nothing', SUBMIT_OPTIONS);
      if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
        throw new PincerError('OPTION_INVALID', 'submit: signal must be an AbortSignal');
      }
      if (signal?.aborted === true) throw new PincerError('TASK_CANCELLED', 'the signal was aborted before the submit');
      const definition = definitionOf(task, 'submit');
      const payload = submitSpec({ taskId, definition, input, options, limits });
      if (payload instanceof Promise) {
        this.#preparing.add(submission);
        payload.then(
          (prepared) => this.#enqueue(submission, prepared, options),
          (error: unknown) => this.#refuse(submission, asPincerError(error)),
        );
      } else this.#enqueue(submission, payload, options);
    } catch (error) {
      this.#refuse(submission, asPincerError(error));
    }
    return submission;
  }

  follow(taskId: string): TaskHandle {
    const submission = new Submission(taskId, this.#watched);
    const fault = this.#options.end() ?? faultOf(taskId);
    if (fault !== null) submission.refuse(fault);
    else {
      this.#follow(submission, taskId);
      submission.accept(taskId, false);
      // Without a session, the first welcome watches everything that is followed.
      this.#watch([taskId]);
    }
    return submission;
  }

  settle(outcome: Payload<'task_settled'>): void {
    const followers = this.#followed.get(outcome.taskId);
    this.#followed.delete(outcome.taskId);
    for (const submission of each(followers)) submission.settle(outcome);
    this.#pump();
  }

  report({ taskId, payload }: Payload<'task_progress'>): void {
    for (const submission of each(this.#followed.get(taskId))) submission.report(payload);
  }

  /** A new session does not know what the old one watched. What was not accepted is submitted again, and so watched. */
  watchAgain(): void {
    const { listMax } = this.#world.limits;
    this.#watches.clear();
    const taskIds: string[] = [];
    for (const [taskId, followers] of this.#followed) {
      if ([...each(followers)].some((submission) => submission.isAccepted)) taskIds.push(taskId);
    }
    for (let start = 0; start < taskIds.length; start += listMax) {
      this.#watch(taskIds.slice(start, start + listMax));
    }
  }

  /** The gateway has refused something; false: it was no watch. Who follows those tasks would wait for ever. */
  refuseWatch(id: number | undefined, error: PincerError): boolean {
    const taskIds = id === undefined ? undefined : this.#watches.get(id);
    for (const taskId of taskIds ?? []) {
      const followers = this.#followed.get(taskId);
      this.#followed.delete(taskId);
      for (const submission of each(followers)) submission.refuse(error);
    }
    return taskIds !== undefined;
  }

  #watch(taskIds: readonly string[]): void {
    const onAcknowledged = (): void => {
      // A refusal comes before it is acknowledged, or together with that.
      this.#world.clock.soon(() => {
        if (this.#watches.get(id) === taskIds) this.#watches.delete(id);
      });
    };
    const id = this.#options.connection().send('task_watch', { taskIds: [...taskIds] }, { onAcknowledged });
    if (id !== 0) this.#watches.set(id, taskIds);
  }

  fail(error: PincerError): void {
    const followed = [...this.#followed.values()].flatMap((followers) => [...each(followers)]);
    const unsent = this.#backlog.takeAll().map(({ submission }) => submission);
    for (const submission of [...this.#preparing, ...unsent, ...followed]) {
      if (!submission.isOver) submission.refuse(error);
    }
    this.#preparing.clear();
    this.#followed.clear();
  }

  #enqueue(submission: Submission, payload: Payload<'task_submit'>, options: SubmitOptions): void {
    this.#preparing.delete(submission);
    // The client may have been stopped while the schema of the input took its time.
    if (submission.isOver) return;
    const request = new SubmitRequest(submission, payload, this.onAnswered);
    this.#backlog.push(request);
    this.#pump();
    const { signal } = options;
    if (signal === undefined) return;
    const isFoundAgain = options.taskId !== undefined || options.key !== undefined;
    const onAbort = (): void => {
      if (this.#takeBack(request)) return;
      if (isFoundAgain && isOfAttemptOnly(signal.reason)) {
        this.#letGo(submission, signal.reason);
        return;
      }
      const cancelled = submission.accepted().then(() => submission.cancel());
      // Refused, or over before: then there is nothing to cancel, and the handle says so.
      cancelled.catch(() => {});
    };
    const release = this.#aborts.add(signal, onAbort);
    // Of a task that is not followed, nobody will say that it is over.
    const end: Promise<unknown> = payload.watch === false ? submission.accepted() : submission.outcome();
    end.then(release, release);
    if (signal.aborted) onAbort();
  }

  /** Of what no gateway was given yet, none has to be asked to cancel it: there may never be one. */
  #takeBack(request: SubmitRequest): boolean {
    const { submission } = request;
    if (submission.isOver || submission.isAccepted) return false;
    const isUnsent = !request.isWaiting && this.#options.requests.takeUnsent(request);
    if (!request.isWaiting && !isUnsent) return false;
    const error = new PincerError('TASK_CANCELLED', 'the signal was aborted before a gateway had the task');
    if (isUnsent) this.onAnswered(request, error);
    else this.#refuse(submission, error);
    return true;
  }

  /** The task goes on without anybody here who waits for it. */
  #letGo(submission: Submission, reason: PincerError): void {
    this.#unfollow(submission, submission.taskId);
    this.#refuse(submission, reason);
    this.#pump();
  }

  #pump(): void {
    // What was under way is refused first, and makes room: the rest is refused where it stands.
    if (this.#options.end() !== null) return;
    const { submitsUnderWayMax, watchMax } = this.#world.limits;
    while (this.#underWay < submitsUnderWayMax && this.#followed.size < watchMax) {
      const next = this.#backlog.take();
      if (next === undefined) return;
      next.isWaiting = false;
      // Taken back meanwhile.
      if (next.submission.isOver) continue;
      this.#underWay += 1;
      this.#send(next);
    }
  }

  #send(request: SubmitRequest): void {
    const { submission, payload } = request;
    // Followed from the start: the outcome may come in the same frame as the acceptance.
    if (payload.watch !== false) this.#follow(submission, payload.taskId);
    this.#options.requests.send(request);
  }

  readonly onAnswered = ({ submission, payload }: SubmitRequest, answer: Message | PincerError): void => {
    const asked = payload.taskId;
    if (answer instanceof PincerError) {
      this.#unfollow(submission, asked);
      this.#refuse(submission, answer);
    } else if (answer.type === 'task_accepted') {
      const { taskId, created } = answer.payload;
      if (payload.watch !== false && taskId !== asked && !submission.isOver) {
        this.#unfollow(submission, asked);
        this.#follow(submission, taskId);
      }
      submission.accept(taskId, created);
    }
    this.#underWay -= 1;
    this.#pump();
  };

  #follow(submission: Submission, taskId: string): void {
    const followers = this.#followed.get(taskId);
    if (followers === undefined) this.#followed.set(taskId, submission);
    else if (followers instanceof Set) followers.add(submission);
    else this.#followed.set(taskId, new Set([followers, submission]));
  }

  #unfollow(submission: Submission, taskId: string): void {
    const followers = this.#followed.get(taskId);
    if (followers instanceof Set) followers.delete(submission);
    if (followers === submission || (followers instanceof Set && followers.size === 0)) this.#followed.delete(taskId);
  }

  #refuse(submission: Submission, error: PincerError): void {
    this.#preparing.delete(submission);
    submission.refuse(error);
  }
}

function each(followers: Submission | Set<Submission> | undefined): Iterable<Submission> {
  if (followers === undefined) return NOBODY;
  return followers instanceof Set ? followers : [followers];
}

const NOBODY: readonly Submission[] = [];
const NOTHING_SAID: SubmitOptions = {};

const ATTEMPT_ENDS: ReadonlySet<string> = new Set(['TASK_TIMED_OUT', 'NODE_LOST', 'STOPPED']);

/**
 * Whether a handler’s signal says that its attempt is over, and its task not: another attempt looks for the parts of this
 * one, and one that is cancelled would fail it.
 */
function isOfAttemptOnly(reason: unknown): reason is PincerError {
  return reason instanceof PincerError && ATTEMPT_ENDS.has(reason.code);
}

/** Why nobody can be asked of such a task, or null. */
function faultOf(taskId: string): PincerError | null {
  const parsed = Identifier.safeParse(taskId);
  if (parsed.success) return null;
  return new PincerError('OPTION_INVALID', `follow: taskId ${parsed.error.issues[0]?.message ?? 'is not an id'}`);
}

function asPincerError(error: unknown): PincerError {
  return error instanceof PincerError ? error : new PincerError('INTERNAL', String(error), { cause: error });
}

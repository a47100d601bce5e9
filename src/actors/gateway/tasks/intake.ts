/** How tasks come in and how their submitters learn of the outcome: submits of a frame are stored together. */
import { PincerError } from '../../../protocol/failure.ts';
import type { Message } from '../../../protocol/message.ts';
import type { Outcome, TaskStatus } from '../../../protocol/task.ts';
import { isOutcome } from '../../../protocol/task-status.ts';
import type { Store, SubmitVerdict, TaskRecord } from '../../store/store.ts';
import type { World } from '../../world/world.ts';
import { asPincerError, errorPayload } from '../replies.ts';
import type { Session } from '../sessions/session.ts';
import { SessionRate } from '../sessions/session-rate.ts';
import { NewTasks } from './new-tasks.ts';
import type { Watchers } from './watchers.ts';

interface Submit {
  readonly session: Session;
  readonly message: Message<'task_submit'>;
  /** Whether it counts among those that its session is about to watch. */
  isCounted: boolean;
}

export interface IntakeOptions {
  readonly store: Store;
  readonly watchers: Watchers;
  readonly gatewayId: () => string;
  /** A task is watched here that has not settled. */
  onWaiting(record: TaskRecord): void;
  onStoreFailed(error: unknown): void;
  /** False once the gateway drains: no more submits. */
  isServing(): boolean;
  /** An operator drains the type: no more submits of it. */
  isRefused(type: string): boolean;
}

export class Intake {
  readonly #world: World;
  readonly #options: IntakeOptions;
  readonly #rate: SessionRate;
  readonly #newTasks: NewTasks;
  /** How many tasks each session is about to watch: the store has not decided on them. */
  readonly #undecided = new WeakMap<Session, number>();
  #submits: Submit[] = [];

  constructor(world: World, options: IntakeOptions) {
    this.#world = world;
    this.#options = options;
    this.#newTasks = new NewTasks(world.limits);
    this.#rate = new SessionRate(world, 'submitsPerSecondMax', 'submitted more than % tasks');
  }

  add(session: Session, message: Message<'task_submit'>): void {
    const submit = { session, message, isCounted: false };
    try {
      this.#admit(submit);
      this.#submits.push(submit);
    } catch (error) {
      refuse(submit, asPincerError(error));
    }
  }

  /** @throws PincerError for what is not taken in, before it is stored. */
  #admit(submit: Submit): void {
    const { session, message } = submit;
    const { type, watch } = message.payload;
    if (this.#options.isRefused(type)) {
      throw new PincerError('TYPE_DRAINING', `tasks of type '${type}' are not taken in now`);
    }
    this.#rate.spend(session);
    // A task whose submitter cannot be told how it ends is not what was asked for.
    if (watch !== false) this.#count(submit);
  }

  #count(submit: Submit): void {
    const undecided = this.#undecided.get(submit.session) ?? 0;
    this.#options.watchers.expectRoom(submit.session, undecided);
    this.#undecided.set(submit.session, undecided + 1);
    submit.isCounted = true;
  }

  #uncount(submit: Submit): void {
    if (!submit.isCounted) return;
    this.#undecided.set(submit.session, (this.#undecided.get(submit.session) ?? 0) - 1);
  }

  /** Stores what was added. */
  flush(): void {
    while (this.#submits.length > 0) void this.#store(this.#submits.splice(0, this.#batchLength()));
  }

  /** How many are stored in one step. What a task depends on is looked up and linked, each like a task of its own. */
  #batchLength(): number {
    const { submitBatchMax } = this.#world.limits;
    let weight = 0;
    let length = 0;
    for (const { message } of this.#submits) {
      weight += 1 + (message.payload.after?.taskIds.length ?? 0);
      if (weight > submitBatchMax && length > 0) break;
      length += 1;
    }
    return length;
  }

  async #store(batch: readonly Submit[]): Promise<void> {
    let verdicts: readonly SubmitVerdict[];
    try {
      if (!this.#options.isServing()) throw new PincerError('GATEWAY_DRAINING', 'the gateway takes no more tasks');
      const createdAt = this.#world.clock.wallTime();
      const origin = this.#options.gatewayId();
      verdicts = await this.#options.store.submit(
        batch.map(({ session, message }) =>
          this.#newTasks.of(message.payload, { createdAt, origin, client: session.name }),
        ),
      );
    } catch (error) {
      for (const submit of batch) {
        this.#uncount(submit);
        refuse(submit, asPincerError(error));
      }
      return;
    }
    // From here on each is answered for itself: what was accepted is never refused with another one.
    for (const [index, submit] of batch.entries()) this.#answer(submit, verdicts[index]);
  }

  #answer(submit: Submit, verdict: SubmitVerdict | undefined): void {
    this.#uncount(submit);
    if (verdict === undefined) refuse(submit, new PincerError('INTERNAL', 'the store gave no verdict'));
    else if ('refused' in verdict) {
      const { refused, message, retryAfterMs } = verdict;
      refuse(submit, new PincerError(refused, message, { retryAfterMs }));
    } else this.#accept(submit, verdict);
  }

  #accept({ session, message }: Submit, verdict: { taskId: string; created: boolean; status: TaskStatus }): void {
    const { taskId, created, status } = verdict;
    // Who waits for the outcome may have both in one frame.
    const mayWait = message.payload.watch !== false;
    session.send('task_accepted', { taskId, created, status }, { re: message.id, mayWait });
    session.delivery.done(message);
    // A session that ended meanwhile has a successor, which submits and so watches again.
    if (message.payload.watch === false || session.isClosed) return;
    // There is room for it: it was counted until now.
    this.#options.watchers.add(taskId, session);
    // A task that was there before may have ended before, or while this was answered; a new one with what it depends on.
    if (!created || isOutcome(status)) void this.#tell(taskId);
  }

  /**
   * Makes a session a watcher of tasks; of those that have ended already it is told at once, or as soon as the store can
   * be read.
   * @throws PincerError `RATE_EXCEEDED` beyond `watchMax`: then it watches none of them.
   */
  async watch(session: Session, taskIds: readonly string[]): Promise<void> {
    this.#options.watchers.addAll(taskIds, session, this.#undecided.get(session));
    for (const taskId of taskIds) await session.whenLight(() => this.#tell(taskId));
  }

  /** Tells the watchers of a task how it has ended. One that has much to acknowledge is told later, of what the store has then. */
  settled(outcome: Outcome): void {
    const { taskId } = outcome;
    for (const session of this.#options.watchers.take(taskId)) {
      if (!session.delivery.isLaden) session.send('task_settled', outcome);
      else {
        this.#options.watchers.add(taskId, session);
        void session.whenLight(() => this.#tell(taskId));
      }
    }
  }

  /** Tasks have settled inside the store: those who watch them are told. */
  tellSettled(taskIds: readonly string[]): void {
    for (const taskId of taskIds) if (this.#options.watchers.has(taskId)) void this.#tell(taskId);
  }

  /** The same of one, however long the store cannot be read, while somebody watches it. */
  async #tell(taskId: string): Promise<void> {
    const { deadlines, limits } = this.#world;
    try {
      await this.tellIfSettled(taskId);
    } catch (error) {
      this.#options.onStoreFailed(error);
      deadlines.set(limits.undeliveredRetryMs, () => this.tellSettled([taskId]));
    }
  }

  /** Tells the watchers of a task, if it has ended or there is none; one that has just ended may be forgotten already. */
  async tellIfSettled(taskId: string): Promise<void> {
    const { store, watchers } = this.#options;
    const record = await store.get(taskId);
    let outcome = unknownOutcome(taskId);
    if (record !== null) {
      if (!isOutcome(record.status)) {
        if (watchers.has(taskId)) this.#options.onWaiting(record);
        return;
      }
      outcome = await this.#outcomeOf(record, record.status);
    }
    this.settled(outcome);
  }

  async #outcomeOf(record: TaskRecord, status: Outcome['status']): Promise<Outcome> {
    const { store } = this.#options;
    const { taskId } = record;
    const result = await store.result(taskId);
    // Forgotten since its record was read: an outcome without its result would be a wrong one.
    if (status === 'completed' && result === null && (await store.get(taskId)) === null) return unknownOutcome(taskId);
    return outcomeOf(record, status, result);
  }
}

function refuse({ session, message }: Submit, error: PincerError): void {
  session.send('error', errorPayload(error), { re: message.id });
  session.delivery.done(message);
}

/** Of a task that nobody knows, or not any more. */
function unknownOutcome(taskId: string): Outcome {
  const error = new PincerError('TASK_UNKNOWN', `no task '${taskId}'`).toFailure();
  return { taskId, status: 'failed', error, attempts: 0, queuedMs: 0, runMs: 0 };
}

const CANCELLED = new PincerError('TASK_CANCELLED', 'the task was cancelled').toFailure();

/** The outcome that a settled record stands for. */
function outcomeOf(record: TaskRecord, status: Outcome['status'], result: Uint8Array | null): Outcome {
  // However its last attempt has failed. Of one that was cancelled while it waited, the store keeps no reason.
  const error = status === 'cancelled' ? CANCELLED : record.error;
  return {
    taskId: record.taskId,
    status,
    ...(result === null ? {} : { result }),
    ...(error === null ? {} : { error }),
    ...(record.node === null ? {} : { node: record.node }),
    attempts: record.attemptsStarted,
    queuedMs: record.queuedMs,
    runMs: record.runMs,
  };
}

/**
 * What the messages of attached peers mean: submits to the store, reports to tasks, claims of nodes to nodes, questions
 * to answers. One frame at a time, so that what came together is stored together.
 */
import { classOf } from '../../machines/policies/requirement-class.ts';
import { type Failure, type FailureCode, PincerError } from '../../protocol/failure.ts';
import type { Message, Payload } from '../../protocol/message.ts';
import { isOutcome, needsOf, type Outcome, type TaskStatus } from '../../protocol/task.ts';
import type { NewTask, Store, TaskRecord } from '../store/store.ts';
import type { World } from '../world.ts';
import type { Dispatch } from './dispatch.ts';
import type { Nodes } from './nodes.ts';
import { answer, type QuestionSources } from './questions.ts';
import type { Session } from './sessions.ts';
import type { Tasks } from './tasks.ts';
import type { Watchers } from './watchers.ts';

export interface InboxOptions {
  readonly store: Store;
  readonly tasks: Tasks;
  readonly nodes: Nodes;
  readonly dispatch: Dispatch;
  readonly watchers: Watchers;
  readonly questions: QuestionSources;
  /** What a peer may do, of what it claims. */
  grant(session: Session, claimed: readonly string[]): readonly string[];
  /** False once the gateway drains: no more submits. */
  isServing(): boolean;
  onLeft(session: Session, reason: string): void;
}

type Of<Type extends Message['type']> = Message<Type>;

export class Inbox {
  readonly #world: World;
  readonly #options: InboxOptions;
  #submits: { session: Session; message: Of<'task_submit'> }[] = [];

  constructor(world: World, options: InboxOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** Takes the messages of one frame. */
  take(session: Session, messages: readonly Message[]): void {
    for (const message of messages) this.#take(session, message);
    if (this.#submits.length > 0) void this.#submit(this.#submits.splice(0));
    const { tasks, nodes, dispatch } = this.#options;
    tasks.flush();
    nodes.tellSlots();
    if (this.#isRoomFreed) {
      this.#isRoomFreed = false;
      dispatch.roomChanged(true);
    }
  }

  #isRoomFreed = false;

  #take(session: Session, message: Message): void {
    const { delivery } = session;
    switch (message.type) {
      case 'task_submit':
        this.#submits.push({ session, message });
        break;
      case 'task_started':
        if (this.#isHeld(session, message.payload))
          this.#options.tasks.report(message.payload, { type: 'attempt.started' });
        delivery.done(message);
        break;
      case 'task_progress':
        this.#forward(session, message);
        break;
      case 'task_result':
        this.#result(session, message);
        break;
      case 'task_ended':
        this.#free(session, message.payload);
        delivery.done(message);
        break;
      case 'task_reject': {
        const { code, message: text, ...ref } = message.payload;
        const isHeld = this.#isHeld(session, ref);
        this.#free(session, ref);
        if (!isHeld) delivery.done(message);
        else {
          const failure = PincerError.from({ code, message: text }).toFailure();
          this.#options.tasks.report(ref, { type: 'attempt.rejected', failure }, () => delivery.done(message));
        }
        break;
      }
      case 'task_cancel':
        void this.#answering(session, message, () => this.#cancel(session, message));
        break;
      case 'task_watch':
        void this.#answering(session, message, () => this.#watch(session, message));
        break;
      case 'query':
        void this.#answering(session, message, async () => {
          session.send('answer', (await answer(message.payload, this.#options.questions)) as Payload<'answer'>, {
            re: message.id,
          });
        });
        break;
      case 'heartbeat':
        this.#heartbeat(session, message.payload);
        break;
      case 'unregister':
        delivery.done(message);
        this.#options.onLeft(session, `unregistered: ${message.payload.reason}`);
        break;
      case 'goodbye':
        this.#options.onLeft(session, message.payload.message);
        break;
      case 'error':
        this.#world.log.warn('peer.error', { peer: session.peerId, code: message.payload.code });
        delivery.done(message);
        break;
      case 'ack':
      case 'register':
      case 'welcome':
      case 'reject':
      case 'drain':
      case 'task_accepted':
      case 'task_settled':
      case 'task_assign':
      case 'task_cancelling':
      case 'answer':
        // Sessions let none of these through: they are not for a peer to send.
        delivery.done(message);
        break;
      default:
        unexpected(message);
    }
  }

  async #submit(submits: readonly { session: Session; message: Of<'task_submit'> }[]): Promise<void> {
    const { store, dispatch } = this.#options;
    const { submitBatchMax } = this.#world.limits;
    for (let start = 0; start < submits.length; start += submitBatchMax) {
      const batch = submits.slice(start, start + submitBatchMax);
      try {
        if (!this.#options.isServing()) throw new PincerError('GATEWAY_DRAINING', 'the gateway takes no more tasks');
        const createdAt = this.#world.clock.wallTime();
        const verdicts = await store.submit(batch.map(({ message }) => this.#newTask(message.payload, createdAt)));
        for (const [index, { session, message }] of batch.entries()) {
          const verdict = verdicts[index];
          if (verdict === undefined) throw new PincerError('INTERNAL', 'the store gave no verdict');
          if ('refused' in verdict) {
            const { refused, message: text, retryAfterMs } = verdict;
            this.#refuse(session, message, new PincerError(refused, text, { retryAfterMs }));
          } else this.#accept(session, message, verdict);
        }
      } catch (error) {
        for (const { session, message } of batch) this.#refuse(session, message, asPincerError(error));
      }
    }
    dispatch.roomChanged();
  }

  #newTask(spec: Payload<'task_submit'>, createdAt: number): NewTask {
    const needs = needsOf(spec);
    return {
      taskId: spec.taskId,
      type: spec.type,
      queue: classOf({ type: spec.type, needs }),
      needs,
      priority: spec.priority,
      timeoutMs: spec.timeout,
      attemptsMax: spec.attempts ?? this.#world.limits.attemptsDefault,
      payload: spec.payload,
      createdAt,
      ...(spec.key === undefined ? {} : { key: spec.key }),
    };
  }

  #accept(
    session: Session,
    message: Of<'task_submit'>,
    verdict: { taskId: string; created: boolean; status: TaskStatus },
  ): void {
    const { taskId, created, status } = verdict;
    session.send('task_accepted', { taskId, created, status }, { re: message.id });
    session.delivery.done(message);
    if (message.payload.watch === false) return;
    try {
      this.#options.watchers.add(taskId, session);
      // A task that was there before may have ended before, or while this was answered.
      if (!created) void this.#tellIfSettled(taskId);
    } catch (error) {
      session.send('error', errorPayload(asPincerError(error)), { re: message.id });
    }
  }

  async #watch(session: Session, message: Of<'task_watch'>): Promise<void> {
    for (const taskId of message.payload.taskIds) {
      this.#options.watchers.add(taskId, session);
      const isKnown = await this.#tellIfSettled(taskId);
      if (isKnown) continue;
      this.#options.watchers.take(taskId);
      const unknown = new PincerError('TASK_UNKNOWN', `no task '${taskId}'`).toFailure();
      session.send('task_settled', { taskId, status: 'failed', error: unknown, attempts: 0, queuedMs: 0, runMs: 0 });
    }
  }

  /** Tells the watchers of a task that has ended already. False: there is no such task. */
  async #tellIfSettled(taskId: string): Promise<boolean> {
    const { store, watchers } = this.#options;
    const record = await store.get(taskId);
    if (record === null) return false;
    if (!isOutcome(record.status)) return true;
    const outcome = outcomeOf(record, record.status, await store.result(taskId));
    for (const session of watchers.take(taskId)) session.send('task_settled', outcome);
    return true;
  }

  async #cancel(session: Session, message: Of<'task_cancel'>): Promise<void> {
    const { store, tasks } = this.#options;
    const { taskId } = message.payload;
    const [verdict] = await store.cancel([taskId]);
    if (verdict === undefined || verdict === 'unknown') throw new PincerError('TASK_UNKNOWN', `no task '${taskId}'`);
    if (verdict === 'cancelling') tasks.tell(taskId, { type: 'task.cancel' });
    const record = await store.get(taskId);
    const status = verdict === 'cancelling' ? 'cancelling' : (record?.status ?? 'cancelled');
    session.send('task_cancelling', { taskId, status }, { re: message.id });
    if (verdict === 'cancelled') await this.#tellIfSettled(taskId);
    tasks.flush();
  }

  #result(session: Session, message: Of<'task_result'>): void {
    const { tasks, nodes } = this.#options;
    const { status, result, error, duration, overdue, taskId, attempt } = message.payload;
    const ref = { taskId, attempt };
    const done = (): void => session.delivery.done(message);
    const isHeld = this.#isHeld(session, ref);
    if (overdue === true) {
      const node = nodes.get(session.peerId);
      if (node !== undefined) nodes.markOverdue(node, ref);
    } else this.#free(session, ref);
    if (!isHeld) return done();
    switch (status) {
      case 'success':
        tasks.report(ref, { type: 'attempt.succeeded', result: result ?? NIL, runMs: duration }, done);
        break;
      case 'failed':
        tasks.report(ref, { type: 'attempt.failed', failure: error ?? unexplained, runMs: duration }, done);
        break;
      case 'timeout':
        tasks.report(ref, { type: 'attempt.failed', failure: timedOut(duration), runMs: duration }, done);
        break;
      case 'cancelled':
        tasks.report(ref, { type: 'attempt.stopped', runMs: duration }, done);
        break;
      default:
        unexpected(status);
    }
  }

  #forward(session: Session, message: Of<'task_progress'>): void {
    const { tasks, watchers } = this.#options;
    const { taskId } = message.payload;
    if (!this.#isHeld(session, message.payload)) return;
    for (const watcher of watchers.of(taskId)) watcher.send('task_progress', message.payload);
    void tasks;
  }

  #heartbeat(session: Session, beat: Payload<'heartbeat'>): void {
    const { nodes } = this.#options;
    const node = nodes.get(session.peerId);
    if (node === undefined || node.session !== session) return;
    if (beat.nodeId !== session.peerId) {
      throw new PincerError(
        'IDENTITY_MISMATCH',
        `a heartbeat of ${beat.nodeId} came over the link of ${session.peerId}`,
      );
    }
    nodes.update(node, beat, this.#options.grant(session, beat.capabilities));
    const lag = beat.load.lagMs ?? 0;
    const isFull = node.slots.size >= node.maxTasks;
    // “busy” while its slots are free by our count means busy with something else, or draining of its own accord.
    const isLagging =
      lag >= this.#world.limits.lagBusyMs ||
      beat.status === 'offline' ||
      (beat.status === 'busy' && !isFull && beat.load.tasks === 0);
    node.reason = isLagging ? `its event loop lags by ${Math.round(lag)} ms` : null;
    if (beat.status === 'offline') nodes.tell(node, { type: 'node.drain' });
    else nodes.tell(node, { type: 'heartbeat.received', isLagging });
    session.delivery.sendSignOfLife();
  }

  #isHeld(session: Session, ref: { taskId: string; attempt: number }): boolean {
    return this.#options.tasks.isHeld(session.peerId, ref);
  }

  #free(session: Session, ref: { taskId: string; attempt: number }): void {
    const { nodes } = this.#options;
    const node = nodes.get(session.peerId);
    if (node !== undefined && nodes.free(node, ref)) this.#isRoomFreed = true;
  }

  /** Runs what answers a request; what it throws is the answer. */
  async #answering(session: Session, message: Message, run: () => Promise<void>): Promise<void> {
    try {
      await run();
      session.delivery.done(message);
    } catch (error) {
      this.#refuse(session, message, asPincerError(error));
    }
  }

  #refuse(session: Session, message: Message, error: PincerError): void {
    if (error.code === 'INTERNAL')
      this.#world.log.error('request.failed', { type: message.type, error: String(error.cause ?? error) });
    session.send('error', errorPayload(error), { re: message.id });
    session.delivery.done(message);
  }
}

/** msgpack nil: the result of a handler that returns nothing. */
const NIL = new Uint8Array([0xc0]);

const unexplained: Failure = { code: 'HANDLER_FAILED', message: 'the node gave no reason', retryable: true };

function timedOut(durationMs: number): Failure {
  return {
    code: 'TASK_TIMED_OUT',
    message: `the attempt was stopped after ${Math.round(durationMs)} ms`,
    retryable: true,
  };
}

/** The outcome that a settled record stands for. */
export function outcomeOf(record: TaskRecord, status: Outcome['status'], result: Uint8Array | null): Outcome {
  return {
    taskId: record.taskId,
    status,
    ...(result === null ? {} : { result }),
    ...(record.error === null ? {} : { error: record.error }),
    ...(record.node === null ? {} : { node: record.node }),
    attempts: record.attemptsStarted,
    queuedMs: record.queuedMs,
    runMs: record.runMs,
  };
}

function errorPayload(error: PincerError): Payload<'error'> {
  return {
    code: error.code as FailureCode,
    message: error.message.slice(0, 2_000),
    retryable: error.retryable,
    hint: error.hint,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  };
}

function asPincerError(error: unknown): PincerError {
  return error instanceof PincerError ? error : new PincerError('INTERNAL', 'the request failed', { cause: error });
}

function unexpected(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}

/**
 * What the messages of attached peers mean: submits to the store, reports to tasks, claims of nodes to nodes, questions
 * to answers. What came in one turn of the event loop, in however many frames, is stored and given room together.
 */
import { type Failure, PincerError } from '../../protocol/failure.ts';
import type { Message, Payload } from '../../protocol/message.ts';
import { unexpected } from '../../protocol/unexpected.ts';
import type { Store } from '../store/store.ts';
import type { World } from '../world/world.ts';
import type { Relay } from './cluster/relay.ts';
import type { Dispatch } from './dispatch/dispatch.ts';
import type { Granting } from './nodes/granting.ts';
import { hesitationOf } from './nodes/hesitation.ts';
import type { Nodes } from './nodes/nodes.ts';
import { carryOut, type OrderTargets } from './orders/orders.ts';
import { answerInOneFrame } from './questions/answer-size.ts';
import { answer, type QuestionSources } from './questions/questions.ts';
import { asPincerError, errorPayload } from './replies.ts';
import type { Session } from './sessions/session.ts';
import type { Switchboard } from './switchboard.ts';
import type { Intake } from './tasks/intake.ts';
import type { Tasks } from './tasks/tasks.ts';
import type { Verdicts } from './tasks/verdicts.ts';
import type { Watchers } from './tasks/watchers.ts';

export interface InboxOptions {
  readonly store: Store;
  readonly tasks: Tasks;
  readonly nodes: Nodes;
  readonly dispatch: Dispatch;
  readonly watchers: Watchers;
  readonly intake: Intake;
  readonly switchboard: Switchboard;
  readonly relay: Relay;
  readonly orders: OrderTargets;
  readonly questions: QuestionSources;
  /** What a peer may do, of what it claims. */
  readonly granting: Granting;
  readonly verdicts: Verdicts;
  /** While it is not known what is held: until it resolves or rejects. */
  rejoining(): Promise<void> | null;
  onLeft(session: Session, reason: string): void;
}

type Of<Type extends Message['type']> = Message<Type>;

export class Inbox {
  readonly #world: World;
  readonly #options: InboxOptions;
  #isRoomFreed = false;
  /** Messages that were taken in this turn, and of which nothing was stored yet. */
  #taken = 0;
  #isTurnOpen = false;

  constructor(world: World, options: InboxOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** Takes the messages of one frame. */
  take(session: Session, messages: readonly Message[]): void {
    this.#openTurn();
    for (const message of messages) {
      this.#take(session, message);
      // It has said goodbye: whatever it asks for behind that would be kept for nobody.
      if (session.isClosed) break;
    }
    this.#taken += messages.length;
    // More together would cost no less, and those behind them wait.
    if (this.#taken >= this.#world.limits.unstoredMax) this.#catchUp();
  }

  /** What is taken from now on is dealt with at the end of this turn, and what that has to say leaves right behind it. */
  #openTurn(): void {
    if (this.#isTurnOpen) return;
    this.#isTurnOpen = true;
    const { clock, departures } = this.#world;
    clock.soon(() => {
      this.#isTurnOpen = false;
      this.#catchUp();
    });
    departures.expect();
  }

  /** Stores what was taken, and claims what it has made room for. */
  #catchUp(): void {
    const { nodes, dispatch } = this.#options;
    this.#taken = 0;
    this.#store();
    const isRoomFreed = this.#isRoomFreed;
    this.#isRoomFreed = false;
    dispatch.catchUp(isRoomFreed);
    // A slot that is filled again at once has not changed for anybody.
    if (!dispatch.isClaiming) nodes.tellSlots();
  }

  #store(): void {
    this.#options.intake.flush();
    this.#options.tasks.flush();
  }

  #take(session: Session, message: Message): void {
    const { delivery } = session;
    switch (message.type) {
      case 'task_submit':
        this.#options.intake.add(session, message);
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
        if (this.#isPutOff(session, message)) break;
        const isHeld = this.#isHeld(session, ref);
        const failure = PincerError.from({ code, message: text }).toFailure();
        if (isHeld) this.#options.nodes.get(session.peerId)?.breaker.fault(failure, [ref.taskId]);
        this.#free(session, ref);
        if (!isHeld) delivery.done(message);
        else {
          this.#options.tasks.report(ref, { type: 'attempt.rejected', failure }, () => delivery.done(message));
        }
        break;
      }
      case 'task_cancel':
        void this.#answering(session, message, () => this.#cancel(session, message));
        break;
      case 'task_watch':
        void this.#answering(session, message, () => this.#options.intake.watch(session, message.payload.taskIds));
        break;
      case 'query':
        void session.whenLight(() => this.#answering(session, message, () => this.#answer(session, message)));
        break;
      case 'order':
        void this.#answering(session, message, async () => {
          session.send('answer', await carryOut(message.payload, session, this.#options.orders), { re: message.id });
        });
        break;
      case 'direct':
      case 'broadcast':
      case 'subscribe':
      case 'unsubscribe':
        this.#options.switchboard.take(session, message);
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
      case 'delivered':
        // Sessions let none of these through: they are not for a peer to send.
        delivery.done(message);
        break;
      default:
        unexpected(message);
    }
  }

  async #answer(session: Session, { id, payload }: Of<'query'>): Promise<void> {
    const { questions } = this.#options;
    const given = await answerInOneFrame(payload, questions.limits, (query) => answer(query, questions));
    session.send('answer', given as Payload<'answer'>, { re: id });
  }

  async #cancel(session: Session, message: Of<'task_cancel'>): Promise<void> {
    const { store, tasks } = this.#options;
    const { taskId } = message.payload;
    const [verdict] = await store.cancel([taskId]);
    if (verdict === undefined || verdict === 'unknown') throw new PincerError('TASK_UNKNOWN', `no task '${taskId}'`);
    const isHere = verdict === 'cancelling' && tasks.tell(taskId, { type: 'task.cancel' });
    const record = await store.get(taskId);
    if (verdict === 'cancelling' && !isHere && record !== null) this.#options.relay.cancel(record);
    const status = verdict === 'cancelling' ? 'cancelling' : (record?.status ?? 'cancelled');
    session.send('task_cancelling', { taskId, status }, { re: message.id });
    if (verdict === 'cancelled') {
      await this.#options.intake.tellIfSettled(taskId);
      this.#options.relay.settled(taskId, record?.origin ?? null);
    }
    tasks.flush();
  }

  #result(session: Session, message: Of<'task_result'>): void {
    const { tasks, nodes } = this.#options;
    const { status, result, error, duration, overdue, taskId, attempt } = message.payload;
    const ref = { taskId, attempt };
    if (this.#isPutOff(session, message)) return;
    const isHeld = this.#isHeld(session, ref);
    const isLate = !isHeld || tasks.isEnded(taskId);
    const done = (): void => {
      session.delivery.done(message);
      if (isLate) void this.#options.verdicts.judge(ref);
    };
    // Before the slot is free: an attempt on trial is known by it.
    if (isHeld) this.#judge(session, ref.taskId, error ?? null);
    if (overdue === true) {
      const node = nodes.get(session.peerId);
      if (node !== undefined) nodes.markOverdue(node, ref);
    } else this.#free(session, ref);
    if (!isHeld) {
      done();
      return;
    }
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

  /**
   * Whether what ends an attempt is taken up later: a gateway that has joined anew may be about to adopt that attempt, and
   * what is acknowledged must count.
   */
  #isPutOff(session: Session, message: Of<'task_result' | 'task_reject'>): boolean {
    const rejoining = this.#options.rejoining();
    if (rejoining === null || this.#options.tasks.holds(message.payload)) return false;
    const takeUp = (): void => this.take(session, [message]);
    rejoining.then(takeUp, takeUp);
    return true;
  }

  /** What the end of an attempt says of its node. */
  #judge(session: Session, taskId: string, failure: Failure | null): void {
    const breaker = this.#options.nodes.get(session.peerId)?.breaker;
    if (breaker === undefined) return;
    // Whatever else a result says comes from the handler, even if it is called as one of our own faults.
    if (failure?.code === 'HANDLER_NOT_LOADED') breaker.fault(failure, [taskId]);
    else breaker.prove();
  }

  #forward(session: Session, message: Of<'task_progress'>): void {
    const { watchers, relay, tasks } = this.#options;
    if (!this.#isHeld(session, message.payload)) return;
    relay.progress(message.payload, tasks.recordOf(message.payload.taskId)?.origin ?? null);
    for (const watcher of watchers.of(message.payload.taskId)) watcher.send('task_progress', message.payload);
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
    const { capabilities, maxTasks } = this.#options.granting.of(session, { maxTasks: node.maxTasks, ...beat });
    nodes.update(node, { ...beat, maxTasks }, capabilities);
    const hesitation = hesitationOf(beat, { maxTasks, lagBusyMs: this.#world.limits.lagBusyMs });
    const isLagging = hesitation !== null;
    // Any other reason, such as an operator’s, is not for a heartbeat to take away.
    if ((isLagging || node.isLagging) && node.status !== 'draining') node.reason = hesitation;
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
    // What was submitted and reported before is known by now.
    this.#store();
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

/**
 * The attempts of a node: one actor each, from its assignment until its report was acknowledged. Runs the attempt chart’s
 * commands; a slot is free only when its handler has really ended.
 */
import type { AnyActorRef } from 'xstate';
import { type AttemptCommand, type AttemptStop, attemptMachine } from '../../machines/attempt.ts';
import { type Failure, PincerError } from '../../protocol/failure.ts';
import type { AttemptRef } from '../../protocol/identifier.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { Payload } from '../../protocol/message.ts';
import { unexpected } from '../../protocol/unexpected.ts';
import type { Departing } from '../../transport/departures.ts';
import { createHost, type Host } from '../charts/actor-host.ts';
import type { Connection } from '../peer/connection.ts';
import { TransitMap } from '../transit-map.ts';
import type { World } from '../world/world.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { Isolations } from './isolations.ts';
import { Leftovers } from './leftovers.ts';
import { keyOf, type Outbox, type Result, resultFor } from './outbox.ts';
import { checkProgress, type Ended, type Registration } from './runner.ts';

export interface AttemptsOptions {
  readonly parent: AnyActorRef;
  readonly connection: () => Connection;
  readonly handlers: ReadonlyMap<string, Registration>;
  readonly maxTasks: () => number;
  readonly isDraining: () => boolean;
  readonly outbox: Outbox;
  /** Slots were taken or freed. */
  onSlots(): void;
}

export class Attempts implements AttemptOwner, Departing {
  readonly #world: World;
  readonly #options: AttemptsOptions;
  readonly #host: Host<typeof attemptMachine>;
  readonly #isolations: Isolations;
  readonly #attempts = new TransitMap<string, Attempt>();
  readonly #leftovers: Leftovers;
  /** Assigned in this turn, and begun when all that came in it has been taken. */
  #toBegin: Attempt[] = [];
  #startsUnsaid: Attempt[] = [];
  #slots = 0;
  /** The limits of a gateway that takes less than this node would send. */
  #lowered: Limits | null = null;

  constructor(world: World, options: AttemptsOptions) {
    this.#world = world;
    this.#options = options;
    this.#isolations = new Isolations(world);
    this.#leftovers = new Leftovers(options);
    this.#host = createHost(attemptMachine, {
      charts: world.charts,
      parent: options.parent,
      id: 'attempts',
      owner: {
        onCommand: (key, command) => this.#run(key, command),
        onDone: (key) => this.#forget(key),
        onError: (key, error) => {
          world.log.error('attempt.crashed', { attempt: key, error: String(error) });
          this.#forget(key);
        },
      },
    });
  }

  /** Slots taken. */
  get running(): number {
    return this.#slots;
  }

  /** Attempts that hold a slot or whose report is not acknowledged. */
  get size(): number {
    return this.#attempts.size + this.#leftovers.size;
  }

  /** Results of an earlier process, to be reported. */
  takeOver(results: readonly Result[]): void {
    this.#leftovers.take(results);
  }

  /** All of these, as a register lists them; more than it may list there are only where slots alone are as many. */
  refs(): AttemptRef[] {
    const own = [...this.#attempts.values()].map((attempt) => attempt.ref);
    return [...this.#leftovers.refs(), ...own].slice(0, defaultLimits.maxTasksMax);
  }

  assign(assignment: Payload<'task_assign'>): void {
    const { taskId, attempt, type } = assignment;
    const ref = { taskId, attempt };
    const key = keyOf(ref);
    if (this.#attempts.has(key) || this.#leftovers.has(ref)) return;
    const connection = this.#options.connection();
    const refusal = this.#refusal();
    if (refusal !== null) {
      connection.send('task_reject', { ...ref, code: refusal.code, message: refusal.message });
      return;
    }
    const registration = this.#options.handlers.get(type);
    if (registration === undefined) {
      const error = new PincerError('NO_HANDLER', `this node has no handler for '${type}'`).toFailure();
      connection.send('task_result', { ...ref, status: 'failed', error, duration: 0 });
      return;
    }
    const { clock, deadlines } = this.#world;
    const arrivedAt = clock.now();
    const begun = new Attempt(this, { key, ref, assignment, registration, limits: this.#limitsNow(), arrivedAt });
    begun.deadline = deadlines.set(assignment.timeout, () => this.#host.tell(key, { type: 'deadline.passed' }));
    this.#attempts.set(key, begun);
    this.#slots += 1;
    this.#host.spawn(key, undefined as never);
    this.#options.onSlots();
    if (this.#toBegin.length === 0) queueMicrotask(() => this.#begin());
    this.#toBegin.push(begun);
  }

  cancel({ taskId, attempt, reason }: Payload<'task_cancel'>): void {
    if (attempt === undefined) return;
    const ref = { taskId, attempt };
    if (this.#leftovers.has(ref)) return;
    const isKnown = this.#host.tell(keyOf(ref), { type: STOPS[reason ?? 'cancelled'] });
    // Never heard of it: it does not run here, and the gateway may stop waiting.
    if (!isKnown) this.#options.connection().send('task_result', { ...ref, status: 'cancelled', duration: 0 });
  }

  /** The gateway has given these attempts to others. */
  drop(refs: readonly AttemptRef[]): void {
    for (const ref of refs) {
      if (!this.#leftovers.forget(ref)) this.#host.tell(keyOf(ref), { type: 'attempt.drop' });
    }
  }

  /** Says again what a new session does not know: starts, and reports that were not acknowledged. */
  sayAgain(): void {
    this.#leftovers.sayAgain(this.#limitsNow());
    for (const [key, attempt] of this.#attempts) {
      if (attempt.report !== null) this.#send(key, attempt);
      else if (attempt.isStarted) this.#sayStart(attempt);
    }
  }

  /** Tells every handler to stop, since the node does. */
  stopAll(): void {
    for (const key of [...this.#attempts.keys()]) this.#host.tell(key, { type: 'node.stop' });
  }

  /** Ends every isolate: what was told to stop has its grace. */
  stopIsolates(): Promise<void> {
    return this.#isolations.stop();
  }

  /** The present gateway may take less than this node would send, and less than the one that an attempt came from. */
  #limitsNow(): Limits {
    const { limits } = this.#world;
    const { payloadBytesMax } = this.#options.connection().welcome?.policy ?? limits;
    if (payloadBytesMax >= limits.payloadBytesMax) return limits;
    if (this.#lowered?.payloadBytesMax !== payloadBytesMax) this.#lowered = { ...limits, payloadBytesMax };
    return this.#lowered;
  }

  /** Why nothing new is taken now, or null. */
  #refusal(): PincerError | null {
    if (this.#options.isDraining()) return new PincerError('NODE_DRAINING', 'this node takes no new work');
    const maxTasks = this.#options.maxTasks();
    if (this.#slots >= maxTasks) return new PincerError('NODE_FULL', `all ${maxTasks} slots of this node are taken`);
    return this.#options.outbox.refusal;
  }

  #begin(): void {
    const begun = this.#toBegin;
    this.#toBegin = [];
    for (const attempt of begun) this.#handle(attempt);
  }

  #handle(attempt: Attempt): void {
    // Stopped before its handler was called: it must not be called after, it would run without a slot.
    if (attempt.stop.isStopped) return;
    const ended = this.#isolations.run(attempt.registration, attempt);
    if (ended instanceof Promise) void ended.then((later) => this.#ended(attempt, later));
    else this.#ended(attempt, ended);
  }

  onStarted(attempt: Attempt): void {
    attempt.isStarted = true;
    this.#host.tell(attempt.key, { type: 'handler.started' });
  }

  async onProgress(attempt: Attempt, payload: Uint8Array): Promise<void> {
    checkProgress(payload, this.#limitsNow());
    const connection = this.#options.connection();
    if (attempt.isStartUnsaid) this.#sayStart(attempt);
    if (!attempt.stop.isStopped) connection.send('task_progress', { ...attempt.ref, payload });
    if (connection.isFull) await connection.whenRoom();
  }

  /** The handler may not wait for its reports, and so never hear of it. */
  onProgressFailed({ ref }: Attempt, { code, message }: Failure): void {
    this.#world.log.warn('progress.failed', { ...ref, code, message });
  }

  #ended({ key }: Attempt, ended: Ended): void {
    if ('result' in ended) this.#host.tell(key, { type: 'handler.returned', result: ended.result });
    else this.#host.tell(key, { type: 'handler.threw', failure: ended.failure });
  }

  /**
   * Says at the end of this turn that a handler has begun. If it has succeeded by then, its result says so: for a task that
   * takes no time that is one message less to write, check and note.
   */
  #saySoon(attempt: Attempt): void {
    attempt.isStartUnsaid = true;
    this.#startsUnsaid.push(attempt);
    if (this.#startsUnsaid.length === 1) this.#world.departures.add(this);
  }

  /** The turn ends. */
  depart(): void {
    const unsaid = this.#startsUnsaid;
    this.#startsUnsaid = [];
    for (const each of unsaid) if (each.isStartUnsaid) this.#sayStart(each);
  }

  #sayStart(attempt: Attempt): void {
    attempt.isStartUnsaid = false;
    this.#options.connection().send('task_started', attempt.ref);
  }

  #run(key: string, command: AttemptCommand): void {
    const attempt = this.#attempts.get(key);
    if (attempt === undefined) return;
    switch (command.type) {
      case 'report.started':
        this.#saySoon(attempt);
        break;
      case 'report.result':
        attempt.deadline?.clear();
        // Only a success tells of its start: a failure may be of an attempt that never began.
        if (command.status === 'success') attempt.isStartUnsaid = false;
        else if (attempt.isStartUnsaid) this.#sayStart(attempt);
        this.#report(key, this.#resultOf(attempt, command));
        break;
      case 'report.ended':
        attempt.report = { type: 'task_ended', payload: attempt.ref };
        this.#send(key, attempt);
        break;
      case 'handler.abort': {
        attempt.deadline?.clear();
        attempt.deadline = this.#world.deadlines.set(this.#world.limits.cancelGraceMs, () =>
          this.#host.tell(key, { type: 'grace.passed' }),
        );
        attempt.stop.stop(reasonOf(command.reason, attempt.assignment));
        break;
      }
      case 'slot.free':
        attempt.deadline?.clear();
        if (!attempt.isStarted) attempt.stop.stop(new PincerError('TASK_CANCELLED', 'stopped before it started'));
        if (attempt.hasSlot) {
          attempt.hasSlot = false;
          this.#slots -= 1;
          this.#options.onSlots();
        }
        break;
      default:
        unexpected(command);
    }
  }

  #resultOf(
    { ref: { taskId, attempt }, arrivedAt }: Attempt,
    { status, result, failure, isOverdue }: Extract<AttemptCommand, { type: 'report.result' }>,
  ): Payload<'task_result'> {
    const duration = Math.max(0, this.#world.clock.now() - arrivedAt);
    if (result !== null) return { taskId, attempt, status, duration, result };
    return {
      taskId,
      attempt,
      status,
      duration,
      ...(failure === null ? {} : { error: failure }),
      ...(isOverdue ? { overdue: true } : {}),
    };
  }

  /** A result is reported when the outbox has it. That an attempt is overdue is no result: its work has yet to end. */
  #report(key: string, result: Result): void {
    if (result.overdue === true) this.#onKept(key, result);
    else this.#options.outbox.keep(key, result, this.#onKept);
  }

  /** One for all, since this is the way of every result. */
  readonly #onKept = (key: string, payload: Result): void => {
    const attempt = this.#attempts.get(key);
    // It may have been dropped since.
    if (attempt === undefined) return;
    attempt.report = { type: 'task_result', payload };
    this.#send(key, attempt);
  };

  #send(key: string, attempt: Attempt): void {
    const { report } = attempt;
    if (report === null) return;
    const onAcknowledged = (): void => {
      if (attempt.report === report) attempt.report = null;
      this.#host.tell(key, { type: 'report.acknowledged' });
    };
    const connection = this.#options.connection();
    if (report.type === 'task_result') {
      connection.send('task_result', resultFor(report.payload, this.#limitsNow()), { onAcknowledged });
    } else connection.send('task_ended', report.payload, { onAcknowledged });
  }

  #forget(key: string): void {
    const attempt = this.#attempts.get(key);
    if (attempt === undefined) return;
    attempt.deadline?.clear();
    this.#attempts.delete(key);
    this.#options.outbox.forget(key);
    if (attempt.hasSlot) {
      attempt.hasSlot = false;
      this.#slots -= 1;
    }
    this.#options.onSlots();
  }
}

/** What a gateway’s word for stopping an attempt is to its chart. */
const STOPS = {
  cancelled: 'attempt.cancel',
  timeout: 'deadline.passed',
  withdrawn: 'attempt.withdraw',
} as const;

function reasonOf(reason: AttemptStop, { timeout }: Payload<'task_assign'>): PincerError {
  switch (reason) {
    case 'timeout':
      return new PincerError('TASK_TIMED_OUT', `the attempt took longer than ${timeout} ms`);
    case 'cancelled':
      return new PincerError('TASK_CANCELLED', 'the task was cancelled');
    case 'withdrawn':
    case 'dropped':
      return new PincerError('NODE_LOST', 'the gateway has given the task to another node');
    case 'stopped':
      return new PincerError('STOPPED', 'the node was stopped');
    default:
      return unexpected(reason);
  }
}

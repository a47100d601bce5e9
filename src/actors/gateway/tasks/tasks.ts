/**
 * The live tasks of a gateway: one actor per task that is claimed, from its placement to its outcome. Runs the task
 * chart’s commands; what the store must know is gathered during a turn and written in one step. A task that waits is its
 * record in the store, not an actor here.
 */
import type { AnyActorRef } from 'xstate';
import { type TaskCommand, type TaskEvent, taskMachine } from '../../../machines/task.ts';
import { type Failure, PincerError } from '../../../protocol/failure.ts';
import type { AttemptRef } from '../../../protocol/identifier.ts';
import type { Outcome } from '../../../protocol/task.ts';
import { unexpected } from '../../../protocol/unexpected.ts';
import { createHost, type Host } from '../../charts/actor-host.ts';
import type { Claimed, CompletionVerdict, Store, TaskRecord } from '../../store/store.ts';
import { TransitMap } from '../../transit-map.ts';
import type { World } from '../../world/world.ts';
import { also, type LiveTask, stored } from './live-task.ts';
import { Settlement } from './settlement.ts';

export interface TasksOwner {
  /** Hands an attempt to its node. */
  assign(nodeId: string, attempt: LiveTask): void;
  /** Tells a node to stop an attempt. */
  withdraw(nodeId: string, ref: AttemptRef, reason: 'cancelled' | 'timeout' | 'withdrawn'): void;
  /** A node has not answered an assignment in time. */
  onUnanswered(nodeId: string, taskId: string): void;
  /** A task settled while its attempt still holds a slot. */
  onOverdue(nodeId: string, ref: AttemptRef): void;
  onSettled(outcome: Outcome, record: TaskRecord): void;
  /** A task has ended by what the store decided: its record says how. */
  onEnded(taskId: string): void;
  onStoreFailed(error: unknown): void;
}

export class Tasks {
  readonly #world: World;
  readonly #owner: TasksOwner;
  readonly #host: Host<typeof taskMachine>;
  readonly #live = new TransitMap<string, LiveTask>();
  readonly #settlement: Settlement<LiveTask>;
  #whenIdle: (() => void)[] = [];
  /** Late, duplicate and foreign reports that changed nothing. */
  readonly dropped = { late: 0, foreign: 0, duplicate: 0, stale: 0 };

  constructor(
    world: World,
    options: { parent: AnyActorRef; store: Store; gatewayId: () => string; owner: TasksOwner },
  ) {
    this.#world = world;
    this.#owner = options.owner;
    this.#host = createHost(taskMachine, {
      charts: world.charts,
      parent: options.parent,
      id: 'tasks',
      owner: {
        onCommand: (taskId, command) => this.#run(taskId, command),
        onDone: (taskId) => this.#reap(taskId),
        onError: (taskId, error) => this.#crash(taskId, error),
      },
    });
    this.#settlement = new Settlement(world, {
      ...options,
      owner: {
        ...options.owner,
        onCompleted: (live, verdict) => this.#completed(live, verdict),
        onReleased: (live) => this.#released(live),
      },
    });
  }

  /** How many tasks are claimed. */
  get size(): number {
    return this.#live.size;
  }

  /** The attempts that this gateway holds, but for those of which what came is on its way into the store. */
  *refs(): IterableIterator<AttemptRef> {
    for (const [taskId, { attempt, isEnded }] of this.#live) if (!isEnded) yield { taskId, attempt };
  }

  async whenIdle(): Promise<void> {
    if (this.#live.size > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  /** The chart’s own word for what the task does now, if it is live. */
  status(taskId: string): string | undefined {
    return this.#host.snapshot(taskId)?.value as string | undefined;
  }

  /** The record of a task whose attempt is held here, as it was when it came. */
  recordOf(taskId: string): TaskRecord | undefined {
    return this.#live.get(taskId)?.record;
  }

  /** A claimed task has a node. */
  place(claimed: Claimed, nodeId: string): void {
    this.#spawn(claimed, nodeId);
    this.#host.tell(claimed.record.taskId, { type: 'task.placed', nodeId, attempt: claimed.record.attempt });
  }

  /** A node came with an attempt that it has been running for another gateway, or for this one before a restart. */
  adopt(claimed: Claimed, nodeId: string): void {
    this.#spawn(claimed, nodeId);
    this.#host.tell(claimed.record.taskId, { type: 'task.adopted', nodeId, attempt: claimed.record.attempt });
  }

  /** Whether an attempt is held here by that node. Anything else is late or foreign: counted, and nothing more. */
  isHeld(nodeId: string, ref: AttemptRef): boolean {
    const live = this.#live.get(ref.taskId);
    if (live !== undefined && live.nodeId === nodeId && live.attempt === ref.attempt) return true;
    if (live !== undefined && live.nodeId !== nodeId) this.dropped.foreign += 1;
    else this.dropped.late += 1;
    return false;
  }

  /** Whether an attempt is live here, whichever node has it. */
  holds({ taskId, attempt }: AttemptRef): boolean {
    return this.#live.get(taskId)?.attempt === attempt;
  }

  /** Whether what came of the attempt that is held is on its way into the store. */
  isEnded(taskId: string): boolean {
    return this.#live.get(taskId)?.isEnded === true;
  }

  /** What a node reports of an attempt it holds; `done` is called when the store has what came of it. */
  report(ref: AttemptRef, event: TaskEvent, done?: () => void): void {
    const live = this.#live.get(ref.taskId);
    if (live === undefined) {
      done?.();
      return;
    }
    if (event.type === 'attempt.started') this.#noteStart(ref.taskId, live);
    // Said twice, or of an attempt that was given up: acknowledged with what came of it before.
    if (live.isEnded) this.dropped.late += 1;
    if (done !== undefined) live.whenStored = also(live.whenStored, done);
    this.#host.tell(ref.taskId, event);
  }

  /** Tells the actor of a task, if it is live. */
  tell(taskId: string, event: TaskEvent): boolean {
    return this.#host.tell(taskId, event);
  }

  /** Every attempt of a node is lost, but those in `kept`. */
  lose(nodeId: string, failure: Failure, kept: (ref: AttemptRef) => boolean = () => false): void {
    this.#tellHeldBy(nodeId, { type: 'node.lost', failure }, kept);
  }

  /** What a node was sent and never got, but those in `kept`: placed again, at no cost. */
  reject(nodeId: string, failure: Failure, kept: (ref: AttemptRef) => boolean): void {
    this.#tellHeldBy(nodeId, { type: 'attempt.rejected', failure }, kept);
  }

  /** A node leaves in order and hands back what it has: placed elsewhere, at no cost. */
  handBack(nodeId: string): void {
    this.#tellHeldBy(nodeId, { type: 'attempt.stopped', runMs: 0 }, () => false);
  }

  /** Attempts held by a node, to reconcile with what it says. */
  heldBy(nodeId: string): AttemptRef[] {
    const refs: AttemptRef[] = [];
    for (const [taskId, live] of this.#live) if (live.nodeId === nodeId) refs.push({ taskId, attempt: live.attempt });
    return refs;
  }

  /** A node has a new session, which knows of no cancellation: what is to stop there is told so again. */
  stopAgain(nodeId: string): void {
    for (const [taskId, { nodeId: holder, attempt, record }] of [...this.#live]) {
      if (holder !== nodeId) continue;
      const snapshot = this.#host.snapshot(taskId);
      if (snapshot?.value === 'cancelling') {
        this.#owner.withdraw(nodeId, { taskId, attempt }, snapshot.context.stopReason ?? 'withdrawn');
      } else if (record.cancelRequested) this.#host.tell(taskId, { type: 'task.cancel' });
    }
  }

  #tellHeldBy(nodeId: string, event: TaskEvent, kept: (ref: AttemptRef) => boolean): void {
    for (const [taskId, live] of [...this.#live]) {
      if (live.nodeId === nodeId && !kept({ taskId, attempt: live.attempt })) this.#host.tell(taskId, event);
    }
  }

  /** Writes what was gathered: at the end of the turn, or as soon as somebody asks. */
  flush(): void {
    this.#settlement.flush();
  }

  /** Forgets every live task without a word to the store: their claim has lapsed, or the gateway stops. */
  dropAll(): void {
    for (const taskId of [...this.#live.keys()]) {
      this.#host.drop(taskId);
      this.#reap(taskId);
    }
  }

  #spawn({ record, payload, remainingMs }: Claimed, nodeId: string): void {
    const { taskId, attempt, failures, crashes, attemptsMax } = record;
    if (this.#live.has(taskId)) {
      this.#host.drop(taskId);
      this.#reap(taskId);
    }
    this.#live.set(taskId, {
      record,
      payload,
      attempt,
      nodeId,
      // An attempt gets no more time than its task has left.
      timeoutMs: Math.max(1, Math.ceil(Math.min(record.timeoutMs, remainingMs ?? record.timeoutMs))),
      // One that is adopted may have started long ago.
      startedAt: record.startedAt === null ? null : this.#world.clock.now() - record.runMs,
      deadline: null,
      isEnded: false,
      whenStored: null,
    });
    this.#host.spawn(taskId, {
      taskId,
      attempt: attempt - 1,
      failures,
      crashes,
      attemptsMax,
      crashesMax: this.#world.limits.crashesMax,
      isDelayed: false,
    });
  }

  #run(taskId: string, command: TaskCommand): void {
    const live = this.#live.get(taskId);
    if (live === undefined) return;
    switch (command.type) {
      case 'attempt.assign': {
        const { nodeId, attempt } = command;
        this.#settlement.note({ taskId, attempt, event: 'assigned', node: nodeId });
        this.#arm(taskId, live, this.#world.limits.assignMs, 'deadline.passed');
        this.#owner.assign(nodeId, live);
        break;
      }
      case 'attempt.withdraw':
        // Only an assignment that its node has not answered is withdrawn of the chart’s own accord.
        if (command.reason === 'withdrawn') this.#owner.onUnanswered(command.nodeId, taskId);
        this.#owner.withdraw(command.nodeId, { taskId, attempt: command.attempt }, command.reason);
        break;
      case 'deadline.set': {
        // The node keeps the time; the gateway is the backstop, and so a little later.
        const { cancelGraceMs, timeoutSlackMs } = this.#world.limits;
        const isGrace = command.span === 'grace';
        const spanMs = (isGrace ? cancelGraceMs : live.timeoutMs) + timeoutSlackMs;
        this.#arm(taskId, live, spanMs, isGrace ? 'grace.passed' : 'deadline.passed');
        break;
      }
      case 'task.settle':
        live.deadline?.clear();
        this.#settle(live, command);
        break;
      case 'task.release':
        live.deadline?.clear();
        live.isEnded = true;
        this.#settlement.giveBack(live, command);
        break;
      default:
        unexpected(command);
    }
  }

  #arm(taskId: string, live: LiveTask, delayMs: number, type: 'deadline.passed' | 'grace.passed'): void {
    live.deadline?.clear();
    live.deadline = this.#world.deadlines.set(delayMs, () => {
      if (type === 'grace.passed') this.#owner.onOverdue(live.nodeId, { taskId, attempt: live.attempt });
      this.#host.tell(taskId, { type });
      this.flush();
    });
  }

  #settle(live: LiveTask, end: Parameters<Settlement<LiveTask>['settle']>[1]): void {
    live.isEnded = true;
    // The end may be all that was said of an attempt. One that was cancelled need not have started.
    if (end.status !== 'cancelled') live.startedAt ??= this.#world.clock.now() - end.runMs;
    this.#settlement.settle(live, end);
  }

  #noteStart(taskId: string, live: LiveTask): void {
    if (live.startedAt !== null) return;
    live.startedAt = this.#world.clock.now();
    this.#settlement.note({ taskId, attempt: live.attempt, event: 'started', node: live.nodeId });
  }

  #completed(live: LiveTask, verdict: CompletionVerdict): void {
    const { taskId } = live.record;
    const isAccepted = typeof verdict === 'number';
    if (!isAccepted) this.dropped[verdict === 'duplicate' ? 'duplicate' : 'stale'] += 1;
    const present = this.#live.get(taskId);
    if (present === live) {
      this.#host.tell(taskId, { type: isAccepted ? 'outcome.stored' : 'task.superseded' });
    } else if (present?.attempt === live.attempt) {
      // Adopted again since, and over: what was reported before has settled it.
      this.#host.tell(taskId, { type: 'task.superseded' });
    }
    stored(live);
  }

  #released(live: LiveTask): void {
    const { taskId } = live.record;
    // Meanwhile it may have been claimed again.
    if (this.#live.get(taskId) === live) {
      this.#host.drop(taskId);
      this.#reap(taskId);
    }
    stored(live);
  }

  #reap(taskId: string): void {
    const live = this.#live.get(taskId);
    if (live === undefined) return;
    live.deadline?.clear();
    this.#live.delete(taskId);
    // What is on its way into the store is acknowledged when it is there, and not before.
    if (!live.isEnded) stored(live);
    if (this.#live.size === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** A chart that throws fails its task, never the gateway. */
  #crash(taskId: string, error: unknown): void {
    this.#world.log.error('task.crashed', { taskId, error: String(error) });
    const live = this.#live.get(taskId);
    if (live === undefined) return;
    const failure = new PincerError('INTERNAL', 'the task’s own machine failed').toFailure();
    const { attempt, nodeId } = live;
    this.#settle(live, { status: 'failed', attempt, nodeId, result: null, failure, runMs: 0 });
    this.#settlement.flush();
    this.#reap(taskId);
  }
}

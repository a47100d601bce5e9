/**
 * Places work: runs the scheduler chart, claims from the store what there is room for, and hands each claimed task to a
 * node. Event-driven, one claim at a time; a class of tasks that nobody can do now costs nothing.
 */
import type { Actor, AnyActorRef } from 'xstate';
import { bestFit } from '../../../machines/policies/placement/best-fit.ts';
import type { Candidate, Strategy } from '../../../machines/policies/placement/placement.ts';
import type { Requirement } from '../../../machines/policies/requirement-class.ts';
import { type Leftover, type SchedulerCommand, schedulerMachine } from '../../../machines/scheduler.ts';
import { unexpected } from '../../../protocol/unexpected.ts';
import { startActor } from '../../charts/start-actor.ts';
import type { Claimed, Store, Want } from '../../store/store.ts';
import type { Deadline } from '../../world/deadlines.ts';
import type { World } from '../../world/world.ts';
import type { Node, Nodes } from '../nodes/nodes.ts';
import { candidateOf, dryOf, inOrder, othersThan, placeOf } from './candidates.ts';
import { Openings } from './openings.ts';
import { type WorkClass, WorkClasses } from './work-classes.ts';

/** Beyond so many classes it is asked now and then which of them still have tasks. */
const CLASSES_MANY = 64;
/** Tasks of one claim: with thousands of free slots the rest is claimed in the turns after, so that nobody waits for all of it. */
const CLAIM_MAX = 1_000;

export interface DispatchOwner {
  place(claimed: Claimed, nodeId: string): void;
  /** What was claimed together is placed. */
  onPlaced(): void;
  /** False while the gateway cannot be sure of its claim on work. */
  mayClaim(): boolean;
  /** The gateway’s claim has lapsed. */
  onFenced(): void;
  onStoreFailed(error: unknown): void;
}

export class Dispatch {
  readonly #world: World;
  readonly #store: Store;
  readonly #nodes: Nodes;
  readonly #owner: DispatchOwner;
  readonly #strategy: (type: string) => Strategy;
  /** Task types that are not placed until resumed. */
  readonly #paused = new Set<string>();
  readonly #gatewayId: () => string;
  readonly #classes: WorkClasses;
  readonly #openings: Openings;
  readonly #actor: Actor<typeof schedulerMachine>;
  /** Classes that may have claimable tasks. */
  readonly #waiting = new Set<string>();
  /** Those of them that were heard of while the store is asked which there are. */
  #heardMeanwhile: Set<string> | null = null;
  /** Classes heard of while a claim was under way: an empty answer does not speak for them. */
  readonly #heardSince = new Set<string>();
  /** Placements made so far. */
  #turn = 0;
  /** Claims that were begun, and those that were answered or have failed. */
  readonly claims = { begun: 0, answered: 0 };
  #isWorkHeard = false;
  #isRoomHeard = false;
  /** After a claim that failed: one, however many fail meanwhile. */
  #retry: Deadline | null = null;

  constructor(
    world: World,
    options: {
      parent: AnyActorRef;
      store: Store;
      nodes: Nodes;
      strategy: (type: string) => Strategy;
      gatewayId: () => string;
      owner: DispatchOwner;
    },
  ) {
    this.#world = world;
    this.#store = options.store;
    this.#nodes = options.nodes;
    this.#classes = new WorkClasses(options.nodes);
    this.#owner = options.owner;
    this.#strategy = options.strategy;
    this.#gatewayId = options.gatewayId;
    this.#openings = new Openings(world, {
      store: options.store,
      onOpened: (queues) => this.hear(queues),
      onStoreFailed: (error) => this.#owner.onStoreFailed(error),
    });
    this.#actor = startActor(schedulerMachine, {
      charts: world.charts,
      id: 'scheduler',
      parent: options.parent,
      onCommand: (command) => this.#run(command),
      onError: (error) => world.log.error('scheduler.crashed', { error: String(error) }),
    });
  }

  /** What the scheduler is doing: idle, dispatching, saturated, starved, paused, draining, stopped. */
  get status(): string {
    return this.#actor.getSnapshot().value as string;
  }

  /** Classes have got claimable tasks. Taken up in a moment, with what else is heard until then. */
  hear(queues: readonly string[]): void {
    for (const queue of queues) {
      this.#heardSince.add(queue);
      this.#heardMeanwhile?.add(queue);
      this.#waiting.add(queue);
    }
    if (this.#isWorkHeard) return;
    this.#isWorkHeard = true;
    queueMicrotask(() => this.catchUp(false));
  }

  /** More classes than are likely to wait: what nobody can do is never claimed, and so never found to have gone. */
  get isCrowded(): boolean {
    return this.#waiting.size > CLASSES_MANY;
  }

  /** Asks the store which classes have claimable tasks, hears of those, and forgets the others. */
  async look(): Promise<void> {
    const heard = new Set<string>();
    this.#heardMeanwhile = heard;
    try {
      const { ready } = await this.#store.stats();
      for (const queue of this.#waiting) if (!ready.has(queue) && !heard.has(queue)) this.#waiting.delete(queue);
      this.hear([...ready.keys()]);
    } finally {
      this.#heardMeanwhile = null;
    }
  }

  /** Whether a claim is on its way. When it is back, the nodes are told what has become of their slots. */
  get isClaiming(): boolean {
    return this.claims.begun > this.claims.answered;
  }

  /** What came in this turn has been dealt with: what it brought, work or room, is taken up at once. */
  catchUp(isRoomFreed: boolean): void {
    if (this.#isWorkHeard) {
      this.#isWorkHeard = false;
      this.#actor.send({ type: 'work.arrived' });
    } else if (isRoomFreed) this.#actor.send({ type: 'room.changed' });
  }

  /** Slots or nodes have changed. Taken up once this turn is over. */
  roomChanged(): void {
    if (this.#isRoomHeard) return;
    this.#isRoomHeard = true;
    this.#world.clock.soon(() => {
      this.#isRoomHeard = false;
      this.#actor.send({ type: 'room.changed' });
    });
    // What is placed then leaves then.
    this.#world.departures.expect();
  }

  /** Places no more tasks of a type, until resumed. */
  pause(type: string): void {
    this.#paused.add(type);
  }

  resume(type: string): void {
    if (this.#paused.delete(type)) this.roomChanged();
  }

  isPaused(type: string): boolean {
    return this.#paused.has(type);
  }

  paused(): string[] {
    return [...this.#paused].sort();
  }

  drain(): void {
    this.#actor.send({ type: 'scheduler.drain' });
  }

  stop(): void {
    this.#actor.send({ type: 'scheduler.stop' });
  }

  #run(command: SchedulerCommand): void {
    switch (command.type) {
      case 'work.claim':
        void this.#claim();
        break;
      default:
        unexpected(command.type);
    }
  }

  async #claim(): Promise<void> {
    if (!this.#owner.mayClaim()) {
      this.#failed();
      return;
    }
    const { wants, room } = this.#plan();
    this.#heardSince.clear();
    if (wants.length === 0) {
      this.#actor.send({ type: 'claim.returned', leftover: this.#leftover() });
      return;
    }
    try {
      const claimed = await this.#ask(wants, room);
      // Stopped meanwhile: what was claimed goes back with all that the gateway owns.
      if (this.status === 'stopped') return;
      if (claimed === null) {
        this.#owner.onFenced();
        this.#actor.send({ type: 'claim.failed' });
        return;
      }
      if (!this.#owner.mayClaim()) {
        // The answer took so long that others may take this gateway for dead.
        if (claimed.length > 0) this.#giveBack(claimed);
        this.#failed();
        return;
      }
      this.#forgetDry(wants, room, claimed);
      this.#place(claimed);
      this.#actor.send({ type: 'claim.returned', leftover: this.#leftover() });
      if (claimed.length === CLAIM_MAX) this.roomChanged();
    } catch (error) {
      this.#owner.onStoreFailed(error);
      this.#failed();
    } finally {
      this.#nodes.tellSlots();
    }
  }

  async #ask(wants: readonly Want[], room: number): Promise<readonly Claimed[] | null> {
    this.claims.begun += 1;
    try {
      return await this.#store.claim(this.#gatewayId(), wants, room);
    } finally {
      this.claims.answered += 1;
    }
  }

  #failed(): void {
    this.#actor.send({ type: 'claim.failed' });
    // Nothing else may happen that would ask again.
    this.#retry ??= this.#world.deadlines.set(this.#world.limits.sweepMs, () => {
      this.#retry = null;
      this.roomChanged();
    });
  }

  /**
   * What to ask for: of each class as much as the nodes that can do it have room for, and in all as much as they have. Slots
   * that nothing that waits can use do not count: each would have a task claimed and given back.
   */
  #plan(): { wants: Want[]; room: number } {
    const wants: Want[] = [];
    const usable = new Set<Node>();
    if (!this.#nodes.haveRoom) return { wants, room: 0 };
    for (const queue of this.#waiting) {
      const kind = this.#classes.of(queue);
      if (this.#paused.has(kind.requirement.type)) continue;
      let limit = 0;
      for (const node of this.#vacant(kind)) {
        const room = this.#nodes.roomFor(node, kind.requirement);
        if (room > 0) usable.add(node);
        limit += room;
      }
      if (limit > 0) wants.push({ queue, limit });
    }
    const room = [...usable].reduce((sum, node) => sum + this.#nodes.freeSlots(node), 0);
    return { wants, room: Math.min(room, CLAIM_MAX) };
  }

  /** Of the nodes that could ever do the work of a class those that may have room: what is full costs nothing. */
  #vacant({ fitting, isFitting }: WorkClass): readonly Node[] {
    const { vacant } = this.#nodes;
    if (vacant.size >= fitting.length) return fitting;
    const found: Node[] = [];
    for (const node of vacant) if (isFitting.has(node)) found.push(node);
    return found;
  }

  #leftover(): Leftover {
    if (this.#waiting.size === 0) return 'nothing';
    for (const queue of this.#waiting) {
      if (this.#classes.of(queue).fitting.some((node) => node.status !== 'offline')) return 'full';
    }
    return 'unfit';
  }

  #forgetDry(wants: readonly Want[], room: number, claimed: readonly Claimed[]): void {
    for (const queue of dryOf(wants, room, claimed)) {
      if (!this.#heardSince.has(queue)) this.#waiting.delete(queue);
      const { limitKey } = this.#classes.of(queue).requirement;
      if (limitKey !== undefined) void this.#openings.look(limitKey, queue);
    }
  }

  #place(claimed: readonly Claimed[]): void {
    const homeless: Claimed[] = [];
    // Kept for as long as tasks of one class follow one another: only the node that was chosen has changed since.
    let candidates: Candidate[] = [];
    let candidatesFor: WorkClass | null = null;
    for (const task of inOrder(claimed, this.#classes)) {
      const kind = this.#classes.of(task.record.queue);
      if (kind !== candidatesFor) {
        candidates = this.#candidates(kind);
        candidatesFor = kind;
      }
      const nodeId = this.#choose(task, othersThan(task.record.lastNode, candidates));
      const node = nodeId === undefined ? undefined : this.#nodes.get(nodeId);
      if (node === undefined) homeless.push(task);
      else {
        this.#placeOn(node, task, kind.requirement);
        const at = placeOf(node.nodeId, candidates);
        if (this.#nodes.roomFor(node, kind.requirement) > 0) candidates[at] = candidateOf(node);
        else candidates.splice(at, 1);
      }
    }
    this.#owner.onPlaced();
    if (homeless.length > 0) this.#giveBack(homeless);
  }

  #candidates(kind: WorkClass): Candidate[] {
    const found: Candidate[] = [];
    for (const node of this.#vacant(kind))
      if (this.#nodes.roomFor(node, kind.requirement) > 0) found.push(candidateOf(node));
    return found;
  }

  #placeOn(node: Node, task: Claimed, { resources }: Requirement): void {
    const { taskId, attempt } = task.record;
    this.#nodes.take(node, { taskId, attempt }, resources);
    this.#turn += 1;
    node.lastTurn = this.#turn;
    node.placedSinceReport += 1;
    this.#owner.place(task, node.nodeId);
  }

  /** The preferred node if it is among them, else what the strategy says. */
  #choose({ record }: Claimed, candidates: readonly Candidate[]): string | undefined {
    const { taskId, type, prefer, affinityKey } = record;
    if (prefer !== null && candidates.some((candidate) => candidate.nodeId === prefer)) return prefer;
    // What belongs near others of its key is not sent elsewhere for the sake of work that may come.
    const eligible = affinityKey === null ? bestFit(candidates) : candidates;
    return this.#strategy(type)(eligible, { taskId, affinityKey, turn: this.#turn, random: this.#world.random });
  }

  /** Room has gone between the question and the answer: the tasks wait again, at no cost. */
  #giveBack(homeless: readonly Claimed[]): void {
    const costs = 'nothing' as const;
    const releases = homeless.map(({ record: { taskId, attempt } }) => ({ taskId, attempt, costs, delayMs: 0 }));
    this.#store.release(this.#gatewayId(), releases).catch((error: unknown) => this.#owner.onStoreFailed(error));
  }
}

/**
 * The nodes of a gateway: what each claimed and was granted, which slots are taken, and a node chart for its liveness.
 * A slot is taken the moment a task is placed, by the gateway’s own count; heartbeats only report.
 */
import type { AnyActorRef, SnapshotFrom } from 'xstate';
import { type NodeCommand, type NodeEvent, nodeMachine } from '../../../machines/node.ts';
import { type NodeFacts, roomFor, stillTaken } from '../../../machines/policies/fit.ts';
import type { Requirement } from '../../../machines/policies/requirement-class.ts';
import type { AttemptRef } from '../../../protocol/identifier.ts';
import type { Payload } from '../../../protocol/message.ts';
import type { Load, NodeKind, NodeStatus } from '../../../protocol/node.ts';
import { unexpected } from '../../../protocol/unexpected.ts';
import { createHost, type Host } from '../../charts/actor-host.ts';
import { TransitMap } from '../../transit-map.ts';
import type { Deadline } from '../../world/deadlines.ts';
import type { World } from '../../world/world.ts';
import type { Session } from '../sessions/session.ts';
import { Breaker } from './breaker.ts';

type NodeState = SnapshotFrom<typeof nodeMachine>['value'];

/** One attempt’s hold on a node. */
interface Slot {
  readonly ref: AttemptRef;
  readonly resources: Readonly<Record<string, number>>;
  /** Its task has settled without it. */
  isOverdue: boolean;
}

/** What the gateway knows of one node. */
export interface Node extends NodeFacts {
  kind: NodeKind;
  incarnation: string;
  /** Granted capabilities. */
  capabilities: ReadonlySet<string>;
  taskTypes: ReadonlySet<string> | null;
  labels: Readonly<Record<string, string>>;
  maxTasks: number;
  load: Load | undefined;
  session: Session | null;
  address: string;
  /** As the chart says. */
  state: NodeState;
  /** As people are told. */
  status: NodeStatus;
  reason: string | null;
  isLagging: boolean;
  readonly breaker: Breaker;
  /** The tasks that it lost when its last process went without a word; empty if it took its leave, or came back. */
  lostTasks: readonly string[];
  /** Attempts that hold a slot, by key; the value says whether its task has settled without it. */
  readonly slots: TransitMap<string, Slot>;
  /** What it says it has, and what its attempts take of that: the latter without a prototype. */
  resources: Readonly<Record<string, number>>;
  taken: Record<string, number>;
  /** Attempts placed on it since its last report of load. */
  placedSinceReport: number;
  /** When it was last chosen, as a count of all placements. */
  lastTurn: number;
  /** What the chart was last told about its slots. */
  wasFull: boolean;
  absence: Deadline | null;
}

const NO_RESOURCES: Readonly<Record<string, number>> = Object.freeze({});

export interface NodesOwner {
  /** A node has come, gone, or changed what it can do: placements are to be thought over. */
  onChanged(): void;
  /** A node is lost, with every attempt it held. */
  onLost(node: Node, reason: string): void;
}

export class Nodes {
  readonly #world: World;
  readonly #owner: NodesOwner;
  readonly #host: Host<typeof nodeMachine>;
  readonly #nodes = new Map<string, Node>();
  #slotsChanged = new Set<Node>();
  /** Those with fewer attempts than slots, whether they may be given more or not. */
  readonly #vacant = new Set<Node>();
  /** Raised whenever who could ever do what may have changed: with what nodes are and have, not with how they fare. */
  version = 0;

  constructor(world: World, options: { parent: AnyActorRef; owner: NodesOwner }) {
    this.#world = world;
    this.#owner = options.owner;
    this.#host = createHost(nodeMachine, {
      charts: world.charts,
      parent: options.parent,
      id: 'nodes',
      owner: {
        onCommand: (nodeId, command) => this.#run(nodeId, command),
        onDone: (nodeId) => this.#forget(nodeId),
        onError: (nodeId, error) => {
          world.log.error('node.crashed', { nodeId, error: String(error) });
          this.#forget(nodeId);
        },
      },
    });
  }

  get size(): number {
    return this.#nodes.size;
  }

  get(nodeId: string): Node | undefined {
    return this.#nodes.get(nodeId);
  }

  all(): IterableIterator<Node> {
    return this.#nodes.values();
  }

  /** The nodes that may have room: all others are full. */
  get vacant(): ReadonlySet<Node> {
    return this.#vacant;
  }

  /** A node has a session: a new node, or one that returns. */
  attach(session: Session, claim: Payload<'register'>, granted: readonly string[]): Node {
    const { nodeId } = claim;
    const known = this.#nodes.get(nodeId);
    const node: Node = known ?? {
      nodeId,
      kind: 'agent',
      incarnation: claim.incarnation,
      capabilities: new Set(),
      taskTypes: null,
      labels: {},
      resources: {},
      taken: nothingTaken(),
      maxTasks: 0,
      load: undefined,
      session: null,
      address: '',
      state: 'online',
      status: 'online',
      reason: null,
      isLagging: false,
      breaker: new Breaker(this.#world, (event) => {
        const own = this.#nodes.get(nodeId);
        if (own !== undefined) this.tell(own, event);
      }),
      lostTasks: [],
      slots: new TransitMap(),
      placedSinceReport: 0,
      lastTurn: 0,
      wasFull: false,
      absence: null,
    };
    node.absence?.clear();
    node.absence = null;
    node.lostTasks = [];
    // What the older process was about to do, another one of its name is not.
    const isStopping = this.#host.snapshot(nodeId)?.context.isDraining === true;
    if (isStopping && node.incarnation !== claim.incarnation) this.tell(node, { type: 'node.resume' });
    node.incarnation = claim.incarnation;
    node.session = session;
    node.address = session.remoteAddress;
    // What holds a slot is for the caller to say: the session is new.
    node.slots.clear();
    node.taken = nothingTaken();
    this.#countSlots(node);
    // All of it: another process of its name may have been something else.
    node.kind = claim.nodeType === 'channel' ? 'channel' : 'agent';
    if (claim.taskTypes === undefined) node.taskTypes = null;
    node.labels = claim.labels ?? {};
    node.resources = claim.resources ?? {};
    this.version += 1;
    this.#nodes.set(nodeId, node);
    if (known === undefined) this.#host.spawn(nodeId, { nodeId });
    this.update(node, claim, granted);
    node.breaker.forgetProbe();
    this.tell(node, { type: 'session.attached' });
    return node;
  }

  /** Takes over what a register or heartbeat says of the node itself. */
  update(
    node: Node,
    claim: { maxTasks?: number | undefined; taskTypes?: readonly string[] | undefined; load?: Load | undefined },
    granted: readonly string[],
  ): void {
    if (claim.load !== undefined) {
      node.load = claim.load;
      node.placedSinceReport = 0;
    }
    const isSame =
      (claim.maxTasks ?? node.maxTasks) === node.maxTasks &&
      equals(node.capabilities, granted) &&
      (claim.taskTypes === undefined || (node.taskTypes !== null && equals(node.taskTypes, claim.taskTypes)));
    if (isSame) return;
    node.maxTasks = claim.maxTasks ?? node.maxTasks;
    node.capabilities = new Set(granted);
    if (claim.taskTypes !== undefined) node.taskTypes = new Set(claim.taskTypes);
    this.version += 1;
    this.#countSlots(node);
    this.#owner.onChanged();
  }

  tell(node: Node, event: NodeEvent): void {
    if (event.type === 'heartbeat.received') node.isLagging = event.isLagging;
    this.#host.tell(node.nodeId, event);
    const snapshot = this.#host.snapshot(node.nodeId);
    if (snapshot === undefined) return;
    node.breaker.state = snapshot.context.breaker;
    node.state = snapshot.value;
    const status = statusOf(node.state);
    if (status === node.status) return;
    this.#world.log.info('node.changed', { nodeId: node.nodeId, from: node.status, to: status, reason: node.reason });
    node.status = status;
    this.#owner.onChanged();
  }

  freeSlots(node: Node): number {
    if (node.isLagging || node.session === null || node.session.isFull) return 0;
    const free = Math.max(0, node.maxTasks - node.slots.size);
    if (node.state === 'probing') return node.breaker.isProbed ? 0 : Math.min(1, free);
    return node.status === 'online' || node.status === 'busy' ? free : 0;
  }

  /** Whether any node can be given an attempt now. */
  get haveRoom(): boolean {
    for (const node of this.#vacant) if (this.freeSlots(node) > 0) return true;
    return false;
  }

  /** How many more attempts of a class a node can be given now. */
  roomFor(node: Node, requirement: Requirement): number {
    return roomFor(requirement, this.freeSlots(node), node.resources, node.taken);
  }

  take(node: Node, ref: AttemptRef, resources: Readonly<Record<string, number>> = NO_RESOURCES): void {
    node.slots.set(keyOf(ref), { ref, isOverdue: false, resources });
    if (resources !== NO_RESOURCES)
      for (const [name, amount] of Object.entries(resources)) node.taken[name] = (node.taken[name] ?? 0) + amount;
    node.breaker.take(ref);
    this.#countSlots(node);
  }

  /** Frees a slot; false if it was not taken. */
  free(node: Node, ref: AttemptRef): boolean {
    const key = keyOf(ref);
    const slot = node.slots.get(key);
    if (slot === undefined) return false;
    node.slots.delete(key);
    node.breaker.free(ref);
    if (slot.resources !== NO_RESOURCES)
      for (const [name, amount] of Object.entries(slot.resources))
        node.taken[name] = stillTaken(node.taken[name] ?? 0, amount);
    this.#countSlots(node);
    return true;
  }

  /** The task of an attempt has settled without it: the slot stays taken until the node says that the work has ended. */
  markOverdue(node: Node, ref: AttemptRef): void {
    const slot = node.slots.get(keyOf(ref));
    if (slot !== undefined) slot.isOverdue = true;
  }

  /** Tells the charts what became of their slots: once a turn, not once a task. */
  tellSlots(): void {
    if (this.#slotsChanged.size === 0) return;
    const changed = this.#slotsChanged;
    this.#slotsChanged = new Set();
    for (const node of changed) {
      const isFull = node.slots.size >= node.maxTasks;
      if (isFull === node.wasFull) continue;
      node.wasFull = isFull;
      this.tell(node, { type: isFull ? 'slots.filled' : 'slots.freed' });
    }
  }

  /** Its slots, or what is in them, have changed. */
  #countSlots(node: Node): void {
    this.#slotsChanged.add(node);
    if (node.slots.size < node.maxTasks) this.#vacant.add(node);
    else this.#vacant.delete(node);
  }

  #run(nodeId: string, command: NodeCommand): void {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) return;
    switch (command.type) {
      case 'node.available':
      case 'node.withheld':
        this.#owner.onChanged();
        break;
      case 'node.lost': {
        node.session = null;
        node.slots.clear();
        node.taken = nothingTaken();
        node.wasFull = false;
        this.#vacant.add(node);
        node.absence = this.#world.deadlines.set(
          Math.max(0, this.#world.limits.removeAfterMs - this.#world.limits.offlineAfterMs),
          () => this.tell(node, { type: 'absence.passed' }),
        );
        this.#owner.onLost(node, node.reason ?? 'the node is gone');
        break;
      }
      case 'node.rest':
        node.breaker.rest();
        break;
      case 'node.removed':
        break;
      default:
        unexpected(command);
    }
  }

  #forget(nodeId: string): void {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) return;
    node.absence?.clear();
    node.breaker.reset();
    this.#nodes.delete(nodeId);
    this.#vacant.delete(node);
    this.version += 1;
    this.#owner.onChanged();
  }
}

/** A node that rests, or has one attempt on trial, is unhealthy to who asks. */
function statusOf(state: NodeState): NodeStatus {
  return state === 'tripped' || state === 'probing' || state === 'returning' ? 'unhealthy' : state;
}

/** Without a prototype: a resource may be called `constructor`. */
function nothingTaken(): Record<string, number> {
  return Object.create(null) as Record<string, number>;
}

/** Most attempts are the first, and have a name already: no id has a space. */
function keyOf({ taskId, attempt }: AttemptRef): string {
  return attempt === 1 ? taskId : `${taskId} ${attempt}`;
}

function equals(set: ReadonlySet<string>, list: readonly string[]): boolean {
  return set.size === list.length && list.every((item) => set.has(item));
}

/**
 * The nodes of the whole cluster: this gateway tells the store about its own, a second late at most, and reads there about
 * those of the others. Learns on the way that a node has come to another gateway.
 */
import { parseLeniently } from '../../../protocol/lenient.ts';
import { NodeView } from '../../../protocol/node.ts';
import { decodePayload, encodePayload } from '../../../transport/payload.ts';
import type { NodeEntry, Store } from '../../store/store.ts';
import type { World } from '../../world/world.ts';
import { nodeView } from '../nodes/node-view.ts';
import type { Node, Nodes } from '../nodes/nodes.ts';

/** A node of another gateway, and that gateway’s id in the store. */
export interface RemoteNode {
  readonly gateway: string;
  readonly view: NodeView;
}

export interface DirectoryOptions {
  readonly store: Store;
  readonly nodes: Nodes;
  readonly gatewayId: () => string;
  /** A node that was attached here has come to another gateway since, as the same process or as another one. */
  onMoved(node: Node, isSameProcess: boolean): void;
  onStoreFailed(error: unknown): void;
}

interface Told {
  readonly epoch: number;
  /** The node as it was told, but for how long it has been silent. */
  readonly picture: string;
  readonly at: number;
  /** The session under which it was attached then: with another one it has come anew. */
  readonly session: unknown;
}

/** A node that is attached here, and as another process at another gateway. */
interface Doubt {
  readonly session: unknown;
  readonly since: number;
}

/** A node that is to be told of, and the session under which it is here. */
interface Due {
  readonly node: Node;
  readonly session: unknown;
}

export class Directory {
  readonly #world: World;
  readonly #options: DirectoryOptions;
  readonly #told = new Map<string, Told>();
  readonly #doubts = new Map<string, Doubt>();
  /** Nodes that have come, of which nobody was told yet. */
  readonly #come = new Set<Node>();
  #isTelling = false;
  /** All nodes are to be looked at, and not those alone that have come. */
  #isDue = false;

  constructor(world: World, options: DirectoryOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** Tells what has changed now and then, until the deadlines stop. */
  watch(): void {
    this.#world.deadlines.set(this.#world.limits.directoryMs, () => {
      this.tell();
      this.watch();
    });
  }

  /** Tells what has changed of any node. */
  tell(): void {
    this.#isDue = true;
    this.#next();
  }

  /** Tells at once of a node that has come, and looks at no other: thousands may come one after another. */
  tellOf(node: Node): void {
    this.#come.add(node);
    this.#next();
  }

  #next(): void {
    if (this.#isTelling || !(this.#isDue || this.#come.size > 0)) return;
    this.#isTelling = true;
    const come = [...this.#come];
    const isDue = this.#isDue;
    this.#come.clear();
    this.#isDue = false;
    this.#tell(isDue ? null : come)
      .catch((error: unknown) => this.#options.onStoreFailed(error))
      .finally(() => {
        this.#isTelling = false;
        this.#next();
      });
  }

  /** The gateway has a new id: all its nodes are to be told anew. */
  forget(): void {
    this.#told.clear();
  }

  /** The nodes of the other gateways, as they told them last. */
  async others(): Promise<RemoteNode[]> {
    const { store, gatewayId, nodes } = this.#options;
    const own = gatewayId();
    const remote: RemoteNode[] = [];
    for (const { nodeId, gateway, view, ageMs } of await store.nodes()) {
      if (gateway === own || nodes.get(nodeId)?.session?.isFull === false) continue;
      const read = this.#read(view);
      if (read !== null) remote.push({ gateway, view: { ...read, silentMs: (read.silentMs ?? 0) + ageMs } });
    }
    return remote;
  }

  /** Of these nodes; null: of all, those that have gone among them. */
  async #tell(come: readonly Node[] | null): Promise<void> {
    const { store, nodes, gatewayId } = this.#options;
    const now = this.#world.clock.now();
    if (this.#doubts.size > 0) await this.#settleDoubts(now);
    const due = [...(come ?? nodes.all())].flatMap((node) => this.#entryOf(node, now));
    for (const [nodeId, { epoch }] of come === null ? this.#told : []) {
      if (nodes.get(nodeId) !== undefined) continue;
      // Forgotten here only when the store has dropped it: what fails is tried again.
      await store.dropNode(nodeId, epoch);
      this.#told.delete(nodeId);
    }
    const { listMax } = this.#world.limits;
    for (let start = 0; start < due.length; start += listMax) {
      const part = due.slice(start, start + listMax);
      const epochs = await store.putNodes(
        gatewayId(),
        part.map(({ entry }) => entry),
      );
      // Fenced: the lease sees to it, and all is told anew.
      if (epochs === null) return;
      const moved: Due[] = [];
      for (const [index, { node, picture, session }] of part.entries()) {
        const epoch = epochs[index] ?? null;
        if (epoch !== null) this.#told.set(node.nodeId, { epoch, picture, at: now, session });
        else {
          this.#told.delete(node.nodeId);
          moved.push({ node, session });
        }
      }
      if (moved.length > 0) await this.#seeOff(moved);
    }
  }

  /**
   * Tells who has moved. A register may arrive at another gateway late, and its process be here still; or it is of a process
   * that has died since, and its successor is here: whom another process is said to have replaced is in doubt at first.
   */
  async #seeOff(moved: readonly Due[]): Promise<void> {
    const views = await this.#views();
    for (const { node, session } of moved) {
      if (node.session !== session) continue;
      const incarnation = views.get(node.nodeId)?.incarnation;
      const isSame = incarnation === undefined || incarnation === node.incarnation;
      if (isSame || !isHere(node.status)) this.#options.onMoved(node, isSame);
      else this.#doubts.set(node.nodeId, { session, since: this.#world.clock.now() });
    }
  }

  /** Who has no link to the other gateway any more was the ghost of a process; who stays has taken the node over. */
  async #settleDoubts(now: number): Promise<void> {
    const views = await this.#views();
    for (const [nodeId, { session, since }] of this.#doubts) {
      const node = this.#options.nodes.get(nodeId);
      const other = views.get(nodeId);
      const isGhost = other === undefined || !isHere(other.status);
      if (node !== undefined && node.session === session && !isGhost) {
        if (now - since < DOUBTS * this.#world.limits.directoryMs) continue;
        this.#options.onMoved(node, other.incarnation === node.incarnation);
      }
      // If it is here still, it is told of anew.
      this.#doubts.delete(nodeId);
    }
  }

  /** What the store knows of each node. */
  async #views(): Promise<ReadonlyMap<string, NodeView>> {
    const views = new Map<string, NodeView>();
    for (const { nodeId, view } of await this.#options.store.nodes()) {
      const read = this.#read(view);
      if (read !== null) views.set(nodeId, read);
    }
    return views;
  }

  #entryOf(node: Node, now: number): (Due & { picture: string; entry: NodeEntry })[] {
    if (this.#doubts.has(node.nodeId)) return [];
    const told = this.#told.get(node.nodeId);
    const view = shortened(nodeView(node, now));
    const { session } = node;
    const picture = JSON.stringify({ ...view, silentMs: 0 });
    const isNew = told === undefined || (session !== null && told.session !== session);
    // One that has gone, and that nobody was told of before, is not here.
    if (told === undefined && session === null) return [];
    const isFresh = !isNew && told.picture === picture && now - told.at < this.#world.limits.heartbeatMs;
    if (isFresh) return [];
    const entry = { nodeId: node.nodeId, epoch: isNew ? null : told.epoch, view: encodePayload(view) };
    return [{ node, picture, session: session ?? told?.session, entry }];
  }

  #read(bytes: Uint8Array): NodeView | null {
    try {
      return parseLeniently(NodeView, decodePayload(bytes, this.#world.limits));
    } catch (error) {
      this.#world.log.warn('directory.unreadable', { error: String(error).slice(0, 200) });
      return null;
    }
  }
}

/** How many times the other gateway may tell of a node before it is believed. */
const DOUBTS = 3;

/** Whether a node of this status has a link to its gateway. */
function isHere(status: NodeView['status']): boolean {
  return status !== 'unhealthy' && status !== 'offline';
}

/** Attempts named of one node: all of a node of usual size, and of a large one enough to look into. */
const REFS_SHOWN = 100;

function shortened(view: NodeView): NodeView {
  return { ...view, running: view.running.slice(0, REFS_SHOWN), overdue: view.overdue.slice(0, REFS_SHOWN) };
}

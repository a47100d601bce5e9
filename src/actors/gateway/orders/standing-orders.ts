/**
 * Orders that hold on every gateway until they are taken back: paused and drained task types, drained nodes. The store keeps them; a
 * gateway follows them from its start, at once when another one tells it of a change, and at the next look otherwise.
 */
import type { StandingOrder, Store } from '../../store/store.ts';
import type { World } from '../../world/world.ts';
import type { Bus } from '../cluster/bus.ts';
import type { Dispatch } from '../dispatch/dispatch.ts';
import type { Node, Nodes } from '../nodes/nodes.ts';

export interface StandingOrdersOptions {
  readonly store: Store;
  readonly bus: Bus;
  readonly dispatch: Dispatch;
  readonly nodes: Nodes;
  onStoreFailed(error: unknown): void;
}

export class StandingOrders {
  readonly #world: World;
  readonly #options: StandingOrdersOptions;
  #drained: ReadonlySet<string> = new Set();
  #refused: ReadonlySet<string> = new Set();

  constructor(world: World, options: StandingOrdersOptions) {
    this.#world = world;
    this.#options = options;
    options.bus.on('orders', () => this.look());
  }

  /** Looks for changes now and then, until the deadlines stop. */
  watch(): void {
    this.#world.deadlines.set(this.#world.limits.leaseRenewMs, () => {
      this.look()
        .catch((error: unknown) => this.#options.onStoreFailed(error))
        .finally(() => this.watch());
    });
  }

  async put(order: StandingOrder): Promise<void> {
    await this.#options.store.putOrder(order);
    await this.#changed();
  }

  /** False: there was none. */
  async drop(order: StandingOrder): Promise<boolean> {
    const wasThere = await this.#options.store.dropOrder(order);
    await this.#changed();
    return wasThere;
  }

  /** Whether tasks of a type are not taken in. */
  isRefused(type: string): boolean {
    return this.#refused.has(type);
  }

  /** The types of which no tasks are taken in. */
  refused(): string[] {
    return [...this.#refused].sort();
  }

  /** A node has come: it may have been drained, here or elsewhere. */
  apply(node: Node): void {
    if (!this.#drained.has(node.nodeId)) return;
    node.reason = DRAINED;
    this.#options.nodes.tell(node, { type: 'node.drain' });
  }

  /** Follows what the store has. */
  async look(): Promise<void> {
    const { store, dispatch, nodes } = this.#options;
    const orders = await store.orders();
    const paused = new Set(orders.filter(({ kind }) => kind === 'pause').map(({ name }) => name));
    for (const type of dispatch.paused()) if (!paused.has(type)) dispatch.resume(type);
    for (const type of paused) dispatch.pause(type);
    this.#refused = new Set(orders.filter(({ kind }) => kind === 'refuse').map(({ name }) => name));
    const before = this.#drained;
    this.#drained = new Set(orders.filter(({ kind }) => kind === 'drain').map(({ name }) => name));
    for (const node of nodes.all()) {
      if (this.#drained.has(node.nodeId)) {
        if (!before.has(node.nodeId)) this.apply(node);
      } else if (before.has(node.nodeId)) {
        node.reason = null;
        nodes.tell(node, { type: 'node.resume' });
      }
    }
  }

  async #changed(): Promise<void> {
    this.#options.bus.tellAll('orders', null);
    await this.look();
  }
}

const DRAINED = 'drained by an operator';

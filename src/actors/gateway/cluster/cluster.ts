/** A gateway’s part in the cluster: all that it has to do with the other gateways of its store, put together. */
import type { Store } from '../../store/store.ts';
import type { World } from '../../world/world.ts';
import type { Dispatch } from '../dispatch/dispatch.ts';
import type { Node, Nodes } from '../nodes/nodes.ts';
import { NodeOrders } from '../orders/node-orders.ts';
import { StandingOrders } from '../orders/standing-orders.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Tasks } from '../tasks/tasks.ts';
import type { Watchers } from '../tasks/watchers.ts';
import { Bus } from './bus.ts';
import { Directory } from './directory.ts';
import { Exchange, type LocalPeers } from './exchange.ts';
import { Relay } from './relay.ts';

export interface ClusterOptions {
  readonly store: Store;
  readonly nodes: Nodes;
  readonly tasks: Tasks;
  readonly watchers: Watchers;
  readonly dispatch: Dispatch;
  readonly sessions: () => Sessions;
  readonly peers: LocalPeers;
  readonly gatewayId: () => string;
  tellIfSettled(taskId: string): Promise<void>;
  onStoreFailed(error: unknown): void;
}

export class Cluster {
  readonly #world: World;
  readonly #options: ClusterOptions;
  readonly bus: Bus;
  readonly directory: Directory;
  readonly relay: Relay;
  readonly exchange: Exchange;
  readonly orders: { readonly standing: StandingOrders; readonly nodeOrders: NodeOrders };

  constructor(world: World, options: ClusterOptions) {
    const { nodes, sessions, peers } = options;
    this.#world = world;
    this.#options = options;
    const bus = new Bus(world, options);
    this.bus = bus;
    this.directory = new Directory(world, {
      ...options,
      onMoved: (node, isSameProcess) => {
        world.log.info('node.moved', { nodeId: node.nodeId });
        node.reason = 'it has come to another gateway';
        if (node.session === null) nodes.tell(node, { type: 'session.closed' });
        // Only another process ends it for good: the same one, if it is still here after all, comes back.
        else sessions().tell(node.session, { type: isSameProcess ? 'peer.left' : 'session.superseded' });
        nodes.tell(node, { type: 'absence.passed' });
      },
    });
    this.relay = new Relay(world, { ...options, bus });
    this.exchange = new Exchange(world, { bus, peers });
    const standing = new StandingOrders(world, { ...options, bus });
    const nodeOrders = new NodeOrders(world, { bus, directory: this.directory, nodes, sessions, standing });
    this.orders = { standing, nodeOrders };
  }

  /** Once the gateway has joined: finds the others, and goes on looking. */
  async open(): Promise<void> {
    await this.bus.open();
    await this.orders.standing.look();
    this.directory.watch();
    this.relay.watch();
    this.orders.standing.watch();
    this.#lookAround();
    this.#lookForWork();
  }

  /** The gateway has joined anew, under another id. */
  async reopen(): Promise<void> {
    this.directory.forget();
    await this.bus.open();
    this.directory.tell();
  }

  /** A node has come. */
  attached(node: Node): void {
    this.orders.standing.apply(node);
    this.directory.tellOf(node);
  }

  close(): void {
    this.bus.close();
  }

  get counters(): Record<string, number> {
    const { bus, relay } = this;
    return {
      gateways: bus.others.size + 1,
      busUnanswered: bus.unanswered,
      progressNotRelayed: relay.progressDropped,
    };
  }

  /**
   * Hints of other gateways may be lost, also those that there is work: so it is looked for now and then. And where there
   * are many classes, whether they still have any.
   */
  #lookForWork(): void {
    const { deadlines, limits } = this.#world;
    const { dispatch, onStoreFailed } = this.#options;
    deadlines.set(limits.sweepMs, () => {
      const isAlone = this.bus.others.size === 0;
      const looked = isAlone && !dispatch.isCrowded ? Promise.resolve() : dispatch.look();
      looked.catch(onStoreFailed).finally(() => this.#lookForWork());
    });
  }

  #lookAround(): void {
    const { deadlines, limits } = this.#world;
    deadlines.set(limits.leaseRenewMs, () => {
      this.bus
        .look()
        .catch((error: unknown) => this.#options.onStoreFailed(error))
        .finally(() => this.#lookAround());
    });
  }
}

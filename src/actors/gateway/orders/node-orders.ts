/** What operators order of a node, whichever gateway it is attached to: drained, resumed, evicted. */
import { PincerError } from '../../../protocol/failure.ts';
import { parseLeniently } from '../../../protocol/lenient.ts';
import { ANSWERS, Order } from '../../../protocol/query.ts';
import { unexpected } from '../../../protocol/unexpected.ts';
import type { World } from '../../world/world.ts';
import type { Bus } from '../cluster/bus.ts';
import type { Directory } from '../cluster/directory.ts';
import type { Node, Nodes } from '../nodes/nodes.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { StandingOrders } from './standing-orders.ts';

export type NodeOrder = Extract<Order, { nodeId: string }>;

export interface NodeOrdersOptions {
  readonly bus: Bus;
  readonly directory: Directory;
  readonly nodes: Nodes;
  readonly sessions: () => Sessions;
  readonly standing: StandingOrders;
}

export class NodeOrders {
  readonly #world: World;
  readonly #options: NodeOrdersOptions;

  constructor(world: World, options: NodeOrdersOptions) {
    this.#world = world;
    this.#options = options;
    options.bus.on('order', (body) => {
      const order = Order.parse(body);
      if (!('nodeId' in order)) throw new PincerError('MESSAGE_INVALID', `'${order.what}' is no order for a node`);
      const node = this.#attached(order.nodeId);
      if (node === undefined) throw new PincerError('NODE_UNKNOWN', `no node '${order.nodeId}'`);
      return this.#here(node, order);
    });
  }

  /**
   * Returns the node’s status after.
   * @throws PincerError `NODE_UNKNOWN`, or `TIMED_OUT` if the gateway that has the node does not answer.
   */
  async carryOut(order: NodeOrder): Promise<{ status: string }> {
    const { bus, directory, nodes, standing } = this.#options;
    const { nodeId } = order;
    const remote =
      this.#attached(nodeId) === undefined
        ? (await directory.others()).find(({ view }) => view.nodeId === nodeId)
        : undefined;
    const wasStanding = order.what === 'node.resume' && (await standing.drop({ kind: 'drain', name: nodeId }));
    if (remote !== undefined) {
      const given = await bus.ask(remote.gateway, 'order', order, this.#world.limits.busReplyMs);
      const { status } = parseLeniently(ANSWERS.order, given);
      if (holds(order)) await standing.put({ kind: 'drain', name: nodeId });
      return { status };
    }
    const node = nodes.get(nodeId);
    // Drained, and away: nothing is left to tell it.
    if (node === undefined && wasStanding) return { status: 'offline' };
    if (node === undefined) throw new PincerError('NODE_UNKNOWN', `no node '${nodeId}'`);
    if (holds(order)) await standing.put({ kind: 'drain', name: nodeId });
    return this.#here(node, order);
  }

  /** The node, if it has a session here. */
  #attached(nodeId: string): Node | undefined {
    const node = this.#options.nodes.get(nodeId);
    return node === undefined || node.session === null || node.session.post === null ? undefined : node;
  }

  #here(node: Node, order: NodeOrder): { status: string } {
    const { nodes } = this.#options;
    switch (order.what) {
      case 'node.drain':
        node.reason = 'drained by an operator';
        nodes.tell(node, { type: 'node.drain' });
        if (order.stop === true) node.session?.send('drain', { deadlineMs: this.#world.limits.drainMs });
        break;
      case 'node.resume':
        node.reason = null;
        node.breaker.reset();
        nodes.tell(node, { type: 'node.resume' });
        break;
      case 'node.evict':
        node.reason = 'evicted by an operator';
        if (node.session === null) nodes.tell(node, { type: 'session.closed' });
        else this.#options.sessions().tell(node.session, { type: 'session.evict' });
        break;
      default:
        return unexpected(order);
    }
    return { status: node.status };
  }
}

/** A node that is drained stays so wherever it comes back; one that is to stop is done with once it has. */
function holds(order: NodeOrder): boolean {
  return order.what === 'node.drain' && order.stop !== true;
}

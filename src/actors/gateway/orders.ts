/** Carries out what peers order: nodes drained, resumed and evicted, task types paused and resumed, leases taken and freed. */
import { PincerError } from '../../protocol/failure.ts';
import type { Answer, Order } from '../../protocol/query.ts';
import { unexpected } from '../../protocol/unexpected.ts';
import type { Store } from '../store/store.ts';
import type { World } from '../world.ts';
import type { Dispatch } from './dispatch.ts';
import type { Holdings } from './holdings.ts';
import type { Node, Nodes } from './nodes.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';

export interface OrderTargets {
  readonly world: World;
  readonly store: Store;
  readonly nodes: Nodes;
  readonly sessions: Sessions;
  readonly dispatch: Dispatch;
  readonly holdings: Holdings;
}

/**
 * Returns the status after.
 * @throws PincerError `NODE_UNKNOWN`, `TASK_UNKNOWN`, `TASK_NOT_FAILED`, and what `Holdings` throws.
 */
export async function carryOut(
  order: Order,
  by: Session,
  { world, store, nodes, sessions, dispatch, holdings }: OrderTargets,
): Promise<Answer<'order'>> {
  // A lease is renewed every few seconds: not worth waking for.
  if (order.what !== 'lease.take') world.log.info('order.received', { ...order, by: by.peerId });
  switch (order.what) {
    case 'node.drain': {
      const node = known(order.nodeId, nodes);
      node.reason = 'drained by an operator';
      nodes.tell(node, { type: 'node.drain' });
      if (order.stop === true) node.session?.send('drain', { deadlineMs: world.limits.drainMs });
      return { status: node.status };
    }
    case 'node.resume': {
      const node = known(order.nodeId, nodes);
      node.reason = null;
      node.breaker.reset();
      nodes.tell(node, { type: 'node.resume' });
      return { status: node.status };
    }
    case 'node.evict': {
      const node = known(order.nodeId, nodes);
      node.reason = 'evicted by an operator';
      if (node.session === null) nodes.tell(node, { type: 'session.closed' });
      else sessions.tell(node.session, { type: 'session.evict' });
      return { status: node.status };
    }
    case 'type.pause':
      dispatch.pause(order.type);
      return { status: 'paused' };
    case 'type.resume':
      dispatch.resume(order.type);
      return { status: 'running' };
    case 'task.retry': {
      const [verdict = 'unknown'] = await store.redrive([order.taskId]);
      if (verdict === 'unknown') throw new PincerError('TASK_UNKNOWN', `no task '${order.taskId}'`);
      if (verdict === 'notFailed') throw new PincerError('TASK_NOT_FAILED', `task '${order.taskId}' has not failed`);
      return { status: verdict };
    }
    case 'lease.take':
      return holdings.take(by, order.key, order.ttlMs);
    case 'lease.free':
      return holdings.free(by, order.key, order.token);
    default:
      return unexpected(order);
  }
}

function known(nodeId: string, nodes: Nodes): Node {
  const node = nodes.get(nodeId);
  if (node === undefined) throw new PincerError('NODE_UNKNOWN', `no node '${nodeId}'`);
  return node;
}

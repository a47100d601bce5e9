/** Carries out what peers order: nodes drained, resumed and evicted, task types paused and resumed, schedules, leases. */
import { PincerError } from '../../../protocol/failure.ts';
import type { Answer, Order } from '../../../protocol/query.ts';
import { unexpected } from '../../../protocol/unexpected.ts';
import type { Store } from '../../store/store.ts';
import type { World } from '../../world/world.ts';
import type { Session } from '../sessions/session.ts';
import type { Holdings } from './holdings.ts';
import type { NodeOrders } from './node-orders.ts';
import type { Schedules } from './schedules.ts';
import type { StandingOrders } from './standing-orders.ts';

export interface OrderTargets {
  readonly world: World;
  readonly store: Store;
  readonly nodeOrders: NodeOrders;
  readonly standing: StandingOrders;
  readonly schedules: Schedules;
  readonly holdings: Holdings;
}

/**
 * Returns the status after.
 * @throws PincerError `NODE_UNKNOWN`, `TASK_UNKNOWN`, `TASK_NOT_FAILED`, and what `Schedules` and `Holdings` throw.
 */
export async function carryOut(
  order: Order,
  by: Session,
  { world, store, nodeOrders, standing, schedules, holdings }: OrderTargets,
): Promise<Answer<'order'>> {
  // A lease is renewed every few seconds: not worth waking for.
  if (order.what !== 'lease.take') world.log.info('order.received', { ...wordsOf(order), by: by.peerId });
  switch (order.what) {
    case 'node.drain':
    case 'node.resume':
    case 'node.evict':
      return nodeOrders.carryOut(order);
    case 'type.pause':
      await standing.put({ kind: 'pause', name: order.type });
      return { status: 'paused' };
    case 'type.drain':
      await standing.put({ kind: 'refuse', name: order.type });
      return { status: 'draining' };
    case 'type.resume':
      await standing.drop({ kind: 'pause', name: order.type });
      await standing.drop({ kind: 'refuse', name: order.type });
      return { status: 'running' };
    case 'task.retry': {
      const [verdict = 'unknown'] = await store.redrive([order.taskId]);
      if (verdict === 'unknown') throw new PincerError('TASK_UNKNOWN', `no task '${order.taskId}'`);
      if (verdict === 'notFailed') throw new PincerError('TASK_NOT_FAILED', `task '${order.taskId}' has not failed`);
      return { status: verdict };
    }
    case 'schedule.put':
      await schedules.put(order);
      return { status: 'scheduled' };
    case 'schedule.drop':
      await schedules.drop(order.scheduleId);
      return { status: 'dropped' };
    case 'lease.take':
      return holdings.take(by, order.key, order.ttlMs);
    case 'lease.free':
      return holdings.free(by, order.key, order.token);
    default:
      return unexpected(order);
  }
}

/** What of an order may be logged: no payload. */
function wordsOf(order: Order): object {
  if (order.what !== 'schedule.put') return order;
  const { task, ...words } = order;
  return { ...words, type: task.type };
}

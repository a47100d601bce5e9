/** A node as people and programs are shown it. */
import type { NodeView } from '../../../protocol/node.ts';
import type { Node } from './nodes.ts';

/** What lists and questions say of a node. */
export function nodeView(node: Node, nowMs: number): NodeView {
  const held = [...node.slots.values()];
  const reason = reasonOf(node);
  const status = statusOf(node);
  return {
    nodeId: node.nodeId,
    type: node.kind,
    status,
    ...(reason === null || status === 'online' ? {} : { reason }),
    ...(node.breaker.state === 'closed' ? {} : { breaker: node.breaker.state === 'open' ? 'open' : 'half-open' }),
    ...(node.breaker.faults === 0 ? {} : { faults: node.breaker.faults }),
    address: node.address,
    incarnation: node.incarnation,
    capabilities: [...node.capabilities].sort(),
    ...(node.taskTypes === null ? {} : { taskTypes: [...node.taskTypes].sort() }),
    ...(Object.keys(node.labels).length === 0 ? {} : { labels: node.labels }),
    ...(Object.keys(node.resources).length === 0 ? {} : { resources: node.resources, taken: { ...node.taken } }),
    maxTasks: node.maxTasks,
    tasks: node.slots.size,
    ...(node.load === undefined ? {} : { load: node.load }),
    silentMs: Math.max(0, Math.round(nowMs - (node.session?.lastHeardAt ?? nowMs))),
    running: held.filter((slot) => !slot.isOverdue).map((slot) => slot.ref),
    overdue: held.filter((slot) => slot.isOverdue).map((slot) => slot.ref),
  };
}

/** What its chart says, but for slots that it has not been told of: those of a claim that is on its way. */
function statusOf({ status, slots, maxTasks, isLagging }: Node): NodeView['status'] {
  if (status !== 'online' && status !== 'busy') return status;
  return slots.size >= maxTasks || isLagging ? 'busy' : 'online';
}

/** Why a node is what it is, in words. */
export function reasonOf(node: Node): string | null {
  return node.state === 'tripped' || node.state === 'probing' ? node.breaker.reason : node.reason;
}

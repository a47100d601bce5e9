/** All nodes of the cluster, for those who ask: the gateway’s own as it knows them, the others as they were told last. */
import { misfit, type NodeFacts, shortage } from '../../../machines/policies/fit.ts';
import type { Requirement } from '../../../machines/policies/requirement-class.ts';
import type { NodeView } from '../../../protocol/node.ts';
import type { RemoteNode } from '../cluster/directory.ts';
import { nodeView } from '../nodes/node-view.ts';
import type { Node, Nodes } from '../nodes/nodes.ts';

/** A node of any gateway. */
export interface Counted {
  readonly facts: NodeFacts;
  readonly view: NodeView;
  /** What keeps it from work that fits it, though it has a slot; null if nothing does. */
  readonly hindrance: string | null;
  /** It may have one attempt, though it is unhealthy. */
  readonly isOnTrial: boolean;
}

/** By id. A node that has come to another gateway is counted there. */
export function census(nodes: Nodes, others: readonly RemoteNode[], nowMs: number): Counted[] {
  const counted = new Map<string, Counted>();
  for (const node of nodes.all()) counted.set(node.nodeId, own(node, nodes, nowMs));
  for (const { view } of others) counted.set(view.nodeId, remote(view));
  return [...counted.values()].sort((one, other) => (one.facts.nodeId < other.facts.nodeId ? -1 : 1));
}

/** Whether nothing but its place in line keeps a task of a class from a node, and why. */
export function verdictOn(
  { facts, view, hindrance, isOnTrial }: Counted,
  requirement: Requirement,
): { fits: boolean; reason: string } {
  const reason = misfit(facts, requirement);
  if (reason !== null) return { fits: false, reason };
  const { status, tasks, maxTasks, overdue } = view;
  if (status === 'offline' || (status === 'unhealthy' && !isOnTrial)) {
    return { fits: false, reason: `is ${status}${view.reason === undefined ? '' : `: ${view.reason}`}` };
  }
  if (status === 'draining') return { fits: false, reason: 'is draining' };
  if (tasks >= maxTasks) {
    return {
      fits: false,
      reason: `is full: ${tasks} of ${maxTasks} slots taken${overdue.length === 0 ? '' : `, ${overdue.length} by overdue attempts`}`,
    };
  }
  const short = shortage(requirement, facts.resources, view.taken ?? {});
  if (short !== null) return { fits: false, reason: short };
  if (hindrance !== null) return { fits: false, reason: hindrance };
  if (status === 'unhealthy') return { fits: true, reason: 'has room for one attempt, on trial' };
  return { fits: true, reason: `has ${maxTasks - tasks} of ${maxTasks} slots free` };
}

function own(node: Node, nodes: Nodes, nowMs: number): Counted {
  const clogged = node.session?.isFull === true ? 'does not drain what it is sent' : null;
  const view = nodeView(node, nowMs);
  return {
    facts: node,
    view,
    hindrance: node.isLagging ? busy(view) : clogged,
    isOnTrial: nodes.freeSlots(node) > 0,
  };
}

function remote(view: NodeView): Counted {
  const { nodeId, type, capabilities, taskTypes, labels = {}, resources = {} } = view;
  const types = taskTypes === undefined ? null : new Set(taskTypes);
  return {
    facts: { nodeId, kind: type, capabilities: new Set(capabilities), taskTypes: types, labels, resources },
    view,
    hindrance: view.status === 'busy' && view.tasks < view.maxTasks ? busy(view) : null,
    isOnTrial: view.breaker === 'half-open' && view.tasks === 0,
  };
}

function busy({ reason }: NodeView): string {
  return reason === undefined ? 'is busy' : `is busy: ${reason}`;
}

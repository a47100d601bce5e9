/** Looks at the nodes of a gateway, and at work that none of them can do. */
import { misfit, type NodeFacts } from '../../machines/policies/fit.ts';
import { requirementOf } from '../../machines/policies/requirement-class.ts';
import type { Finding } from '../../protocol/checkup.ts';
import type { NodeView } from '../../protocol/node.ts';

/** Of classes that nobody can serve, so many are named. */
const CLASSES_NAMED = 20;

/** Nodes that are silent or hold on to what they were told to end. */
export function auditNodes(nodes: readonly NodeView[]): Finding[] {
  const findings: Finding[] = [];
  for (const { nodeId: about, status, reason, silentMs, overdue } of nodes) {
    if (status === 'unhealthy' || status === 'offline') {
      const because = reason === undefined ? '' : `: ${reason}`;
      const heard = silentMs === undefined ? 'never heard of' : `last heard ${Math.round(silentMs)} ms ago`;
      const says = `it is ${status}${because}; ${heard}`;
      const mend = 'See whether its process and its network are well; its work is placed elsewhere.';
      findings.push({ check: 'nodes.health', severity: 'warn', about, says, mend });
    }
    if (overdue.length > 0) {
      const [first] = overdue;
      const says = `${overdue.length} of its slots are held by attempts that were told to stop, such as ${first?.taskId}`;
      const mend = 'Its handlers ignore their abort signal: mend them, run them with --isolate, or restart the node.';
      findings.push({ check: 'nodes.health', severity: 'warn', about, says, mend });
    }
  }
  return findings;
}

/** A node as placement and as people see it. */
export interface Known {
  readonly facts: NodeFacts;
  readonly view: NodeView;
}

/** Classes of waiting tasks that no node could ever run, or none that takes new work. */
export function auditStarved(nodes: readonly Known[], ready: ReadonlyMap<string, number>): Finding[] {
  const findings: Finding[] = [];
  for (const [name, count] of ready) {
    if (findings.length >= CLASSES_NAMED) break;
    const requirement = requirementOf(name);
    const reasons = nodes.map(({ facts }) => misfit(facts, requirement));
    const able = nodes.filter((_, at) => reasons[at] === null).map(({ view }) => view);
    if (able.some(({ status }) => status !== 'draining')) continue;
    const none = nodes.length === 0 ? 'no node is connected' : `none of ${nodes.length} nodes can: one ${reasons[0]}`;
    findings.push({
      check: 'tasks.starved',
      severity: 'warn',
      about: requirement.type,
      says: `${count} ${count === 1 ? 'task waits' : 'tasks wait'} for a node, and ${drainedOf(able) ?? none}`,
      mend:
        able.length === 0
          ? 'Start a node that has what they need; `pincer why TASK` says what that is.'
          : '`pincer nodes resume NODE` takes an order to drain back; or start another node that has what they need.',
    });
  }
  return findings;
}

/** That all who could are draining; null: nobody could. */
function drainedOf([first, ...others]: readonly NodeView[]): string | null {
  if (first === undefined) return null;
  if (others.length === 0) return `the only one that can, ${first.nodeId}, is draining`;
  return `all ${others.length + 1} that can are draining, such as ${first.nodeId}`;
}

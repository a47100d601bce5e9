/** What a placement is made of: the nodes of a class as a strategy sees them, and which task goes first. */
import type { Candidate } from '../../../machines/policies/placement/placement.ts';
import type { Claimed, Want } from '../../store/store.ts';
import type { Node } from '../nodes/nodes.ts';
import type { WorkClasses } from './work-classes.ts';

/** Another node than the one that failed the task, where there is one. */
export function othersThan(lastNode: string | null, candidates: readonly Candidate[]): readonly Candidate[] {
  if (lastNode === null) return candidates;
  const others = candidates.filter((candidate) => candidate.nodeId !== lastNode);
  return others.length > 0 ? others : candidates;
}

/**
 * The most constrained tasks first, so that what can go anywhere does not take the only place of what cannot; of equals those
 * that have a node in mind, or its room would go to what could go anywhere. Where resources are taken, more may have been
 * claimed than there is room for: the last in line go without, and not those that are less choosy. Loops and not `map` and
 * `some`: V8 compiles those for arrays that are never empty, and anew each time one is.
 */
export function inOrder(claimed: readonly Claimed[], classes: Pick<WorkClasses, 'of'>): readonly Claimed[] {
  const queue = claimed[0]?.record.queue;
  let isMixed = false;
  for (const task of claimed) if (task.record.queue !== queue || wish(task) === 0) isMixed = true;
  if (!isMixed) return claimed;
  for (const { record } of claimed) if (classes.of(record.queue).requirement.resources !== undefined) return claimed;
  const fits = ({ record }: Claimed): number => classes.of(record.queue).fitting.length;
  return [...claimed].sort((one, other) => fits(one) - fits(other) || wish(one) - wish(other));
}

/** 0 for a task that prefers a node, 1 for one that does not: a part of an order. */
function wish({ record }: Claimed): number {
  return record.prefer === null ? 1 : 0;
}

/** Where a node stands among the candidates; -1 if it does not. */
export function placeOf(nodeId: string, candidates: readonly Candidate[]): number {
  for (let at = 0; at < candidates.length; at += 1) if (candidates[at]?.nodeId === nodeId) return at;
  return -1;
}

/** What a strategy is told of a node. */
export function candidateOf(node: Node): Candidate {
  const { nodeId, slots, maxTasks, capabilities, resources, load, placedSinceReport, lastTurn } = node;
  return {
    nodeId,
    running: slots.size,
    slots: maxTasks,
    versatility: capabilities.size + Object.keys(resources).length,
    cpu: load?.cpu ?? 0,
    memory: load?.memory ?? 0,
    placedSinceReport,
    lastTurn,
  };
}

/** Of the classes of a claim those that are empty: they gave less than was asked for, and the total was not what ran out. */
export function dryOf(wants: readonly Want[], room: number, claimed: readonly Claimed[]): readonly string[] {
  if (claimed.length >= room) return [];
  const counts = new Map<string, number>();
  for (const { record } of claimed) counts.set(record.queue, (counts.get(record.queue) ?? 0) + 1);
  return wants.filter(({ queue, limit }) => (counts.get(queue) ?? 0) < limit).map(({ queue }) => queue);
}

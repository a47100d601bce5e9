/** Which of what was claimed goes first, which nodes it is offered, and which classes are empty. */
import { describe, expect, it } from 'vitest';
import {
  candidateOf,
  dryOf,
  inOrder,
  othersThan,
  placeOf,
} from '../../../../src/actors/gateway/dispatch/candidates.ts';
import type { WorkClass } from '../../../../src/actors/gateway/dispatch/work-classes.ts';
import type { Node } from '../../../../src/actors/gateway/nodes/nodes.ts';
import type { Claimed } from '../../../../src/actors/store/store.ts';
import type { Candidate } from '../../../../src/machines/policies/placement/placement.ts';

/** Written as `task queue`, or `task queue node` for one that prefers a node. */
function claimed(...tasks: string[]): Claimed[] {
  return tasks.map((task) => {
    const [taskId, queue, prefer = null] = task.split(' ');
    return { record: { taskId, queue, prefer } } as unknown as Claimed;
  });
}

/** How many nodes could do the work of a class; what a class takes of them. */
function classes(fits: Record<string, number>, resources: Record<string, object> = {}) {
  return {
    of: (queue: string) =>
      ({ requirement: { resources: resources[queue] }, fitting: Array(fits[queue] ?? 0) }) as unknown as WorkClass,
  };
}

const order = (tasks: Claimed[], ...given: Parameters<typeof classes>) =>
  inOrder(tasks, classes(...given)).map(({ record }) => record.taskId);

const nodes = (...nodeIds: string[]) => nodeIds.map((nodeId) => ({ nodeId }) as Candidate);

describe('of what was claimed together', () => {
  it('that goes first which the fewest nodes could do, and of equals that which prefers a node', () => {
    const tasks = claimed('any all', 'choosy one', 'fond all n', 'fussy one', 'late all', 'last all n');
    expect(order(tasks, { all: 9, one: 1 })).toEqual(['choosy', 'fussy', 'fond', 'last', 'any', 'late']);
  });

  it('that goes first which the fewest nodes could do, though none prefers a node', () => {
    expect(order(claimed('any all', 'choosy one'), { all: 9, one: 1 })).toEqual(['choosy', 'any']);
  });

  it('that goes first which prefers a node, though all are of one class', () => {
    expect(order(claimed('a all', 'b all n', 'c all'), { all: 2 })).toEqual(['b', 'a', 'c']);
    expect(order(claimed('a all', 'b all'), { all: 2 })).toEqual(['a', 'b']);
  });

  it('the first in line go first where any takes of what nodes have', () => {
    const tasks = claimed('any all', 'choosy one', 'fond all n');
    expect(order(tasks, { all: 9, one: 1 }, { one: { gpu: 1 } })).toEqual(['any', 'choosy', 'fond']);
  });
});

describe('the nodes that a task is offered', () => {
  it('are others than the one that has failed it, as long as there is one', () => {
    expect(othersThan('n', nodes('n', 'm', 'o'))).toEqual(nodes('m', 'o'));
    expect(othersThan('n', nodes('n'))).toEqual(nodes('n'));
    expect(othersThan(null, nodes('n', 'm'))).toEqual(nodes('n', 'm'));
  });

  it('are found again by their ids', () => {
    const candidates = nodes('n', 'm', 'o');
    expect(['n', 'm', 'o', 'p'].map((nodeId) => placeOf(nodeId, candidates))).toEqual([0, 1, 2, -1]);
  });

  it('are told of as what holds their slots, what they can do and have, and how they fare', () => {
    const node = {
      ...{ nodeId: 'n', slots: new Map([['a', {}]]), maxTasks: 3, capabilities: new Set(['x', 'y']) },
      ...{ resources: { gpu: 1 }, placedSinceReport: 4, lastTurn: 5 },
    } as unknown as Node;
    const told = { nodeId: 'n', running: 1, slots: 3, versatility: 3, placedSinceReport: 4, lastTurn: 5 };
    expect(candidateOf(node)).toEqual({ ...told, cpu: 0, memory: 0 });
    node.load = { cpu: 0.25, memory: 0.75, tasks: 1 };
    expect(candidateOf(node)).toEqual({ ...told, cpu: 0.25, memory: 0.75 });
  });
});

describe('of the classes that were asked for', () => {
  const wants = ['a', 'b', 'c'].map((queue) => ({ queue, limit: queue === 'c' ? 1 : 2 }));

  it('those are empty that gave less than they were asked for', () => {
    expect(dryOf(wants, 5, claimed('1 a', '2 b', '3 a'))).toEqual(['b', 'c']);
  });

  it('none is known to be empty when there was no more room in all', () => {
    expect(dryOf(wants, 3, claimed('1 a', '2 b', '3 a'))).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/actors/world/seeded-random.ts';
import { bestFit } from '../../../src/machines/policies/placement/best-fit.ts';
import { strategies, strategyOf } from '../../../src/machines/policies/placement/index.ts';
import type { Candidate, Strategy } from '../../../src/machines/policies/placement/placement.ts';
import { aCandidate, aPlacement, placementConformance } from '../../conformance/placement.ts';

for (const [name, strategy] of Object.entries(strategies)) placementConformance(name, strategy);

/** How often each node was chosen in `turns` placements that all end at once. */
function tally(strategy: Strategy, nodes: readonly Candidate[], turns: number, keys = false): Map<string, number> {
  const counts = new Map(nodes.map((node) => [node.nodeId, 0]));
  const last = new Map<string, number>();
  const random = seededRandom(11);
  for (let turn = 0; turn < turns; turn += 1) {
    const now = nodes.map((node) => ({ ...node, lastTurn: last.get(node.nodeId) ?? 0 }));
    const key = keys ? `key-${turn}` : null;
    const chosen = strategy(now, aPlacement({ taskId: `task-${turn}`, turn, random, affinityKey: key })) ?? '';
    counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
    last.set(chosen, turn + 1);
  }
  return counts;
}

describe('round-robin', () => {
  it('#75 gives each of three nodes a third', () => {
    const nodes = ['a', 'b', 'c'].map((nodeId) => aCandidate({ nodeId }));
    expect([...tally(strategies['round-robin'], nodes, 300).values()]).toEqual([100, 100, 100]);
  });

  it('#75 does not skew when the candidates change from call to call', () => {
    const names = ['a', 'b', 'c', 'd'];
    const last = new Map<string, number>();
    const counts = new Map<string, number>();
    for (let turn = 1; turn <= 1_200; turn += 1) {
      // Every third call one node in turn is full.
      const hidden = turn % 3 === 0 ? names[(turn / 3) % 4] : undefined;
      const nodes = names
        .filter((name) => name !== hidden)
        .map((nodeId) => aCandidate({ nodeId, lastTurn: last.get(nodeId) ?? 0 }));
      const chosen = strategies['round-robin'](nodes, aPlacement({ turn })) ?? '';
      last.set(chosen, turn);
      counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
    }
    for (const count of counts.values()) expect(Math.abs(count - 300)).toBeLessThanOrEqual(3);
  });
});

describe('least-connections', () => {
  const choose = strategies['least-connections'];

  it('#73 goes by the share of slots, not by the count of tasks', () => {
    const small = aCandidate({ nodeId: 'a', running: 1, slots: 2 });
    const large = aCandidate({ nodeId: 'b', running: 3, slots: 20 });
    expect(choose([small, large], aPlacement())).toBe('b');
  });

  it('#51 keeps versatile nodes free where a plain one will do', () => {
    const versatile = aCandidate({ nodeId: 'a', versatility: 5 });
    const plain = aCandidate({ nodeId: 'z', versatility: 1 });
    expect(choose([versatile, plain], aPlacement())).toBe('z');
  });

  it('breaks ties by id', () => {
    expect(choose([aCandidate({ nodeId: 'b' }), aCandidate({ nodeId: 'a' })], aPlacement())).toBe('a');
  });
});

describe('best fit', () => {
  const plain = aCandidate({ nodeId: 'plain', slots: 2, running: 1, versatility: 1 });
  const versatile = aCandidate({ nodeId: 'versatile', slots: 2, running: 1, versatility: 3 });

  it('#51 keeps the last slot of a versatile node while a plainer one has room', () => {
    expect(bestFit([versatile, plain])).toEqual([plain]);
    expect(bestFit([plain, versatile])).toEqual([plain]);
  });

  it('spreads over versatile nodes as well while they have more than one slot free', () => {
    const free = { ...versatile, running: 0 };
    expect(bestFit([free, plain])).toEqual([free, plain]);
  });

  it('leaves no slot empty for what may never come', () => {
    expect(bestFit([versatile])).toEqual([versatile]);
    expect(bestFit([])).toEqual([]);
  });

  it('changes nothing where all nodes can do the same', () => {
    const alike = [aCandidate({ nodeId: 'a', slots: 1 }), aCandidate({ nodeId: 'b', slots: 1 })];
    expect(bestFit(alike)).toBe(alike);
  });
});

describe('least-load', () => {
  const choose = strategies['least-load'];

  it('weighs cpu and memory alike', () => {
    const busy = aCandidate({ nodeId: 'a', cpu: 0.9, memory: 0.1 });
    const calm = aCandidate({ nodeId: 'b', cpu: 0.3, memory: 0.3 });
    expect(choose([busy, calm], aPlacement())).toBe('b');
  });

  it('#72 does not send all of one heartbeat window to the same node', () => {
    const nodes = ['a', 'b', 'c'].map((nodeId, index) => ({ nodeId, cpu: index / 100, slots: 100, placed: 0 }));
    for (let turn = 0; turn < 90; turn += 1) {
      const facts = nodes.map(({ nodeId, cpu, slots, placed }) =>
        aCandidate({ nodeId, cpu, slots, placedSinceReport: placed, running: placed }),
      );
      const chosen = nodes.find((node) => node.nodeId === choose(facts, aPlacement({ turn })));
      if (chosen !== undefined) chosen.placed += 1;
    }
    for (const { placed } of nodes) expect(Math.abs(placed - 30)).toBeLessThanOrEqual(2);
  });
});

describe('weighted', () => {
  it('#74 spreads by free slots, within one percent, and smoothly', () => {
    const nodes = [
      aCandidate({ nodeId: 'a', slots: 10, running: 9 }),
      aCandidate({ nodeId: 'b', slots: 3 }),
      aCandidate({ nodeId: 'c', slots: 8, running: 2 }),
    ];
    const counts = tally(strategies['weighted'], nodes, 10_000);
    expect(counts.get('a')).toBeGreaterThan(900);
    expect(counts.get('a')).toBeLessThan(1_100);
    expect(Math.abs((counts.get('b') ?? 0) - 3_000)).toBeLessThan(100);
    expect(Math.abs((counts.get('c') ?? 0) - 6_000)).toBeLessThan(100);
    const burst = tally(strategies['weighted'], nodes, 20);
    expect(burst.get('c')).toBeLessThanOrEqual(13);
  });
});

describe('consistent-hash', () => {
  const choose = strategies['consistent-hash'];
  const five = ['a', 'b', 'c', 'd', 'e'].map((nodeId) => aCandidate({ nodeId, slots: 1_000 }));
  const six = [...five, aCandidate({ nodeId: 'f', slots: 1_000 })];
  const keys = Array.from({ length: 6_000 }, (_, index) => `user-${index}`);
  const home = (nodes: readonly Candidate[], key: string): string | undefined =>
    choose(nodes, aPlacement({ affinityKey: key }));

  it('#71 moves at most a sixth and 3 % of the keys when a sixth node comes', () => {
    const moved = keys.filter((key) => home(five, key) !== home(six, key));
    expect(moved.length / keys.length).toBeLessThanOrEqual(1 / 6 + 0.03);
    // And none of them moves between the old ones.
    for (const key of moved) expect(home(six, key)).toBe('f');
  });

  it('keeps a key on its node whatever the task', () => {
    const homes = new Set(keys.slice(0, 50).map((taskId) => choose(five, aPlacement({ taskId, affinityKey: 'same' }))));
    expect(homes.size).toBe(1);
  });

  it('spreads keys evenly, within a fifth', () => {
    const counts = tally(choose, five, 5_000, true);
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(200);
  });

  it('sends a key to its second choice while its node is far above the average', () => {
    const key = keys.find((one) => home(five, one) === 'a') ?? '';
    const crowded = five.map((node) => (node.nodeId === 'a' ? { ...node, running: 900 } : node));
    expect(home(crowded, key)).not.toBe('a');
  });
});

describe('consistent-hash, with tasks of one key at once', () => {
  it('keeps them together until their node is half full, and then takes the others in, too', () => {
    let nodes: readonly Candidate[] = ['a', 'b', 'c'].map((nodeId) => aCandidate({ nodeId, slots: 50 }));
    const chosen: string[] = [];
    for (let turn = 0; turn < 60; turn += 1) {
      const nodeId = strategies['consistent-hash'](nodes, aPlacement({ turn, affinityKey: 'one' })) ?? '';
      chosen.push(nodeId);
      nodes = nodes.map((node) => (node.nodeId === nodeId ? { ...node, running: node.running + 1 } : node));
    }
    expect(new Set(chosen.slice(0, 25)).size).toBe(1);
    expect(new Set(chosen).size).toBeGreaterThan(1);
    expect(nodes.find(({ nodeId }) => nodeId === chosen[0])?.running).toBeLessThan(50);
  });
});

describe('power-of-two', () => {
  it('keeps two of a kind nearly even under load', () => {
    const nodes = ['a', 'b', 'c', 'd', 'e'].map((nodeId) => ({ nodeId, running: 0 }));
    const random = seededRandom(5);
    for (let turn = 0; turn < 1_000; turn += 1) {
      const facts = nodes.map(({ nodeId, running }) => aCandidate({ nodeId, running, slots: 10_000 }));
      const nodeId = strategies['power-of-two'](facts, aPlacement({ random }));
      for (const node of nodes) if (node.nodeId === nodeId) node.running += 1;
    }
    for (const { running } of nodes) expect(Math.abs(running - 200)).toBeLessThan(20);
  });
});

describe('the shelf of strategies', () => {
  it('#76 names what there is when asked for what there is not', () => {
    expect(() => strategyOf('fastest')).toThrowError(
      /'fastest' is not a strategy; there are round-robin, least-connections/,
    );
    expect(() => strategyOf('constructor')).toThrowError(/is not a strategy/);
  });

  it('takes an app’s own strategy by name', () => {
    const mine: Strategy = (candidates) => candidates.at(-1)?.nodeId;
    expect(strategyOf('mine', { mine })).toBe(mine);
  });
});

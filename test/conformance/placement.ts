/** The placement contract as a suite: what every strategy owes, whatever it prefers. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/actors/world/seeded-random.ts';
import type { Candidate, Placement, Strategy } from '../../src/machines/policies/placement/placement.ts';

export function aCandidate(some: Partial<Candidate> & { nodeId: string }): Candidate {
  const rest = { running: 0, slots: 5, versatility: 1, cpu: 0, memory: 0, placedSinceReport: 0, lastTurn: 0 };
  return { ...rest, ...some };
}

export function aPlacement(some: Partial<Placement> = {}): Placement {
  return { taskId: 'task-1', affinityKey: null, turn: 0, random: () => 0.5, ...some };
}

const candidate = fc
  .record({
    slots: fc.integer({ min: 1, max: 20 }),
    taken: fc.double({ min: 0, max: 0.999, noNaN: true }),
    versatility: fc.integer({ min: 0, max: 9 }),
    cpu: fc.double({ min: 0, max: 1, noNaN: true }),
    memory: fc.double({ min: 0, max: 1, noNaN: true }),
    placedSinceReport: fc.integer({ min: 0, max: 20 }),
    lastTurn: fc.integer({ min: 0, max: 100 }),
  })
  .map(({ taken, ...facts }) => ({ ...facts, running: Math.floor(taken * facts.slots) }));

const candidates = fc
  .array(candidate, { minLength: 1, maxLength: 12 })
  .map((list) =>
    list.map((facts, index): Candidate => ({ nodeId: `node-${String(index).padStart(2, '0')}`, ...facts })),
  );

const placement = fc.record({
  taskId: fc.uuid(),
  affinityKey: fc.option(fc.string({ maxLength: 8 })),
  turn: fc.integer({ min: 0, max: 100_000 }),
  draw: fc.double({ min: 0, max: 0.999_999, noNaN: true }),
});

export function placementConformance(name: string, strategy: Strategy): void {
  describe(`${name} keeps the placement contract`, () => {
    it('chooses none when there is none', () => {
      expect(strategy([], aPlacement())).toBeUndefined();
    });

    it('chooses one of the candidates, whatever the facts', () => {
      fc.assert(
        fc.property(candidates, placement, (list, { draw, ...facts }) => {
          const chosen = strategy(list, { ...facts, random: () => draw });
          expect(list.map((one) => one.nodeId)).toContain(chosen);
        }),
      );
    });

    it('decides alike for the same facts, in whatever order they come', () => {
      fc.assert(
        fc.property(candidates, placement, fc.integer(), (list, { draw, ...facts }, seed) => {
          // A draw by position would depend on the order; at the ends of the range both orders name the same node.
          if (name === 'power-of-two') return;
          const shuffled = list.toSorted(
            (one, other) =>
              ((seed >> (one.nodeId.charCodeAt(6) % 8)) & 1) - ((seed >> (other.nodeId.charCodeAt(6) % 8)) & 1),
          );
          const once = strategy(list, { ...facts, random: () => draw });
          expect(strategy(shuffled, { ...facts, random: () => draw })).toBe(once);
        }),
      );
    });

    it('#73 leaves the list as it was', () => {
      fc.assert(
        fc.property(candidates, placement, (list, { draw, ...facts }) => {
          const before = structuredClone(list);
          strategy(Object.freeze(list), { ...facts, random: () => draw });
          expect(list).toEqual(before);
        }),
      );
    });

    it('places 10 000 tasks on five unequal nodes without ever overcommitting one', () => {
      const slots = [1, 2, 5, 10, 20];
      const nodes = slots.map((count, index) => aCandidate({ nodeId: `n${index}`, slots: count }));
      const running = new Map(nodes.map((node) => [node.nodeId, [] as number[]]));
      const random = seededRandom(7);
      const facts = new Map(nodes.map((node) => [node.nodeId, { lastTurn: 0, placedSinceReport: 0 }]));
      for (let turn = 0; turn < 10_000; turn += 1) {
        for (const [, ends] of running) while (ends[0] !== undefined && ends[0] <= turn) ends.shift();
        // Heartbeats lag: the reported load is that of a hundred turns ago.
        if (turn % 100 === 0) for (const fact of facts.values()) fact.placedSinceReport = 0;
        const free = nodes
          .map((node) => ({ ...node, ...facts.get(node.nodeId), running: running.get(node.nodeId)?.length ?? 0 }))
          .filter((node) => node.running < node.slots);
        if (free.length === 0) continue;
        const chosen = strategy(free, aPlacement({ taskId: `t${turn}`, turn, random }));
        const node = free.find((one) => one.nodeId === chosen);
        expect(node).toBeDefined();
        const ends = running.get(chosen ?? '') ?? [];
        expect(ends.length).toBeLessThan(node?.slots ?? 0);
        ends.push(turn + 1 + Math.floor(random() * 60));
        ends.sort((one, other) => one - other);
        facts.set(chosen ?? '', {
          lastTurn: turn + 1,
          placedSinceReport: (facts.get(chosen ?? '')?.placedSinceReport ?? 0) + 1,
        });
      }
    });
  });
}

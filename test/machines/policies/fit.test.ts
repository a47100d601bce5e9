import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { misfit, type NodeFacts, roomFor, shortage, stillTaken } from '../../../src/machines/policies/fit.ts';
import { classOf, type Requirement, requirementOf } from '../../../src/machines/policies/requirement-class.ts';

function aNode(some: Partial<NodeFacts> = {}): NodeFacts {
  return { nodeId: 'n1', kind: 'agent', capabilities: new Set(), taskTypes: null, labels: {}, resources: {}, ...some };
}

function aRequirement(some: Partial<Requirement> = {}): Requirement {
  return { type: 'echo', needs: [], ...some };
}

describe('a requirement class', () => {
  const name = fc.stringMatching(/^[A-Za-z0-9._:-]{1,8}$/).filter((one) => one !== '__proto__');
  const requirement = fc.record(
    {
      type: fc.stringMatching(/^[A-Za-z0-9._:/-]{1,8}$/),
      needs: fc.uniqueArray(name, { maxLength: 3 }).map((list) => list.sort()),
      labels: fc.dictionary(name, fc.string({ maxLength: 6 }), { minKeys: 1, maxKeys: 3 }),
      resources: fc.dictionary(name, fc.integer({ min: 1, max: 9 }), { minKeys: 1, maxKeys: 3 }),
      node: name,
      limitKey: fc.string({ minLength: 1, maxLength: 6 }),
    },
    { requiredKeys: ['type', 'needs'] },
  );

  it('is named so that the name gives the requirement back', () => {
    fc.assert(
      fc.property(requirement, (wanted) => {
        expect(requirementOf(classOf(wanted))).toEqual(wanted);
      }),
    );
  });

  it('has one name, in whatever order labels and resources were written', () => {
    const one = classOf(aRequirement({ labels: { zone: 'a', disk: 'ssd' }, resources: { gpu: 1, cpu: 2 } }));
    const other = classOf(aRequirement({ resources: { cpu: 2, gpu: 1 }, labels: { disk: 'ssd', zone: 'a' } }));
    expect(one).toBe(other);
  });

  it('ignores what is empty', () => {
    expect(classOf(aRequirement({ labels: {}, resources: {} }))).toBe('echo ');
  });
});

describe('whether a node fits', () => {
  it.each([
    ['#42 a channel never fits agent work', aNode({ kind: 'channel' }), {}, 'is a channel, not an agent'],
    [
      '#42 nor if it names the type',
      aNode({ kind: 'channel', taskTypes: new Set(['echo']) }),
      {},
      'is a channel, not an agent',
    ],
    ['#42 an agent never fits channel work', aNode(), { type: 'channel/chat' }, 'is an agent, not a channel'],
    [
      'a channel that does not say what it delivers',
      aNode({ kind: 'channel' }),
      { type: 'channel/chat' },
      "has no handler for 'channel/chat'",
    ],
    [
      'a channel for another platform',
      aNode({ kind: 'channel', taskTypes: new Set(['channel/mail']) }),
      { type: 'channel/chat' },
      "has no handler for 'channel/chat'",
    ],
    ['a capability that was not granted', aNode(), { needs: ['llm', 'vision'] }, "lacks 'llm', 'vision'"],
    ['#41 a type without a handler', aNode({ taskTypes: new Set(['other']) }), {}, "has no handler for 'echo'"],
    [
      'a label of another value',
      aNode({ labels: { zone: 'b' } }),
      { labels: { zone: 'a' } },
      "its label 'zone' is 'b', not 'a'",
    ],
    ['a label that is not set', aNode(), { labels: { zone: 'a' } }, "its label 'zone' is not set, not 'a'"],
    [
      'too little of a resource',
      aNode({ resources: { gpu: 1 } }),
      { resources: { gpu: 2 } },
      'has 1 gpu in all, not 2',
    ],
    ['a resource that it has none of', aNode(), { resources: { gpu: 1 } }, 'has 0 gpu in all, not 1'],
    ['another node than the one it is pinned to', aNode(), { node: 'n2' }, "is not 'n2'"],
  ])('says why not: %s', (_, node, wanted, reason) => {
    expect(misfit(node, aRequirement(wanted))).toBe(reason);
  });

  it('finds no fault with a node that has everything', () => {
    const node = aNode({
      capabilities: new Set(['llm']),
      labels: { zone: 'a' },
      resources: { gpu: 2 },
      taskTypes: new Set(['echo']),
    });
    expect(
      misfit(node, aRequirement({ needs: ['llm'], labels: { zone: 'a' }, resources: { gpu: 2 }, node: 'n1' })),
    ).toBeNull();
  });

  it('finds no fault with the channel that delivers it', () => {
    const node = aNode({ kind: 'channel', taskTypes: new Set(['channel/chat']) });
    expect(misfit(node, aRequirement({ type: 'channel/chat' }))).toBeNull();
  });

  it('is not fooled by a label named like a property of every object', () => {
    expect(misfit(aNode(), aRequirement({ labels: { constructor: 'x' } }))).toBe(
      "its label 'constructor' is not set, not 'x'",
    );
  });
});

describe('the room of a node', () => {
  it('is its free slots for work that takes nothing else', () => {
    expect(roomFor(aRequirement(), 3, {}, {})).toBe(3);
  });

  it('is bounded by the scarcest resource', () => {
    const wanted = aRequirement({ resources: { gpu: 1, memoryMb: 4_096 } });
    expect(roomFor(wanted, 5, { gpu: 4, memoryMb: 10_000 }, { gpu: 1 })).toBe(2);
    expect(roomFor(wanted, 5, { gpu: 4, memoryMb: 10_000 }, { gpu: 4 })).toBe(0);
  });

  it('never overcommits a resource, and never refuses what just fits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 100 }), (total, wanted) => {
        const room = roomFor(aRequirement({ resources: { gpu: wanted } }), 1_000, { gpu: total }, {});
        expect(room * wanted).toBeLessThanOrEqual(total);
        expect((room + 1) * wanted).toBeGreaterThan(total);
      }),
    );
    expect(roomFor(aRequirement({ resources: { gpu: 0.1 } }), 99, { gpu: 0.3 }, {})).toBe(3);
  });

  it('is all there again once everything has been given back, whatever the fractions', () => {
    const amount = fc.double({ min: 0.001, max: 1_000, noNaN: true });
    fc.assert(
      fc.property(fc.array(amount, { minLength: 1, maxLength: 20 }), (amounts) => {
        const taken = amounts.reduce((sum, each) => sum + each, 0);
        const left = amounts.reduceRight((rest, each) => stillTaken(rest, each), taken);
        expect(left).toBeGreaterThanOrEqual(0);
        expect(left).toBeLessThan(1e-9);
      }),
    );
    expect([0.1, 0.3].reduce(stillTaken, 0.1 + 0.3)).toBe(0);
    expect([0.7, 0.1].reduce(stillTaken, 0.7 + 0.1)).toBe(0);
  });

  it('is its free slots for what takes nothing of a resource, had or not', () => {
    expect(roomFor(aRequirement({ resources: { gpu: 0 } }), 3, {}, {})).toBe(3);
    expect(roomFor(aRequirement({ resources: { gpu: 0 } }), 3, { gpu: 1 }, { gpu: 1 })).toBe(3);
  });

  it('says what is short', () => {
    const wanted = aRequirement({ resources: { gpu: 2 } });
    expect(shortage(wanted, { gpu: 2 }, { gpu: 1 })).toBe('has 1 gpu free, not 2');
    expect(shortage(wanted, {}, {})).toBe('has 0 gpu free, not 2');
    expect(shortage(wanted, { gpu: 2 }, {})).toBeNull();
  });

  it('is short of something exactly where there is room for none', () => {
    const amount = fc.oneof(
      fc.integer({ min: 0, max: 4 }),
      fc.integer({ min: 0, max: 40 }).map((tenths) => tenths / 10),
      fc.integer({ min: 1, max: 4 }).map((tera) => tera * 1e12),
    );
    fc.assert(
      fc.property(amount, amount, amount, (gpu, held, wanted) => {
        const requirement = aRequirement({ resources: { gpu: wanted } });
        const taken = { gpu: Math.min(held, gpu) };
        expect(shortage(requirement, { gpu }, taken) === null).toBe(roomFor(requirement, 1, { gpu }, taken) === 1);
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Claim, type Declared, grant } from '../../../src/machines/policies/grant.ts';

const claim: Claim = { nodeId: 'agent-02', type: 'agent', capabilities: ['tools', 'vision', 'llm'], maxTasks: 8 };
const declared: Declared = { type: 'agent', capabilities: ['llm', 'tools'], maxTasks: 3 };
const lenient = { isStrict: false };

describe('what a node is granted', () => {
  it('is what it claims within what was declared', () => {
    expect(grant(claim, declared, lenient)).toEqual({
      isGranted: true,
      capabilities: ['tools', 'llm'],
      maxTasks: 3,
      withheld: ['vision'],
    });
  });

  it('is no more than it claims', () => {
    expect(grant({ ...claim, capabilities: ['llm'], maxTasks: 1 }, declared, lenient)).toMatchObject({
      capabilities: ['llm'],
      maxTasks: 1,
    });
  });

  it('is all it claims where nobody expected it, unless the gateway is strict', () => {
    expect(grant(claim, null, lenient)).toMatchObject({
      isGranted: true,
      capabilities: claim.capabilities,
      maxTasks: 8,
    });
    expect(grant(claim, null, { isStrict: true })).toEqual({
      isGranted: false,
      reason: 'node agent-02 is not in the list of nodes',
    });
  });

  it('is nothing where it registers as another type', () => {
    expect(grant({ ...claim, type: 'channel' }, declared, lenient)).toEqual({
      isGranted: false,
      reason: 'node agent-02 is declared as agent, but registers as channel',
    });
  });

  it('never exceeds claim or declaration, whatever they are', () => {
    const names = fc.array(fc.constantFrom('llm', 'tools', 'memory', 'vision'));
    const sizes = fc.nat(20);
    fc.assert(
      fc.property(names, sizes, names, sizes, fc.boolean(), (capabilities, maxTasks, may, slots, isStrict) => {
        const given = grant(
          { nodeId: 'n', type: 'agent', capabilities, maxTasks },
          { type: 'agent', capabilities: may, maxTasks: slots },
          { isStrict },
        );
        if (!given.isGranted) throw new Error(given.reason);
        for (const capability of given.capabilities) {
          expect(capabilities).toContain(capability);
          expect(may).toContain(capability);
        }
        expect(new Set([...given.capabilities, ...given.withheld])).toEqual(new Set(capabilities));
        expect(given.maxTasks).toBe(Math.min(maxTasks, slots));
      }),
    );
  });
});

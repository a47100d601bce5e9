import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { realPorts } from '../../src/actors/real-ports.ts';
import { createWorld } from '../../src/actors/world.ts';
import { LIMIT_RELATIONS } from '../../src/protocol/limit-relations.ts';
import { defaultLimits, type Limits } from '../../src/protocol/limits.ts';

const limitsOf = (limits: Partial<Limits>): Limits => createWorld({ limits }, realPorts()).limits;

describe('limits', () => {
  it('are their defaults, but for those that are given', () => {
    expect(limitsOf({})).toEqual(defaultLimits);
    expect(limitsOf({ drainMs: 5 })).toEqual({ ...defaultLimits, drainMs: 5 });
  });

  it.each([
    [{ leaseMs: 100 }, 'limits.fenceMs is 7000, must be less than limits.leaseMs, which is 100'],
    [{ fenceMs: 10_000 }, 'limits.fenceMs is 10000, must be less than limits.leaseMs, which is 10000'],
    [
      { heartbeatMs: 60_000, offlineAfterMs: 100 },
      'limits.heartbeatMs is 60000, must be less than limits.suspectAfterMs, which is 15000',
    ],
    [{ offlineAfterMs: 100 }, 'limits.suspectAfterMs is 15000, must be at most limits.offlineAfterMs, which is 100'],
  ])('are refused as %j, with both names and values', (limits, message) => {
    expect(() => limitsOf(limits)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID', message }));
  });

  it.each(LIMIT_RELATIONS)('$less may go as far as $more lets it, and no further', ({ less, more, mayEqual }) => {
    const far = defaultLimits[more];
    const others = less === 'suspectAfterMs' ? { heartbeatMs: 1 } : {};
    const reach = mayEqual ? far : far - 1;
    expect(limitsOf({ ...others, [less]: reach })[less]).toBe(reach);
    expect(() => limitsOf({ ...others, [less]: reach + 1 })).toThrow(`limits.${less} is ${reach + 1}`);
  });

  it('are said to be related in docs/limits.md as they are', () => {
    const page = readFileSync(new URL('../../docs/limits.md', import.meta.url), 'utf8');
    const said = [...page.matchAll(/`(\w+)` ([<≤]) `(\w+)`/g)].map(([, less, sign, more]) => `${less} ${sign} ${more}`);
    const meant = LIMIT_RELATIONS.map(({ less, more, mayEqual }) => `${less} ${mayEqual ? '≤' : '<'} ${more}`);
    expect(said.sort()).toEqual(meant.sort());
  });
});

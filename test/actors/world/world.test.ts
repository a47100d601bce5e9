import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { realPorts } from '../../../src/actors/world/real-ports.ts';
import { createWorld } from '../../../src/actors/world/world.ts';
import { LIMIT_RELATIONS, WIRE_LIMITS } from '../../../src/protocol/limit-relations.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';

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
    const far = Math.min(
      defaultLimits[more],
      WIRE_LIMITS.includes(less) ? defaultLimits[less] : Number.POSITIVE_INFINITY,
    );
    const others = { ...(less === 'suspectAfterMs' ? { heartbeatMs: 1 } : {}), [more]: far };
    const reach = mayEqual ? far : far - 1;
    expect(limitsOf({ ...others, [less]: reach })[less]).toBe(reach);
    expect(() => limitsOf({ ...others, [less]: reach + 1 })).toThrow(`limits.${less} is ${reach + 1}`);
  });

  it('must let a client say at once what a new session of it has to know', () => {
    const needs = { submitsUnderWayMax: 50, watchMax: 1_001, listMax: 100 };
    expect(limitsOf({ ...needs, unacknowledgedMax: 61 }).unacknowledgedMax).toBe(61);
    expect(() => limitsOf({ ...needs, unacknowledgedMax: 60 })).toThrow(
      'limits.unacknowledgedMax is 60, must be at least 61: limits.submitsUnderWayMax, which is 50, and limits.watchMax',
    );
  });

  it.each([
    ['heartbeatMs', 0],
    ['offlineAfterMs', Number.POSITIVE_INFINITY],
    ['resumeWindowMs', Number.POSITIVE_INFINITY],
  ] as const)('that a welcome tells are refused where it could not: %s of %d', (name, value) => {
    const message = `limits.${name} is ${value}, which no peer can be told: it must be a finite number above 0`;
    expect(() => limitsOf({ [name]: value })).toThrow(expect.objectContaining({ code: 'OPTION_INVALID', message }));
  });

  it.each(WIRE_LIMITS)('hold each message to %s, which can be lowered and not raised', (name) => {
    const most = defaultLimits[name];
    expect(limitsOf({ [name]: most })[name]).toBe(most);
    expect(() => limitsOf({ [name]: most + 1 })).toThrow(`limits.${name} is ${most + 1}, must be at most ${most}`);
    const page = readFileSync(new URL('../../../docs/limits.md', import.meta.url), 'utf8');
    expect(/can be lowered and not raised:([^.]+)\./.exec(page)?.[1]).toContain(`\`${name}\``);
  });

  it('of messages are all among those that cannot be raised', () => {
    const rooms = ['../../../src/protocol/', '../../../src/transport/discovery/'].map(
      (room) => new URL(room, import.meta.url),
    );
    const schemas = rooms.flatMap((room) => readdirSync(room).map((file) => readFileSync(new URL(file, room), 'utf8')));
    const named = schemas.flatMap((text) =>
      [...text.matchAll(/\.max\(defaultLimits\.(\w+)\)/g)].map(([, name]) => name),
    );
    // A list of nodes is no message, and of a page of a registry both sides have their own.
    const others = ['nodesMax', 'registryNodesMax'];
    expect([...new Set([...named, 'frameBytesMax', 'payloadBytesMax', ...others])].sort()).toEqual(
      [...WIRE_LIMITS, ...others].sort(),
    );
  });

  it('are said to be related in docs/limits.md as they are', () => {
    const page = readFileSync(new URL('../../../docs/limits.md', import.meta.url), 'utf8');
    const said = [...page.matchAll(/`(\w+)` ([<≤]) `(\w+)`/g)].map(([, less, sign, more]) => `${less} ${sign} ${more}`);
    const meant = LIMIT_RELATIONS.map(({ less, more, mayEqual }) => `${less} ${mayEqual ? '≤' : '<'} ${more}`);
    expect(said.sort()).toEqual(meant.sort());
  });
});

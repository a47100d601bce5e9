import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DnsRecord, readAdverts, recordsOf, SERVICE_NAME } from '../../../src/transport/discovery/mdns-adverts.ts';
import type { Self } from '../../../src/transport/discovery/source.ts';

const txt = (...items: string[]): Buffer[] => items.map((item) => Buffer.from(item));
const NAME = `agent-01.${SERVICE_NAME}`;

function packet(fields: readonly string[], port: unknown = 7_443): { answers: DnsRecord[] } {
  return {
    answers: [
      { name: SERVICE_NAME, type: 'PTR', ttl: 120, data: NAME },
      { name: NAME, type: 'SRV', ttl: 120, data: { port, target: 'x.local' } },
      { name: NAME, type: 'TXT', ttl: 120, data: txt(...fields) },
    ],
  };
}

const candidateOf = (fields: readonly string[]) => {
  const [advert] = readAdverts(packet(fields), '192.168.1.7');
  return advert?.type === 'up' ? advert.candidate : null;
};

describe('an advert', () => {
  it('names id, type, capabilities and version, at the address of its sender', () => {
    expect(candidateOf(['type=agent', 'capabilities=llm,tools', 'version=1.2.0'])).toEqual({
      nodeId: 'agent-01',
      type: 'agent',
      address: '192.168.1.7:7443',
      capabilities: ['llm', 'tools'],
      version: '1.2.0',
      via: 'mdns',
    });
  });

  it('may leave out capabilities and version, and write its keys as it likes (#24)', () => {
    expect(candidateOf(['TYPE=agent'])).toMatchObject({ type: 'agent', capabilities: [] });
    expect(candidateOf(['type=agent', 'capabilities='])).toMatchObject({ capabilities: [] });
    expect(candidateOf(['type=agent', 'capabilities= llm ,,llm, tools '])).toMatchObject({
      capabilities: ['llm', 'tools'],
    });
    expect(candidateOf(['type=agent', 'type=channel', 'extra=1', '=', 'flag'])).toMatchObject({ type: 'agent' });
  });

  it.each<{ what: string; fields: string[]; port?: number | string }>([
    { what: 'no type (#24)', fields: ['capabilities=llm'] },
    { what: 'a type that is none (#24)', fields: ['type=emperor'] },
    { what: 'a capability that is none', fields: ['type=agent', 'capabilities=l l m'] },
    {
      what: 'too many capabilities',
      fields: ['type=agent', `capabilities=${Array.from({ length: 65 }, (_, n) => `c${n}`)}`],
    },
    { what: 'a version that would move a cursor', fields: ['type=agent', 'version=\u001b[2J'] },
    { what: 'port 0', fields: ['type=agent'], port: 0 },
    { what: 'a port that is a string', fields: ['type=agent'], port: '7443' },
  ])('with $what is malformed, and nothing worse', ({ fields, port = 7_443 }) => {
    expect(readAdverts(packet(fields, port), '192.168.1.7')).toEqual([
      { type: 'malformed', why: expect.stringMatching(/\S{3}/) },
    ]);
  });

  it('without service record, of another service, or for a part of ours is no candidate', () => {
    const pointer = (data: unknown): DnsRecord => ({ name: SERVICE_NAME, type: 'PTR', ttl: 9, data });
    expect(readAdverts({ answers: [pointer(NAME)] }, '127.0.0.1')[0]?.type).toBe('malformed');
    expect(readAdverts({ answers: [pointer('x._http._tcp.local')] }, '127.0.0.1')[0]?.type).toBe('malformed');
    expect(readAdverts({ answers: [pointer(7), { name: '_http._tcp.local', type: 'PTR', data: NAME }] }, '::')).toEqual(
      [],
    );
  });

  it('that says goodbye is taken as one', () => {
    const answers = [{ name: SERVICE_NAME, type: 'PTR', ttl: 0, data: NAME }];
    expect(readAdverts({ answers }, '127.0.0.1')).toEqual([{ type: 'down', nodeId: 'agent-01' }]);
  });

  it('can say anything at all without a throw', () => {
    const value = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.constant(null),
      fc.record({ port: fc.anything() }),
      fc.anything(),
    );
    const record = fc.record({
      name: fc.oneof(fc.constantFrom(SERVICE_NAME, NAME), fc.string()),
      type: fc.constantFrom('PTR', 'SRV', 'TXT', 'A', 'OPT'),
      ttl: fc.oneof(fc.nat(300), fc.constant(Number.NaN)),
      data: fc.oneof(
        fc.constant(NAME),
        value,
        fc.uint8Array().map((bytes) => [Buffer.from(bytes)]),
      ),
    });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 12 }), (answers) => {
        for (const advert of readAdverts({ answers }, '10.0.0.1')) expect(advert.type).toMatch(/^(up|down|malformed)$/);
      }),
      { verbose: fc.VerbosityLevel.Verbose },
    );
  });
});

describe('the records of an announcement', () => {
  const self: Self = { nodeId: 'gateway-01', type: 'gateway', capabilities: ['a', 'b'], version: '1.0' };
  const readBack = (nodeId: string) => {
    const [advert] = readAdverts({ answers: recordsOf({ ...self, nodeId }, '10.0.0.5', 7_443).records }, '10.0.0.5');
    return advert?.type === 'up' ? advert.candidate : null;
  };

  it('are read back as what was announced', () => {
    const { nodeId, type, capabilities, version } = self;
    expect(readBack(nodeId)).toEqual({ nodeId, type, capabilities, version, address: '10.0.0.5:7443', via: 'mdns' });
  });

  it('keep an id that is no DNS label', () => {
    expect(readBack('eu.west.1')?.nodeId).toBe('eu.west.1');
    expect(readBack('a'.repeat(64))?.nodeId).toBe('a'.repeat(64));
  });

  it('name one address, and no other of this machine (#25)', () => {
    const { records } = recordsOf(self, '10.0.0.5', 7_443);
    const addresses = records.filter(({ type }) => type === 'A' || type === 'AAAA').map(({ data }) => data);
    expect(addresses).toEqual(['10.0.0.5']);
  });

  it('fit into TXT, and say when they do not (#25)', () => {
    const capabilities = Array.from({ length: 64 }, (_, n) => `capability-${n}`);
    const { records, isWhole } = recordsOf({ ...self, capabilities }, '10.0.0.5', 7_443);
    const items = records.find(({ type }) => type === 'TXT')?.data as Buffer[];
    expect(Math.max(...items.map(({ length }) => length))).toBeLessThanOrEqual(255);
    expect(isWhole).toBe(false);
  });
});

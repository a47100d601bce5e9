/** Which gateways are asked for a peer that is not attached here, and what is made of their answers; the bus is played by the test. */
import { describe, expect, it } from 'vitest';
import type { Bus, NoteHandler } from '../../../../src/actors/gateway/cluster/bus.ts';
import { Exchange } from '../../../../src/actors/gateway/cluster/exchange.ts';
import { createSimulatedClock } from '../../../../src/actors/world/simulated-clock.ts';
import { createWorld } from '../../../../src/actors/world/world.ts';
import { type FailureCode, PincerError } from '../../../../src/protocol/failure.ts';
import type { Payload } from '../../../../src/protocol/message.ts';
import { bytesOf } from '../../../conformance/store-fixture.ts';

const LIMITS = { requestMs: 9_000, busReplyMs: 700 };
const note: Payload<'direct'> = { body: bytesOf('hello') };

/** An exchange among gateways that have peers. */
function sceneOf(has: Record<string, string[]>, limits: { nodesMax?: number } = {}) {
  const clock = createSimulatedClock();
  const world = createWorld({ clock, limits: { ...LIMITS, ...limits } }, { clock, random: () => 0.5, ids: () => 'id' });
  const handlers = new Map<string, NoteHandler>();
  const asked: string[] = [];
  const waits: number[] = [];
  const failing = new Map<string, FailureCode>();
  const others = new Set(Object.keys(has));
  const spread: unknown[] = [];
  const bus = {
    others,
    on: (kind: string, handler: NoteHandler) => void handlers.set(kind, handler),
    async ask(gateway: string, kind: string, { to }: { to: string }, timeoutMs: number) {
      asked.push(`${gateway} ${kind} ${to}`);
      waits.push(timeoutMs);
      const code = failing.get(gateway);
      if (code !== undefined) throw new PincerError(code, gateway);
      if (has[gateway]?.includes(to) !== true) throw new PincerError('NODE_UNKNOWN', gateway);
    },
    async askAll(kind: string, body: unknown, timeoutMs: number) {
      spread.push(kind, body);
      waits.push(timeoutMs);
      return [2, 'none', 3];
    },
  } as unknown as Bus;
  const delivered: unknown[][] = [];
  const exchange = new Exchange(world, {
    bus,
    peers: {
      deliver: async (from, to, payload) => void delivered.push([from, to, payload]),
      async spread(from, payload) {
        delivered.push([from, payload]);
        return 4;
      },
    },
  });
  const hear = (kind: string, body: object, from: string) => handlers.get(kind)?.(body, from);
  /** Whom a message to a peer is asked of, and what comes of it. */
  const send = async (to: string, payload = note): Promise<{ asked: string[]; failed?: string }> => {
    asked.length = 0;
    const failed = await exchange.direct('me', to, payload).then(
      () => undefined,
      (error: PincerError) => error.code,
    );
    const gateways = asked.map((each) => each.split(' ')[0] as string);
    return { asked: gateways, ...(failed === undefined ? {} : { failed }) };
  };
  return { exchange, has, others, failing, waits, delivered, spread, hear, send };
}

describe('a message to a peer of another gateway', () => {
  it('is asked of all at first, and then of the one that had it', async () => {
    const { send } = sceneOf({ b: [], c: ['peer'], d: [] });
    expect(await send('peer')).toEqual({ asked: ['b', 'c', 'd'] });
    expect(await send('peer')).toEqual({ asked: ['c'] });
  });

  it('is asked of all again when its peer has moved, or its gateway has gone', async () => {
    const { send, has, others } = sceneOf({ b: ['peer'], c: [], d: [] });
    await send('peer');
    has['b'] = [];
    has['c'] = ['peer'];
    expect((await send('peer')).asked).toEqual(['b', 'b', 'c', 'd']);
    expect(await send('peer')).toEqual({ asked: ['c'] });
    others.delete('c');
    has['d'] = ['peer'];
    expect(await send('peer')).toEqual({ asked: ['b', 'd'] });
    has['d'] = [];
    expect((await send('peer')).asked).toEqual(['d', 'b', 'd']);
    expect((await send('peer')).asked).toEqual(['b', 'd']);
  });

  it('fails as it failed where its peer was, and is asked of nobody else: it may have arrived', async () => {
    const { send, failing } = sceneOf({ b: ['peer'], c: [] });
    await send('peer');
    failing.set('b', 'TIMED_OUT');
    expect(await send('peer')).toEqual({ asked: ['b'], failed: 'TIMED_OUT' });
  });

  it('fails as where it was kept from its peer, and else because nobody has that', async () => {
    const { send, failing } = sceneOf({ b: [], c: [], d: [] });
    expect((await send('peer')).failed).toBe('NODE_UNKNOWN');
    expect((await send('peer')).asked).toEqual(['b', 'c', 'd']);
    failing.set('c', 'NODE_OFFLINE');
    expect((await send('peer')).failed).toBe('NODE_OFFLINE');
  });

  it('goes where its peer was heard of', async () => {
    const { send, hear } = sceneOf({ b: [], c: ['peer', 'other'], d: [] });
    await hear('direct', { from: 'peer', to: 'me', payload: note }, 'c');
    await hear('broadcast', { from: 'other', payload: note }, 'c');
    expect(await send('peer')).toEqual({ asked: ['c'] });
    expect(await send('other')).toEqual({ asked: ['c'] });
  });

  it('forgets first where the peers were that it has not heard of for longest', async () => {
    const { send, hear } = sceneOf({ b: ['1', '2', '3'], c: [] }, { nodesMax: 2 });
    const heard = (from: string) => hear('direct', { from, to: 'me', payload: note }, 'b');
    for (const from of ['1', '2', '2']) await heard(from);
    expect([(await send('1')).asked, (await send('2')).asked]).toEqual([['b'], ['b']]);
    for (const from of ['1', '3']) await heard(from);
    expect([(await send('1')).asked, (await send('3')).asked, (await send('2')).asked]).toEqual([
      ['b'],
      ['b'],
      ['b', 'c'],
    ]);
  });

  it('that is reliable is waited for as long as a request', async () => {
    const { send, waits } = sceneOf({ b: ['peer'] });
    await send('peer');
    await send('peer', { ...note, reliable: true });
    expect(waits).toEqual([700, 9_000]);
  });
});

describe('what another gateway passes on', () => {
  it('reaches the peer it is for, or all, and what came of it is the answer', async () => {
    const { hear, delivered } = sceneOf({ b: [] });
    await hear('direct', { from: 'peer', to: 'me', payload: note }, 'b');
    expect(await hear('broadcast', { from: 'peer', payload: note }, 'b')).toBe(4);
    expect(delivered).toEqual([
      ['peer', 'me', note],
      ['peer', note],
    ]);
  });

  it('is refused if it is no such message', () => {
    const { hear, delivered } = sceneOf({ b: [] });
    expect(() => hear('direct', { from: 'peer', to: 'me', payload: { body: 1 } }, 'b')).toThrow();
    expect(delivered).toEqual([]);
  });
});

describe('a broadcast to the peers of other gateways', () => {
  it('tells how many had it, as far as they have answered', async () => {
    const { exchange, spread, waits } = sceneOf({ b: [], c: [] });
    expect(await exchange.broadcast('me', note)).toBe(5);
    expect(await exchange.broadcast('me', { ...note, reliable: true })).toBe(5);
    expect([spread.slice(0, 2), waits]).toEqual([
      ['broadcast', { from: 'me', payload: note }],
      [700, 9_000],
    ]);
  });

  it('is not needed while there is no other gateway', () => {
    expect([sceneOf({}).exchange.isAlone, sceneOf({ b: [] }).exchange.isAlone]).toEqual([true, false]);
  });
});

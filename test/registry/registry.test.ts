import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createRegistry, type RegistryServerOptions } from '../../src/registry/registry.ts';
import { createHandClock } from '../support/hand-clock.ts';
import { API_KEY, aRegistration, askerOf, startRegistry } from '../support/registry.ts';

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function start(options: Partial<RegistryServerOptions> = {}) {
  const clock = createHandClock();
  const started = await startRegistry({ clock, ...options });
  endings.push(started.close);
  const idsAt = async (query = ''): Promise<string[]> =>
    (await started.ask('GET', `/nodes${query}`)).json.nodes.map(({ id }: { id: string }) => id);
  return { ...started, clock, idsAt };
}

describe('a registry', () => {
  it('registers, lists by region and type, and forgets on request', async () => {
    const { ask, idsAt } = await start();
    const registered = await ask('POST', '/nodes', aRegistration('agent-01', { region: 'eu', maxTasks: 3 }));
    expect(registered).toMatchObject({ status: 201, json: { lease: expect.any(String), ttlMs: 30_000 } });
    await ask('POST', '/nodes', aRegistration('agent-02', { region: 'us' }));
    await ask('POST', '/nodes', aRegistration('gw', { region: 'eu', type: 'gateway', url: 'wss://gw:1' }));
    expect(await idsAt()).toEqual(['agent-01', 'agent-02', 'gw']);
    expect(await idsAt('?region=eu')).toEqual(['agent-01', 'gw']);
    expect(await idsAt('?region=eu&type=gateway')).toEqual(['gw']);
    expect((await ask('GET', '/nodes?region=eu')).json.nodes[0]).toEqual(
      aRegistration('agent-01', { region: 'eu', maxTasks: 3 }),
    );
    expect((await ask('DELETE', `/nodes/agent-01?lease=${registered.json.lease}`)).status).toBe(204);
    expect(await idsAt('?region=eu')).toEqual(['gw']);
  });

  it('forgets who sends no heartbeat, and tells them to register again', async () => {
    const { ask, idsAt, clock, registry } = await start({ ttlMs: 10_000 });
    await ask('POST', '/nodes', aRegistration('silent'));
    await ask('POST', '/nodes', aRegistration('alive'));
    clock.pass(9_000);
    expect(await ask('POST', '/nodes/alive/heartbeat')).toMatchObject({ status: 200, json: { ttlMs: 10_000 } });
    clock.pass(1_500);
    expect(await idsAt()).toEqual(['alive']);
    expect(await ask('POST', '/nodes/silent/heartbeat')).toMatchObject({ status: 404, json: { code: 'NODE_UNKNOWN' } });
    expect((await ask('DELETE', '/nodes/silent')).status).toBe(404);
    clock.pass(2_500);
    expect(registry.size).toBe(1);
  });

  it('tells the holder of an old lease that it is not theirs any more', async () => {
    const { ask, idsAt } = await start();
    const { lease } = (await ask('POST', '/nodes', aRegistration('agent-01'))).json;
    await ask('POST', '/nodes', aRegistration('agent-01', { address: '10.0.0.2:1' }));
    expect(await ask('POST', `/nodes/agent-01/heartbeat?lease=${lease}`)).toMatchObject({
      status: 409,
      json: { code: 'SUPERSEDED' },
    });
    expect((await ask('DELETE', `/nodes/agent-01?lease=${lease}`)).status).toBe(409);
    expect(await idsAt()).toEqual(['agent-01']);
  });

  it('gives pages that come to an end and leave nobody out', async () => {
    const { ask } = await start();
    for (let n = 0; n < 7; n += 1) await ask('POST', '/nodes', aRegistration(`n${n}`));
    const ids: string[] = [];
    let cursor = '';
    for (let pages = 0; pages < 10; pages += 1) {
      const { json } = await ask('GET', `/nodes?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
      ids.push(...json.nodes.map(({ id }: { id: string }) => id));
      if (json.cursor === undefined) break;
      cursor = json.cursor;
    }
    expect(ids).toEqual(['n0', 'n1', 'n2', 'n3', 'n4', 'n5', 'n6']);
  });

  it('answers nobody without the key', async () => {
    const { url, ask } = await start();
    for (const key of [null, 'wrong', `${API_KEY}x`, '']) {
      const answer = await askerOf(url, key)('GET', '/nodes');
      expect(answer).toMatchObject({ status: 401, json: { code: 'UNAUTHENTICATED' } });
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
      const isGiven = key !== null && key !== '';
      expect(answer.json.message).toBe(isGiven ? 'the key is not the registry’s' : 'the registry asks for a key');
      expect(answer.json.hint).toContain('--api-key-file');
    }
    expect((await ask('GET', '/nodes', undefined, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await askerOf(url, null)('POST', '/nodes', aRegistration('a'))).status).toBe(401);
    expect((await askerOf(url, null)('POST', '/nodes/a/heartbeat')).status).toBe(401);
    expect(await askerOf(url, null)('GET', '/livez')).toMatchObject({ status: 200, json: 'ok\n' });
  });

  it.each<readonly [string, unknown, number, RegExp]>([
    ['no JSON', '{', 400, /not JSON/],
    ['an id that is none', aRegistration('a b'), 400, /body\.id/],
    ['an unknown field', aRegistration('a', { admin: true }), 400, /admin/],
    ['an unknown type', aRegistration('a', { type: 'emperor' }), 400, /body\.type/],
    ['a URL to dial that is none', aRegistration('a', { url: 'https://x' }), 400, /body\.url/],
    ['too many capabilities', aRegistration('a', { capabilities: Array(65).fill('x') }), 400, /body\.capabilities/],
    ['too large a body', aRegistration('a', { version: 'x'.repeat(20_000) }), 413, /at most 16384 bytes/],
  ])('refuses %s', async (_what, body, status, message) => {
    const { ask, idsAt } = await start();
    expect(await ask('POST', '/nodes', body)).toMatchObject({
      status,
      json: { message: expect.stringMatching(message) },
    });
    expect(await idsAt()).toEqual([]);
  });

  it('refuses a body of another kind, a wrong query, and what is not there', async () => {
    const { ask } = await start();
    expect((await ask('POST', '/nodes', '{}', { 'content-type': 'text/plain' })).status).toBe(415);
    for (const path of ['/nodes?limit=0', '/nodes?limit=1e9', '/nodes?type=x', '/nodes?region=a%20b', '/nodes?x=1'])
      expect((await ask('GET', path)).status, path).toBe(400);
    expect((await ask('POST', '/nodes/a%20b/heartbeat')).status).toBe(400);
    expect((await ask('GET', '/nope')).status).toBe(404);
    expect((await ask('PUT', '/nodes', {})).status).toBe(404);
    // A body where none belongs is neither read nor in the way.
    expect((await ask('POST', '/nodes/a/heartbeat', 'x'.repeat(100_000))).status).toBe(404);
  });

  it('takes a bounded number of nodes', async () => {
    const { ask, clock } = await start({ limits: { registryNodesMax: 2 }, ttlMs: 10_000 });
    await ask('POST', '/nodes', aRegistration('a'));
    await ask('POST', '/nodes', aRegistration('b'));
    const refused = await ask('POST', '/nodes', aRegistration('c'));
    expect(refused).toMatchObject({ status: 429, json: { code: 'RATE_EXCEEDED' } });
    expect(refused.headers.get('retry-after')).toBe('10');
    expect((await ask('POST', '/nodes', aRegistration('a'))).status).toBe(201);
    clock.pass(10_000);
    expect((await ask('POST', '/nodes', aRegistration('c'))).status).toBe(201);
  });

  it('slows down who asks too much; who guesses keys does not slow down who has one', async () => {
    const clock = createHandClock({ isStill: true });
    const { ask, url } = await start({ clock, limits: { registryRequestsPerSecondMax: 100 } });
    const guess = askerOf(url, 'guess');
    const statuses = async (asker: typeof ask, count: number): Promise<number[]> => {
      const found: number[] = [];
      for (let n = 0; n < count; n += 1) found.push((await asker('GET', '/nodes')).status);
      return found;
    };
    expect(await statuses(guess, 40)).toContain(429);
    expect(await statuses(ask, 20)).not.toContain(429);
    const many = await Promise.all(Array.from({ length: 200 }, () => ask('GET', '/nodes')));
    const refused = many.find(({ status }) => status === 429);
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    clock.pass(2_000);
    expect(await statuses(ask, 5)).not.toContain(429);
  });

  it('describes itself, in the words of its own schemas', async () => {
    const { url } = await start({ version: '1.2.3' });
    const { json } = await askerOf(url, null)('GET', '/openapi.json');
    expect(json).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } });
    expect(Object.keys(json.paths)).toEqual(['/nodes', '/nodes/{id}/heartbeat', '/nodes/{id}', '/livez']);
    expect(json.components.schemas.Registration).toMatchObject({
      required: ['id', 'type', 'capabilities'],
      additionalProperties: false,
      properties: { maxTasks: { minimum: 0, maximum: 10_000 }, type: { enum: ['gateway', 'agent', 'channel'] } },
    });
    // Whatever is referred to is there.
    const names = [...JSON.stringify(json).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name ?? '');
    expect(names.length).toBeGreaterThan(5);
    for (const name of names) expect(Object.keys(json.components.schemas)).toContain(name);
  });

  it('does not wait for whoever sends a request that never ends', async () => {
    const { url, registry } = await start({ limits: { closeMs: 50 }, clock: createHandClock() });
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
    socket.write('POST /nodes HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{');
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    expect(registry.size).toBe(0);
    socket.destroy();
    await registry.close();
  });

  it.each<readonly [string, Partial<RegistryServerOptions>, RegExp]>([
    ['an address that is none', { listen: 'here' }, /listen is 'here'/],
    ['a key with a space', { apiKey: 'a b' }, /printable ASCII/],
    ['a short key for other machines', { listen: '0.0.0.0:0', apiKey: 'short' }, /a key of at least 16 characters/],
    ['a TTL below a second', { ttlMs: 10 }, /ttlMs is 10/],
    [
      'an address of another machine',
      { listen: '203.0.113.1:0' },
      /cannot listen on 203\.0\.113\.1:0 \(EADDRNOTAVAIL\)/,
    ],
  ])('does not start with %s', async (_what, options, message) => {
    await expect(createRegistry({ apiKey: API_KEY, ...options })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(message),
    });
  });
});

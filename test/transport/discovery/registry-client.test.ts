import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createDiscovery, type DiscoveryNews } from '../../../src/actors/discovery/discovery.ts';
import { createWorld } from '../../../src/actors/world/world.ts';
import type { Limits } from '../../../src/protocol/limits.ts';
import { registryNodes } from '../../../src/transport/discovery/registry-client.ts';
import type { Self } from '../../../src/transport/discovery/source.ts';
import { discoveryConformance } from '../../conformance/discovery.ts';
import { createHandClock } from '../../support/hand-clock.ts';
import { API_KEY, aRegistration, startRegistry } from '../../support/registry.ts';

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

discoveryConformance('a registry', async () => {
  const { ask, close } = await startRegistry();
  let fault: 'none' | 'down' | 'nonsense' = 'none';
  const front = await aServer(async (request, response) => {
    if (fault === 'down') return void response.writeHead(503).end('{}');
    if (fault === 'nonsense' && request.method === 'GET') return void response.end('{"nodes":[{"id":7}]}');
    const path = request.url ?? '';
    const answer = await ask(request.method ?? '', path, request.method === 'POST' ? await textOf(request) : undefined);
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.json));
  });
  let offered: string[] = [];
  return {
    source: registryNodes(front, { apiKey: API_KEY }),
    async offer(announced) {
      fault = 'none';
      const ids = announced.map(({ nodeId }) => nodeId);
      for (const id of offered) if (!ids.includes(id)) await ask('DELETE', `/nodes/${id}`);
      for (const { nodeId, address, capabilities = [] } of announced) {
        await ask('POST', '/nodes', aRegistration(nodeId, { address, capabilities }));
      }
      offered = ids;
    },
    async spoil() {
      fault = 'nonsense';
    },
    async break() {
      fault = 'down';
    },
    async mend() {
      fault = 'none';
    },
    close,
  };
});

const gateway: Self = {
  nodeId: 'gateway-01',
  type: 'gateway',
  address: '10.0.0.9:7443',
  url: 'wss://gateway.example:7443',
  capabilities: [],
  version: '1.0',
};

describe('a client of the registry', () => {
  it('registers, keeps its lease, registers again when it was lost, and takes leave (#27)', async () => {
    const { ask, url } = await aRegistry({ ttlMs: 3_000 });
    const { discovery, clock } = watch(url, { self: gateway, region: 'eu' });
    await expect.poll(async () => (await ask('GET', '/nodes?region=eu')).json.nodes).toHaveLength(1);
    expect((await ask('GET', '/nodes')).json.nodes[0]).toEqual({
      id: 'gateway-01',
      type: 'gateway',
      address: '10.0.0.9:7443',
      url: 'wss://gateway.example:7443',
      capabilities: [],
      version: '1.0',
      region: 'eu',
    });
    expect(discovery.candidates).toEqual([]);

    await ask('DELETE', '/nodes/gateway-01');
    await expect
      .poll(async () => {
        clock.pass(500);
        return (await ask('GET', '/nodes')).json.nodes.length;
      })
      .toBe(1);
    await discovery.stop();
    expect((await ask('GET', '/nodes')).json.nodes).toEqual([]);
  });

  it('asks for a region and a type, page by page', async () => {
    const { ask, url } = await aRegistry({ limits: { registryPageMax: 2 } });
    for (let n = 0; n < 5; n += 1) await ask('POST', '/nodes', aRegistration(`eu-${n}`, { region: 'eu' }));
    await ask('POST', '/nodes', aRegistration('us-1', { region: 'us' }));
    await ask('POST', '/nodes', aRegistration('gw-1', { region: 'eu', type: 'gateway', url: 'wss://g:1' }));
    const { discovery } = watch(url, { region: 'eu', type: 'agent', limits: { registryPageMax: 2 } });
    await expect
      .poll(() => discovery.candidates.map(({ nodeId }) => nodeId))
      .toEqual(['eu-0', 'eu-1', 'eu-2', 'eu-3', 'eu-4']);
  });

  it('asks for pages that fit into an answer, however much each node says of itself', async () => {
    const limits = { registryAnswerBytesMax: 20_000, registryBodyBytesMax: 4_000 };
    const { ask, url } = await aRegistry({ limits });
    const capabilities = Array.from({ length: 50 }, (_, n) => `${'c'.repeat(60)}-${n}`);
    for (let n = 0; n < 12; n += 1) await ask('POST', '/nodes', aRegistration(`node-${10 + n}`, { capabilities }));
    const { discovery } = watch(url, { limits });
    await expect.poll(() => [discovery.candidates.length, discovery.reason]).toEqual([12, null]);
  });

  it.each<readonly [string, (response: ServerResponse) => void, RegExp]>([
    ['an error status', (response) => response.writeHead(500).end(), /was answered 500/],
    [
      'a refused key',
      (response) => response.writeHead(401).end('{"code":"UNAUTHENTICATED","message":"no\\u001b[2J"}'),
      /401: no\uFFFD/,
    ],
    ['a redirect', (response) => response.writeHead(301, { location: '/' }).end(), /leads elsewhere \(301\)/],
    ['no JSON', (response) => response.end('<html>'), /answer is not valid/],
    ['a node without id', (response) => response.end('{"nodes":[{"type":"agent","capabilities":[]}]}'), /nodes\.0\.id/],
    ['pages without end', (response) => response.end('{"nodes":[],"cursor":"a"}'), /do not come to an end/],
    ['too much', (response) => response.end(`{"nodes":[${' '.repeat(1_100_000)}]}`), /larger than 1048576 bytes/],
    ['a cut connection', (response) => response.destroy(), /does not answer/],
  ])('is degraded by %s, with the reason (#27)', async (_what, answer, message) => {
    const url = await aServer((_request, response) => answer(response));
    const { discovery } = watch(url);
    await expect.poll(() => discovery.state).toBe('degraded');
    expect(discovery.reason?.message).toMatch(message);
    expect(discovery.reason?.message).not.toContain(API_KEY);
    expect(discovery.candidates).toEqual([]);
  });

  it('waits longer with each failure before it tries again', async () => {
    let asked = 0;
    const url = await aServer((_request, response) => {
      asked += 1;
      response.writeHead(503).end();
    });
    const { discovery, clock } = watch(url);
    // With random at a half, the waits are 500, 1 000, 2 000 … ms: none of them shorter than the one before.
    for (const waitMs of [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      await expect.poll(() => discovery.state).toBe('degraded');
      const before = asked;
      clock.pass(waitMs * 0.9 - 50);
      expect(discovery.state).toBe('degraded');
      clock.pass(waitMs * 0.1 + 51);
      await expect.poll(() => asked).toBe(before + 1);
    }
  });

  it('gives up on a registry that does not answer within 5 s', async () => {
    let asked = 0;
    const url = await aServer(() => {
      asked += 1;
    });
    const { discovery, clock } = watch(url);
    await expect.poll(() => asked).toBe(1);
    clock.pass(5_000);
    await expect.poll(() => discovery.state).toBe('degraded');
    expect(discovery.reason).toMatchObject({ code: 'TIMED_OUT', message: expect.stringMatching(/within 5000 ms/) });
  });

  it.each(['http://registry.example', 'https://169.254.169.254', 'http://2130706433', 'ws://127.0.0.1:1'])(
    'refuses %s at once',
    (url) => {
      expect(() => registryNodes(url, { apiKey: API_KEY })).toThrow(
        expect.objectContaining({ code: 'ADDRESS_REFUSED' }),
      );
    },
  );

  it('refuses a region that is none, which a registry would answer 400 for ever', () => {
    expect(() => registryNodes('http://127.0.0.1:1', { apiKey: API_KEY, region: 'the attic' })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining("'the attic'") }),
    );
  });
});

async function aRegistry(options: Parameters<typeof startRegistry>[0]) {
  const started = await startRegistry(options);
  endings.push(started.close);
  return started;
}

function watch(url: string, options: { self?: Self; region?: string; type?: 'agent'; limits?: Partial<Limits> } = {}) {
  const { self = null, limits = {}, ...more } = options;
  const clock = createHandClock();
  const world = createWorld({ limits }, { clock, random: () => 0.5, ids: () => 'an-id' });
  const news: DiscoveryNews[] = [];
  const source = registryNodes(url, { apiKey: API_KEY, ...more });
  const discovery = createDiscovery(world, { source, self: () => self, onNews: (one) => news.push(one) });
  endings.push(() => discovery.stop());
  discovery.start();
  return { discovery, clock, news };
}

async function aServer(listener: (request: IncomingMessage, response: ServerResponse) => unknown): Promise<string> {
  const server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endings.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

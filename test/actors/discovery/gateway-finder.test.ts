/** Gateways that are found: real gateways and real forgers on loopback, a source that a test speaks for. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { findGateways, type GatewayFinder } from '../../../src/actors/discovery/gateway-finder.ts';
import { createGateway } from '../../../src/actors/gateway/gateway.ts';
import { createNode } from '../../../src/actors/node/node.ts';
import type { PincerError } from '../../../src/protocol/failure.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import type { Payload } from '../../../src/protocol/message.ts';
import { encodeFrame } from '../../../src/transport/codec.ts';
import { type MemoryNodes, memoryNodes } from '../../../src/transport/discovery/memory.ts';
import { staticNodes } from '../../../src/transport/discovery/static.ts';

const limits = { discoveryDialMs: 5_000, discoveryRetryMinMs: 20, discoveryRetryMaxMs: 100, handshakeMs: 1_000 };

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function finder(source: MemoryNodes, options: { token?: string; trust?: readonly string[] } = {}): GatewayFinder {
  const made = findGateways({ sources: [source], limits, ...options });
  closing.push(() => made.stop());
  return made;
}

function announce(source: MemoryNodes, nodeId: string, url: string): void {
  source.announce({ nodeId, type: 'gateway', url, capabilities: [], via: 'memory' });
}

/** A server that answers an upgrade as it likes; counts who asked, and what they showed. */
async function forger(answer: (server: Server) => void): Promise<{ url: string; shown: (string | undefined)[] }> {
  const server = createServer();
  const shown: (string | undefined)[] = [];
  server.prependListener('upgrade', (request) => shown.push(request.headers.authorization));
  answer(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(resolve);
      }),
  );
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, shown };
}

const refuses = (server: Server): void => {
  server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n'));
};

/** Takes the link, and says that nobody may ever come back. */
const rejectsForGood = (server: Server): void => {
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    const payload = { code: 'EVICTED', message: 'go away', retryAfterMs: 3_600_000 };
    socket.once('message', () => socket.send(encodeFrame([{ type: 'reject', payload }])));
  });
};

/** Welcomes whoever comes, and hangs up. */
const keepsNobody = (server: Server): void => {
  const welcome: Payload<'welcome'> = {
    ...{ protocol: 1, gatewayId: 'gw', session: 's', resumed: false, received: 0, capabilities: [], drop: [] },
    policy: {
      ...{ heartbeatMs: 10_000, offlineAfterMs: 30_000, resumeWindowMs: 3_000 },
      ...{ frameBytesMax: defaultLimits.frameBytesMax, payloadBytesMax: defaultLimits.payloadBytesMax },
    },
  };
  new WebSocketServer({ server }).on('connection', (socket) =>
    socket.once('message', () => {
      socket.send(encodeFrame([{ type: 'welcome', payload: welcome }]));
      socket.close(1001);
    }),
  );
};

const saysNothing = (server: Server): void => {
  new WebSocketServer({ server }).on('connection', (socket) => socket.on('message', () => {}));
};

describe('a node that finds its gateway', () => {
  it('joins the one that is announced, also if that comes later, and again where it has moved to', async () => {
    const source = memoryNodes();
    const { dial } = finder(source);
    const joining = createNode({ join: dial, id: 'n1' });
    const first = await createGateway({ id: 'gw-1' });
    announce(source, 'gw-1', first.url);
    const node = await joining;
    closing.push(() => node.stop());
    await first.stop();
    const second = await createGateway({ id: 'gw-2' });
    closing.push(() => second.stop());
    source.withdraw('gw-1');
    announce(source, 'gw-2', second.url);
    await using client = second.client();
    await expect
      .poll(async () => (await client.nodes()).map(({ nodeId }) => nodeId), { timeout: 10_000 })
      .toEqual(['n1']);
  });

  it.each([
    ['refuses the link as if the token were wrong', refuses],
    ['rejects the node for good', rejectsForGood],
    ['never says a word', saysNothing],
  ])('goes on to the next when one %s', async (_, answer) => {
    const forged = await forger(answer);
    await using gateway = await createGateway();
    const source = memoryNodes();
    announce(source, 'forged', forged.url);
    announce(source, 'real', gateway.url);
    const { dial } = finder(source);
    await using node = await createNode({ join: dial, limits });
    expect(node.status).toBe('online');
    expect(forged.shown).toHaveLength(1);
  });

  it('goes on to the next when one does not keep whom it welcomes', async () => {
    const forged = await forger(keepsNobody);
    await using gateway = await createGateway();
    const source = memoryNodes();
    announce(source, 'forged', forged.url);
    announce(source, 'real', gateway.url);
    await using _node = await createNode({ join: finder(source).dial, id: 'n1', limits });
    await using client = gateway.client();
    await expect.poll(async () => (await client.nodes()).map(({ nodeId }) => nodeId)).toEqual(['n1']);
    expect(forged.shown).toHaveLength(1);
  });

  it('dials nobody who only announces itself, if it has a token that would be given away', async () => {
    const forged = await forger(refuses);
    await using gateway = await createGateway({ token: 'sesame' });
    const source = memoryNodes();
    announce(source, 'forged', forged.url);
    announce(source, 'real', gateway.url);
    const found = finder(source, { token: 'sesame', trust: [new URL(gateway.url).host] });
    await using _node = await createNode({ join: found.dial });
    expect(forged.shown).toEqual([]);
    expect(found.candidates).toMatchObject([
      { nodeId: 'forged', via: 'memory', refusal: expect.stringContaining('would be given the token') },
      { nodeId: 'real', refusal: null },
    ]);
  });

  it('finds it behind however many that are no gateways', async () => {
    await using gateway = await createGateway();
    const source = memoryNodes();
    for (let n = 0; n < defaultLimits.discoveryCandidatesMax; n += 1) {
      source.announce({
        nodeId: `agent-${n}`,
        type: 'agent',
        address: `10.0.0.1:${n + 1}`,
        capabilities: [],
        via: 'memory',
      });
    }
    announce(source, 'real', gateway.url);
    await using node = await createNode({ join: finder(source).dial, limits });
    expect(node.status).toBe('online');
  });

  it('says whom it found and why it dials none of them', async () => {
    const source = memoryNodes();
    announce(source, 'neighbour', 'ws://192.168.1.66:7443');
    const { dial } = findGateways({ sources: [source], limits: { ...limits, discoveryDialMs: 20 } });
    await expect(dial(new AbortController().signal)).rejects.toMatchObject({
      code: 'GATEWAY_UNREACHABLE',
      message: expect.stringMatching(/found by memory; ws:\/\/192.168.1.66:7443 was, but anybody on the network can/),
    });
  });

  it('names the fault of a source that cannot see', async () => {
    const found = findGateways({
      sources: [staticNodes('no-such-nodes.json')],
      limits: { ...limits, discoveryDialMs: 20 },
    });
    closing.push(() => found.stop());
    const said = (): Promise<unknown> =>
      found.dial(new AbortController().signal).catch(({ message }: PincerError) => message);
    // A dial may be over before the file has been looked for.
    await expect.poll(said).toContain('no-such-nodes.json cannot be read');
  });

  it('gives up when it is told to, and when its finder is stopped', async () => {
    const found = findGateways({ sources: [memoryNodes()] });
    const abort = new AbortController();
    const dialled = found.dial(abort.signal);
    abort.abort();
    await expect(dialled).rejects.toMatchObject({ code: 'STOPPED' });
    const other = found.dial(new AbortController().signal);
    await found.stop();
    await expect(other).rejects.toMatchObject({ code: 'STOPPED' });
  });

  it('needs a source', () => {
    expect(() => findGateways({ sources: [] })).toThrow('no source is named');
  });
});

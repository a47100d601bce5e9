import { createSocket } from 'node:dgram';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { createDiscovery, type DiscoveryNews } from '../../../src/actors/discovery/discovery.ts';
import { realPorts } from '../../../src/actors/world/real-ports.ts';
import { createWorld } from '../../../src/actors/world/world.ts';
import type { Limits } from '../../../src/protocol/limits.ts';
import { mdnsNodes } from '../../../src/transport/discovery/mdns.ts';
import { recordsOf } from '../../../src/transport/discovery/mdns-adverts.ts';
import { type MdnsSocket, openMdnsSocket } from '../../../src/transport/discovery/mdns-socket.ts';
import type { Self } from '../../../src/transport/discovery/source.ts';
import { type Announced, discoveryConformance } from '../../conformance/discovery.ts';
import { advertOf, explainMissingMulticast, hasMulticast, openForger, responseOf } from '../../support/dns.ts';

/** A port of this file’s own: what else is on the network does not concern it. */
const PORT = 42_000 + (process.pid % 10_000);
const isPossible = await hasMulticast(PORT);
const networkInterfaces = os.networkInterfaces;

const endings: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

it('multicast works on this machine', () => explainMissingMulticast(isPossible));

/** Somebody else on the network who announces nodes, and answers questions for them. */
function advertisers() {
  const open = new Map<string, { socket: MdnsSocket; announced: string; withdraw(): Promise<void> }>();
  const advertise = async ({ nodeId, address, capabilities = [] }: Announced): Promise<void> => {
    const port = Number(address.split(':')[1]);
    const { records } = recordsOf({ nodeId, type: 'agent', capabilities, version: '1' }, '127.0.0.1', port);
    const socket =
      open.get(nodeId)?.socket ??
      (await new Promise<MdnsSocket>((resolve) => {
        const opened = openMdnsSocket({
          address: '127.0.0.1',
          port: PORT,
          admit: () => true,
          onReady: () => resolve(opened),
          onResponse: () => {},
          onQuestion: () => {},
          onDropped: () => {},
          onFault: () => {},
        });
      }));
    socket.announce(records);
    open.set(nodeId, { socket, announced: JSON.stringify(capabilities), withdraw: () => socket.withdraw(records) });
  };
  return {
    async offer(announced: readonly Announced[]) {
      for (const [nodeId, { socket, withdraw }] of [...open]) {
        if (announced.some((one) => one.nodeId === nodeId)) continue;
        open.delete(nodeId);
        await withdraw();
        await socket.close();
      }
      for (const one of announced) {
        if (open.get(one.nodeId)?.announced !== JSON.stringify(one.capabilities ?? [])) await advertise(one);
      }
    },
    async close() {
      for (const { socket } of open.values()) await socket.close();
    },
  };
}

if (isPossible) {
  discoveryConformance('a local network', async () => {
    const others = advertisers();
    return {
      source: mdnsNodes({ port: PORT }),
      stepMs: 100,
      offer: others.offer,
      async spoil() {
        const forger = await openForger(PORT);
        const noise = [Buffer.alloc(0), Buffer.from('nonsense'), Buffer.alloc(9_000, 0xff), Buffer.alloc(12, 0xc0)];
        for (const packet of noise) await forger.send(packet);
        await forger.send(responseOf(advertOf('agent-66', { txt: ['type=emperor'] })));
        await forger.close();
      },
      async break() {
        os.networkInterfaces = () => ({});
        syncBuiltinESMExports();
      },
      async mend() {
        os.networkInterfaces = networkInterfaces;
        syncBuiltinESMExports();
      },
      async close() {
        os.networkInterfaces = networkInterfaces;
        syncBuiltinESMExports();
        await others.close();
      },
    };
  });

  describe('the local network as a source', () => {
    it('hears who announces themselves, by the address they send from (#25)', async () => {
      const { discovery } = watch();
      await expect.poll(() => discovery.state).toBe('watching');
      const forger = await aForger();
      await forger.send(responseOf(advertOf('agent-01', { target: 'metadata.local', port: 80 })));
      await expect.poll(() => discovery.candidates).toHaveLength(1);
      expect(discovery.candidates[0]).toEqual({
        nodeId: 'agent-01',
        type: 'agent',
        address: '127.0.0.1:80',
        capabilities: ['llm'],
        version: '1',
        via: 'mdns',
      });
    });

    it('lets nobody take another’s advert back, or its place', async () => {
      const { discovery, news } = watch();
      await expect.poll(() => discovery.state).toBe('watching');
      const [honest, other] = [await aForger('127.0.0.1'), await aForger('127.0.0.2')];
      await honest.send(responseOf(advertOf('agent-01')));
      await expect.poll(() => discovery.candidates).toHaveLength(1);
      await other.send(responseOf(advertOf('agent-01', { ttl: 0 })));
      await other.send(responseOf(advertOf('agent-01', { txt: ['type=gateway'] })));
      await expect.poll(() => discovery.candidates).toHaveLength(2);
      expect(discovery.candidates[0]).toMatchObject({ address: '127.0.0.1:7443', type: 'agent' });
      expect(discovery.candidates[1]).toMatchObject({ address: '127.0.0.2:7443', type: 'gateway' });
      expect(news.some(({ type }) => type === 'down')).toBe(false);
      await honest.send(responseOf(advertOf('agent-01', { ttl: 0 })));
      await expect.poll(() => discovery.candidates).toHaveLength(1);
      expect(discovery.candidates[0]?.address).toBe('127.0.0.2:7443');
    });

    it('announces one address, and says goodbye when it is stopped (#25)', async () => {
      const { discovery } = watch();
      const { discovery: gateway } = watch(
        {},
        { nodeId: 'gw.1', type: 'gateway', address: '0.0.0.0:7443', capabilities: [] },
      );
      await expect.poll(() => discovery.candidates).toHaveLength(1);
      expect(discovery.candidates[0]).toMatchObject({ nodeId: 'gw.1', type: 'gateway', address: '127.0.0.1:7443' });
      await gateway.stop();
      await expect.poll(() => discovery.candidates).toEqual([]);
    });

    it('is bounded whatever five thousand forged adverts say (#23, #24)', async () => {
      const { discovery, news } = watch({ discoveryPacketsPerSecondMax: 100_000 });
      await expect.poll(() => discovery.state).toBe('watching');
      const forger = await aForger();
      for (let n = 0; n < 5_000; n += 5) {
        const ids = Array.from({ length: 5 }, (_, k) => `forged-${n + k}`);
        await forger.send(responseOf(ids.flatMap((nodeId) => advertOf(nodeId))));
      }
      await expect.poll(() => discovery.dropped).toBeGreaterThan(100);
      await expect.poll(() => discovery.candidates).toHaveLength(64);
      expect(news.filter(({ type }) => type === 'up')).toHaveLength(64);
      expect(discovery.state).toBe('watching');
    });

    it('reads no more packets than it may, and answers again after a flood', async () => {
      const { discovery, news } = watch({ discoveryPacketsPerSecondMax: 5 });
      await expect.poll(() => discovery.state).toBe('watching');
      const forger = await aForger();
      // By what is dropped, not by a number of packets: a busy machine may take long to send them.
      for (let n = 0; discovery.dropped <= 300; n += 1) {
        await forger.send(responseOf(advertOf(`flood-${n % 3}`, { port: 1_000 + (n % 60_000) })));
        // The kernel drops what is not fetched: this is about what is.
        if (n % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      expect(discovery.candidates.length).toBeLessThan(100);
      expect(news.length).toBeLessThan(120);
      await expect
        .poll(async () => {
          await forger.send(responseOf(advertOf('agent-01')));
          return discovery.candidates.map(({ nodeId }) => nodeId);
        })
        .toContain('agent-01');
    });

    it('tells of one that flaps no more often than it may', async () => {
      const { discovery, news } = watch({ discoveryCandidatesMax: 4, discoveryChangesPerSecondMax: 2 });
      await expect.poll(() => discovery.state).toBe('watching');
      const forger = await aForger();
      const startedAt = performance.now();
      while (performance.now() < startedAt + 2_000) {
        await forger.send(responseOf(advertOf('agent-01')));
        await new Promise((resolve) => setTimeout(resolve, 120));
        await forger.send(responseOf(advertOf('agent-01', { ttl: 0 })));
        await new Promise((resolve) => setTimeout(resolve, 120));
      }
      const changes = news.filter(({ type }) => type !== 'state').length;
      expect(changes).toBeGreaterThan(1);
      const seconds = (performance.now() - startedAt) / 1_000;
      expect(changes).toBeLessThanOrEqual(4 + 2 * (seconds + 0.5));
    });

    it('is degraded while its port belongs to somebody else, and recovers (#26)', async () => {
      const greedy = createSocket({ type: 'udp4', reuseAddr: false });
      await new Promise<void>((resolve) => greedy.bind(PORT, '0.0.0.0', resolve));
      const { discovery } = watch({ discoveryRetryMinMs: 50, discoveryRetryMaxMs: 50 });
      await expect.poll(() => discovery.state).toBe('degraded');
      expect(discovery.reason).toMatchObject({
        code: 'DISCOVERY_FAILED',
        message: expect.stringMatching(/EADDRINUSE/),
      });
      await new Promise<void>((resolve) => greedy.close(() => resolve()));
      await expect.poll(() => discovery.state).toBe('watching');
    });
  });
}

describe('an interface that this machine does not have', () => {
  it('is a reason to be degraded, not to fail (#26)', async () => {
    const { discovery } = watch({}, null, '203.0.113.7');
    await expect.poll(() => discovery.state).toBe('degraded');
    expect(discovery.reason?.message).toMatch(/no interface with the address 203\.0\.113\.7/);
  });
});

function watch(limits: Partial<Limits> = {}, self: Self | null = null, address = '127.0.0.1') {
  const world = createWorld({ limits }, realPorts());
  const news: DiscoveryNews[] = [];
  const source = mdnsNodes({ port: PORT, interface: address });
  const discovery = createDiscovery(world, { source, self: () => self, onNews: (one) => news.push(one) });
  endings.push(async () => {
    await discovery.stop();
    world.deadlines.stop();
  });
  discovery.start();
  return { discovery, news };
}

async function aForger(address?: string) {
  const forger = await openForger(PORT, address);
  endings.push(() => forger.close());
  return forger;
}

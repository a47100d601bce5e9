import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { discover } from '../../../src/actors/discovery/discover.ts';
import { createDiscovery } from '../../../src/actors/discovery/discovery.ts';
import { realPorts } from '../../../src/actors/world/real-ports.ts';
import { createWorld } from '../../../src/actors/world/world.ts';
import type { PincerError } from '../../../src/protocol/failure.ts';
import { memoryNodes } from '../../../src/transport/discovery/memory.ts';
import type { Candidate, DiscoverySource } from '../../../src/transport/discovery/source.ts';
import { discoveryConformance } from '../../conformance/discovery.ts';

discoveryConformance('a memory source', async () => {
  const source = memoryNodes();
  let offered = new Set<string>();
  return {
    source,
    async offer(announced) {
      const next = new Set(announced.map(({ nodeId }) => nodeId));
      for (const nodeId of offered) if (!next.has(nodeId)) source.withdraw(nodeId);
      source.withdraw('');
      for (const { nodeId, address, capabilities = [] } of announced) {
        source.announce({ nodeId, type: 'agent', address, capabilities: [...capabilities], via: 'memory' });
      }
      offered = next;
    },
    spoil: async () => source.announce({ nodeId: '', type: 'emperor' } as unknown as Candidate),
    break: async () => source.break('the memory is broken'),
    mend: async () => source.mend(),
    close: async () => {},
  };
});

describe('a candidate', () => {
  it('is named, and never dialled: an address that somebody supplied leads nowhere (#53)', async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const source = memoryNodes();
    source.announce({ nodeId: 'bait', type: 'agent', address, capabilities: [], via: 'memory' });
    source.announce({
      nodeId: 'trap',
      type: 'gateway',
      address,
      url: `ws://${address}`,
      capabilities: [],
      via: 'memory',
    });
    const discovery = discover(source);
    expect(discovery.candidates.map(({ nodeId }) => nodeId)).toEqual(['bait', 'trap']);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(connections).toBe(0);
    await discovery.stop();
    await new Promise((resolve) => server.close(resolve));
  });

  it('that comes from a source which throws, rejects or hangs costs nothing but the source (#26)', async () => {
    const world = createWorld({ limits: { closeMs: 20 } }, realPorts());
    const run = (stop: () => Promise<void>) => {
      const source: DiscoverySource = {
        kind: 'wild',
        start({ onCandidates, onFault, onDropped }) {
          onDropped('\u001b[2J');
          onCandidates(null as unknown as Candidate[]);
          onCandidates([{ nodeId: 'n1', type: 'agent', capabilities: [], via: 'wild' }, null as unknown as Candidate]);
          onFault('not an error' as unknown as PincerError);
          return { stop };
        },
      };
      const discovery = createDiscovery(world, {
        source,
        onNews: () => {
          throw new Error('the listener throws');
        },
      });
      discovery.start();
      return discovery;
    };
    for (const stop of [
      () => Promise.reject(new Error('no')),
      () => new Promise<void>(() => {}),
      () => {
        throw new Error('no');
      },
    ]) {
      const discovery = run(stop);
      expect(discovery.state).toBe('degraded');
      expect(discovery.candidates.map(({ nodeId }) => nodeId)).toEqual(['n1']);
      await expect(discovery.stop()).resolves.toBeUndefined();
    }
    world.deadlines.stop();
  });
});

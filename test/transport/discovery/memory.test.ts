import { memoryNodes } from '../../../src/transport/discovery/memory.ts';
import type { Candidate } from '../../../src/transport/discovery/source.ts';
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

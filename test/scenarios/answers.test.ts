/** What is asked of a gateway that has a great many nodes, or tasks that ask for a great deal. */
import { describe, expect, it } from 'vitest';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { createTestCluster } from '../../src/testing/cluster.ts';
import { MemoryPeer } from '../support/memory-peer.ts';

/** As many nodes as there may be, expected under long names: what is said of all of them does not fit into one frame. */
const nodes = Array.from({ length: defaultLimits.nodesMax }, (_, n) => ({
  nodeId: `${'node-'.repeat(10)}${String(n).padStart(4, '0')}`,
  type: 'agent' as const,
  address: `a-rather-long-name-of-a-host-in-some-datacentre-${n}.example.com:7443`,
  capabilities: ['llm', 'vision', 'search'],
  maxTasks: 4,
}));
const ids = nodes.map(({ nodeId }) => nodeId);

describe('a client of a gateway with thousands of nodes', () => {
  it('is told of all of them, and why none of them does a task', async () => {
    await using cluster = await createTestCluster({ gateway: { nodes } });
    const client = await cluster.client();
    expect((await cluster.until(client.nodes())).map(({ nodeId }) => nodeId)).toEqual(ids);
    expect((await cluster.until(client.nodes({ status: ['offline'] }))).length).toBe(nodes.length);
    expect(await cluster.until(client.nodes({ status: ['online'] }))).toEqual([]);
    const { taskId } = await cluster.until(client.submit('job').accepted());
    const why = await cluster.until(client.why(taskId));
    expect(why.nodes.map(({ nodeId }) => nodeId)).toEqual(ids);
    expect(why).not.toHaveProperty('cursor');
    expect(client.isConnected).toBe(true);
  });

  it('that asks for them without a page is given what there is room for, and a cursor', async () => {
    await using cluster = await createTestCluster({ gateway: { nodes } });
    const peer = await MemoryPeer.join(cluster, 'asker', { nodeType: 'client' });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const before = peer.of('answer').length;
      peer.say('query', { what: 'nodes', ...(cursor === undefined ? {} : { cursor }) });
      await cluster.until(() => peer.of('answer').length > before);
      const page = peer.last('answer') as { items: { nodeId: string }[]; cursor?: string };
      seen.push(...page.items.map(({ nodeId }) => nodeId));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(seen).toEqual(ids);
  });

  it('is refused a cursor that no list has given', async () => {
    await using cluster = await createTestCluster();
    const peer = await MemoryPeer.join(cluster, 'asker', { nodeType: 'client' });
    peer.say('query', { what: 'nodes', cursor: 'no id' });
    await cluster.settle();
    expect(peer.last('error')).toMatchObject({
      code: 'MESSAGE_INVALID',
      message: "cursor 'no id' is not one that a list of nodes gave",
    });
  });
});

describe('the counts of a gateway', () => {
  it('name a class of which nobody can do anything also where its name is long', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const needs = Array.from({ length: 64 }, (_, n) => `a-capability-that-nobody-has-${n}`);
    const labels = [{ zone: 'ä'.repeat(200) }, { zone: `${'ä'.repeat(200)}!` }];
    for (const more of [{ needs }, ...labels.map((each) => ({ labels: each }))]) {
      await cluster.until(client.submit('job', null, more).accepted());
    }
    const { starved } = await cluster.until(client.stats());
    expect(Object.entries(starved)).toEqual([
      [expect.stringMatching(/^job a-capability-that-nobody-has-0\+.*…$/), 1],
      [expect.stringMatching(/^job {2}\{"labels":\{"zone":"ä+…$/), 2],
    ]);
  });
});

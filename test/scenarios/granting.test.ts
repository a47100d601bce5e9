import { describe, expect, it } from 'vitest';
import { createGateway } from '../../src/actors/gateway/gateway.ts';
import { createTestCluster } from '../../src/testing/cluster.ts';
import { type ExpectedNode, parseNodesFile } from '../../src/transport/discovery/nodes-file.ts';

/** The specification’s own example. */
const NODES = parseNodesFile(
  JSON.stringify({
    nodes: [
      {
        id: 'agent-01',
        type: 'agent',
        address: '192.168.1.10:3000',
        capabilities: ['llm', 'tools', 'memory'],
        maxTasks: 5,
      },
      { id: 'agent-02', type: 'agent', address: '192.168.1.11:3000', capabilities: ['llm', 'tools'], maxTasks: 3 },
      { id: 'channel-discord', type: 'channel', address: '192.168.1.12:3000', capabilities: ['discord'], maxTasks: 10 },
    ],
  }),
);

describe('a cluster that nodes.json describes', () => {
  it('#22 grants each node what it claims and what is declared for it, and no more', async () => {
    await using cluster = await createTestCluster({ gateway: { nodes: NODES } });
    await cluster.node('agent-02', { capabilities: ['llm', 'tools', 'payments'], maxTasks: 50 });
    const client = await cluster.client();
    expect(await cluster.until(client.node('agent-02'))).toMatchObject({ capabilities: ['llm', 'tools'], maxTasks: 3 });
  });

  it('#42 never gives a channel agent work, whatever it claims', async () => {
    await using cluster = await createTestCluster({ gateway: { nodes: NODES } });
    await cluster.node('channel-discord', { type: 'channel', capabilities: ['discord', 'llm'], maxTasks: 10 });
    const client = await cluster.client();
    const handle = client.submit('agent-turn', null);
    await cluster.until(handle.accepted());
    await cluster.advance(5_000);
    const why = await cluster.until(client.why(handle.taskId));
    expect(why).toMatchObject({
      status: 'pending',
      nodes: expect.arrayContaining([{ nodeId: 'channel-discord', fits: false, reason: 'is a channel, not an agent' }]),
    });
  });

  it('refuses a node that is not in it, if it is strict, and says so', async () => {
    await using cluster = await createTestCluster({ gateway: { nodes: NODES, strictNodes: true } });
    await expect(cluster.node('stranger', {})).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringContaining('stranger'),
    });
  });

  it('shows who is expected and not here, and says so of a task that waits for it', async () => {
    await using cluster = await createTestCluster({ gateway: { nodes: NODES } });
    await cluster.node('agent-02', { capabilities: ['llm', 'tools'] });
    const client = await cluster.client();
    const listed = async () => (await cluster.until(client.nodes())).map(({ nodeId, status }) => `${nodeId} ${status}`);
    expect(await listed()).toEqual(['agent-01 offline', 'agent-02 online', 'channel-discord offline']);
    expect((await cluster.until(client.stats())).nodes).toEqual({ offline: 2, online: 1 });
    expect(await cluster.until(client.node('agent-01'))).toMatchObject({
      reason: 'it is expected, and has not joined',
      address: '192.168.1.10:3000',
      capabilities: ['llm', 'memory', 'tools'],
      maxTasks: 5,
    });
    const handle = client.submit('memory-search', null);
    await cluster.until(handle.accepted());
    expect(await cluster.until(client.why(handle.taskId))).toMatchObject({
      nodes: [
        { nodeId: 'agent-01', fits: false, reason: 'it is expected, and has not joined' },
        { nodeId: 'agent-02', fits: false },
        { nodeId: 'channel-discord', fits: false },
      ],
    });
    await cluster.node('agent-01', { capabilities: ['memory'] });
    expect(await listed()).toEqual(['agent-01 online', 'agent-02 online', 'channel-discord offline']);
  });

  it('grants anew when what is declared changes, and evicts who is not welcome any more', async () => {
    await using cluster = await createTestCluster({ gateway: { nodes: NODES, strictNodes: true } });
    await cluster.node('agent-01', { capabilities: ['llm', 'tools', 'memory'], maxTasks: 9 });
    const second = await cluster.node('agent-02', { capabilities: ['llm', 'tools'] });
    const client = await cluster.client();
    const [first] = NODES;
    if (first === undefined) throw new Error('no nodes');
    cluster.gateway.expect([{ ...first, capabilities: ['llm'], maxTasks: 7 }]);
    expect(await cluster.until(client.node('agent-01'))).toMatchObject({ capabilities: ['llm'], maxTasks: 7 });
    expect(await cluster.until(second.stopped)).toMatchObject({ code: 'EVICTED' });
    expect((await cluster.until(client.nodes({ status: ['online'] }))).map(({ nodeId }) => nodeId)).toEqual([
      'agent-01',
    ]);
    // What it claimed once is not forgotten: declared again, it is granted again.
    cluster.gateway.expect(NODES);
    expect(await cluster.until(client.node('agent-01'))).toMatchObject({
      capabilities: ['llm', 'memory', 'tools'],
      maxTasks: 5,
    });
  });
});

const [SOME] = NODES as [ExpectedNode, ...ExpectedNode[]];

describe('a list of nodes that a program gives', () => {
  it.each<readonly [what: string, nodes: unknown, message: string]>([
    ['no list', 'agent-01', 'nodes: '],
    ['a node that says nothing', [{}], 'nodes[0].'],
    ['an id by another name', [SOME, { ...SOME, nodeId: undefined, id: 'zz' }], 'nodes[1].nodeId: '],
    ['an address that is none', [{ ...SOME, address: 'here' }], 'nodes[0].address: must be host:port'],
    ['slots below zero', [{ ...SOME, maxTasks: -1 }], 'nodes[0].maxTasks: '],
    ['a node twice', [SOME, SOME], 'nodes[1].nodeId: agent-01 is declared already'],
  ])('is refused for %s, when a gateway starts and later on, and changes nothing', async (_what, given, message) => {
    const nodes = given as readonly ExpectedNode[];
    const refused = { code: 'OPTION_INVALID', message: expect.stringContaining(message) };
    await expect(createGateway({ nodes, listen: null })).rejects.toMatchObject(refused);
    await using gateway = await createGateway({ nodes: [SOME], listen: null });
    let thrown: unknown;
    try {
      gateway.expect(nodes);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject(refused);
    const client = gateway.client();
    expect((await client.nodes()).map(({ nodeId }) => nodeId)).toEqual(['agent-01']);
  });
});

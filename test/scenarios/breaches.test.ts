/** Peers that keep to the form and not to the rules: nobody else is to feel it. */
import { describe, expect, it } from 'vitest';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';
import { MemoryPeer } from '../support/memory-peer.ts';

const NIL = new Uint8Array([0xc0]);
const spec = (taskId: string) => ({ taskId, type: 'job', payload: NIL, priority: 5, timeout: 60_000 });

async function joinClient(cluster: TestCluster, id: string): Promise<MemoryPeer> {
  return MemoryPeer.join(cluster, id, { nodeType: 'client', maxTasks: 0 });
}

describe('what is said behind a goodbye', () => {
  it('in the same frame is not taken: no subscriber is left for whom others would wait', async () => {
    await using cluster = await createTestCluster();
    const [gone, client] = [await joinClient(cluster, 'gone'), await joinClient(cluster, 'client-x')];
    gone.sayAll([
      { type: 'goodbye', payload: { code: 'STOPPED', message: 'I leave' } },
      { type: 'subscribe', id: 1, payload: { topics: ['news'] } },
      { type: 'task_submit', id: 2, payload: spec('t1') },
    ]);
    await cluster.settle();
    expect(gone.closed).toMatchObject({ code: 1_000 });
    client.say('broadcast', { body: NIL, topic: 'news', reliable: true });
    client.say('query', { what: 'task', taskId: 't1' });
    await cluster.settle();
    expect(client.of('delivered')).toEqual([{ count: 0 }]);
    expect(client.last('error')).toMatchObject({ code: 'TASK_UNKNOWN' });
  });

  it('is not taken, what is said before it is: a node may report and leave in one frame', async () => {
    await using cluster = await createTestCluster();
    const [node, client] = [await MemoryPeer.join(cluster, 'node-x'), await joinClient(cluster, 'client-x')];
    client.say('task_submit', spec('t1'));
    await cluster.settle();
    expect(node.last('task_assign')).toMatchObject({ taskId: 't1', attempt: 1 });
    node.sayAll([
      { type: 'task_result', id: 1, payload: { taskId: 't1', attempt: 1, status: 'success', duration: 1 } },
      { type: 'unregister', id: 2, payload: { reason: 'stopped' } },
      { type: 'task_started', id: 3, payload: { taskId: 't1', attempt: 1 } },
    ]);
    await cluster.settle();
    expect(client.of('task_settled')).toMatchObject([{ taskId: 't1', status: 'completed', attempts: 1 }]);
  });
});

describe('a node that lists what another one runs', () => {
  it.each(['gateway', 'gateway-2'])(
    'is told to drop it by %s: the task stays with the node that it was given to',
    async (other) => {
      await using cluster = await createTestCluster({ gateways: 2 });
      const [node, client] = [await MemoryPeer.join(cluster, 'node-x'), await joinClient(cluster, 'client-x')];
      client.say('task_submit', spec('t1'));
      await cluster.settle();
      const ref = { taskId: 't1', attempt: 1 };
      node.say('task_started', ref);
      await cluster.settle();
      const thief = await MemoryPeer.join(cluster, 'node-y', { running: [ref] }, other);
      expect(thief.last('welcome').drop).toEqual([ref]);
      thief.say('task_result', { ...ref, status: 'failed', duration: 1 });
      await cluster.settle();
      expect(client.of('task_settled')).toEqual([]);
      node.say('task_result', { ...ref, status: 'success', result: new Uint8Array([42]), duration: 1 });
      await cluster.settle();
      expect(client.of('task_settled')).toMatchObject([{ status: 'completed', node: 'node-x', attempts: 1 }]);
    },
  );
});

describe('a session', () => {
  it.each([
    ['less than was acknowledged', 0],
    ['more than was ever said', 99],
  ])('is not resumed by a peer that has received %s: it starts anew, and is answered', async (_, received) => {
    await using cluster = await createTestCluster();
    const client = await joinClient(cluster, 'client-x');
    client.say('query', { what: 'stats' });
    await cluster.settle();
    const { session } = client.last('welcome');
    expect(client.of('answer')).toHaveLength(1);
    client.hangUp();
    await cluster.settle();
    const claim = { nodeType: 'client', maxTasks: 0, resume: { session, received } } as const;
    const again = await MemoryPeer.join(cluster, 'client-x', claim);
    expect(again.last('welcome')).toMatchObject({ resumed: false, received: 0 });
    again.say('query', { what: 'stats' });
    await cluster.settle();
    expect(again.heard.find(({ type }) => type === 'answer')).toMatchObject({ id: 1, re: 1 });
  });
});

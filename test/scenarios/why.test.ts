/** Every reason for which a task may wait, in the words that `pincer why` prints. */
import { describe, expect, it } from 'vitest';
import type { Client } from '../../src/actors/client/client.ts';
import { createTestCluster, type TestCluster, type TestNodeOptions } from '../../src/testing/cluster.ts';
import { MemoryPeer } from '../support/memory-peer.ts';
import { Puppets } from '../support/puppets.ts';

const FREE_SLOTS = /^has \d+ of \d+ slots free$/;

/** A cluster with one node of one slot, and what it is asked. */
async function clustered(node: Partial<TestNodeOptions> = {}, limits: object = {}) {
  const cluster = await createTestCluster({ limits });
  const puppets = new Puppets();
  await cluster.node('n', { maxTasks: 1, handlers: [puppets.on('n')], ...node });
  const client = await cluster.client();
  return { cluster, puppets, client, ask: (taskId: string) => cluster.until(client.why(taskId)) };
}

async function accepted(cluster: TestCluster, client: Client, ...given: Parameters<Client['submit']>): Promise<string> {
  return (await cluster.until(client.submit(...given).accepted())).taskId;
}

describe('why a task waits: the task itself', () => {
  it('that it is delayed, and for how long', async () => {
    const { cluster, client, ask } = await clustered();
    await using _ = cluster;
    const taskId = await accepted(cluster, client, 'job', null, { delayMs: 90_000 });
    expect(await ask(taskId)).toMatchObject({
      status: 'delayed',
      summary: expect.stringMatching(/^It waits for its time, in 90\.0 s\.$/),
    });
  });

  it('that it failed before, with what, and when it is tried again', async () => {
    const { cluster, client, ask, puppets } = await clustered({}, { retryBaseMs: 60_000 });
    await using _ = cluster;
    const taskId = await accepted(cluster, client, 'job');
    await cluster.until(() => puppets.running.length === 1);
    puppets.only.fail(new Error('no'));
    await cluster.settle();
    const { summary } = await ask(taskId);
    expect(summary).toMatch(
      /^It waits \d+(\.\d)? m?s before its next attempt, after 1 failure; the last one ended with HANDLER_FAILED\.$/,
    );
  });

  it('that others come first, which, and what will end the wait', async () => {
    const { cluster, client, ask } = await clustered();
    await using _ = cluster;
    const ids: string[] = [];
    for (let count = 0; count < 7; count += 1) ids.push(await accepted(cluster, client, 'other', null));
    const taskId = await accepted(cluster, client, 'job', null, { after: ids, deadlineMs: 60_000, ttlMs: 30_000 });
    const { summary } = await ask(taskId);
    expect(summary).toContain(`It waits for 7 tasks that must settle first: ${ids.slice(0, 5).join(', ')} and 2 more.`);
    expect(summary).toMatch(
      / It fails in (29\.\d|30\.0) s if no attempt has started by then\. Its deadline is in (59\.\d|60\.0) s\.$/,
    );
  });

  it('that its type is paused, and that so says stats', async () => {
    const { cluster, client, ask } = await clustered();
    await using _ = cluster;
    await cluster.until(client.order({ what: 'type.pause', type: 'job' }));
    const taskId = await accepted(cluster, client, 'job');
    expect((await ask(taskId)).summary).toBe("It waits: tasks of type 'job' are paused.");
    expect(await cluster.until(client.stats())).toMatchObject({ paused: ['job'], draining: [] });
  });

  it('that its limit is used up, at once or in the last minute', async () => {
    const { cluster, client, ask, puppets } = await clustered({ maxTasks: 10 });
    await using _ = cluster;
    const atOnce = { limit: { key: 'gpu', concurrency: 2 } };
    for (let count = 0; count < 2; count += 1) await accepted(cluster, client, 'job', null, atOnce);
    const third = await accepted(cluster, client, 'job', null, atOnce);
    await cluster.until(() => puppets.running.length === 2);
    expect((await ask(third)).summary).toBe("It waits for the limit 'gpu': 2 of 2 at once.");
    const rate = { limit: { key: 'openai', perMinute: 1 } };
    await accepted(cluster, client, 'job', null, rate);
    await cluster.until(() => puppets.running.length === 3);
    const late = await accepted(cluster, client, 'job', null, rate);
    expect((await ask(late)).summary).toMatch(
      /^It waits for the limit 'openai': 1 of 1 in the last minute; it opens in (59\.\d|60\.0) s\.$/,
    );
    // And the nodes are not what keeps it.
    expect((await ask(late)).nodes).toEqual([{ nodeId: 'n', fits: true, reason: expect.stringMatching(FREE_SLOTS) }]);
  });

  it('that no node is connected', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const taskId = await accepted(cluster, client, 'job');
    expect(await cluster.until(client.why(taskId))).toMatchObject({
      summary: 'It waits: no node is connected.',
      nodes: [],
    });
  });

  it('that it is starved: no node could ever do it, and stats says which class that is', async () => {
    const { cluster, client, ask } = await clustered();
    await using _ = cluster;
    const taskId = await accepted(cluster, client, 'image-analysis');
    expect(await ask(taskId)).toMatchObject({
      summary: 'It is starved: none of 1 node can ever do a task that needs vision like this one.',
      nodes: [{ nodeId: 'n', fits: false, reason: "lacks 'vision'" }],
    });
    await cluster.settle();
    expect(await cluster.until(client.stats())).toMatchObject({
      scheduler: 'starved',
      starved: { 'image-analysis vision': 1 },
    });
    await cluster.node('seer', { capabilities: ['vision'], handlers: [new Puppets('image-analysis').on('seer')] });
    await cluster.settle();
    expect((await cluster.until(client.stats())).starved).toEqual({});
  });

  it('that all slots are taken, and how many tasks stand before it', async () => {
    const { cluster, client, ask, puppets } = await clustered();
    await using _ = cluster;
    await accepted(cluster, client, 'job');
    await cluster.until(() => puppets.running.length === 1);
    await accepted(cluster, client, 'job');
    const taskId = await accepted(cluster, client, 'job');
    expect(await ask(taskId)).toMatchObject({
      ahead: 1,
      summary: 'It waits for a slot, with 1 task of its class before it.',
    });
  });

  it('that a slot is free and what else it takes is not', async () => {
    const { cluster, client, ask, puppets } = await clustered({ maxTasks: 5, resources: { gpu: 1 } });
    await using _ = cluster;
    await accepted(cluster, client, 'job', null, { resources: { gpu: 1 } });
    await cluster.until(() => puppets.running.length === 1);
    const taskId = await accepted(cluster, client, 'job', null, { resources: { gpu: 1 } });
    expect(await ask(taskId)).toMatchObject({
      summary: "It waits for room, with 0 tasks of its class before it: 'n' has 0 gpu free, not 1.",
    });
  });
});

describe('where a task is whose time is up and whose attempt goes on', () => {
  it('is the same in every list, count and answer, and why says that it was told to stop', async () => {
    await using cluster = await createTestCluster({ limits: { timeoutSlackMs: 100 } });
    const puppets = new Puppets();
    await cluster.node('n', { handlers: [puppets.on('n', { obeys: false })] });
    const client = await cluster.client();
    const taskId = await accepted(cluster, client, 'job', null, { timeoutMs: 1_000, attempts: 1 });
    await cluster.advance(3_000);
    const statuses = ['running', 'cancelling'] as const;
    const lists = await cluster.until(Promise.all(statuses.map((status) => client.tasks({ status: [status] }))));
    expect(lists.map(({ total, items }) => [total, items.map(({ status }) => status)])).toEqual([
      [1, ['running']],
      [0, []],
    ]);
    const { tasks } = await cluster.until(client.stats());
    expect([tasks['running'], tasks['cancelling']]).toEqual([1, 0]);
    expect((await cluster.until(client.task(taskId))).task.status).toBe('running');
    expect(await cluster.until(client.why(taskId))).toMatchObject({
      status: 'running',
      summary: 'Its attempt on n was told to stop and has not ended.',
    });
  });
});

describe('why a task waits: each node', () => {
  it.each<[what: string, node: Partial<TestNodeOptions>, task: object, reason: string]>([
    ['a capability', {}, { needs: ['llm', 'gpu'] }, "lacks 'gpu', 'llm'"],
    [
      'a label',
      { labels: { zone: 'attic' } },
      { labels: { zone: 'cellar' } },
      "its label 'zone' is 'attic', not 'cellar'",
    ],
    ['a label that is not set', {}, { labels: { zone: 'cellar' } }, "its label 'zone' is not set, not 'cellar'"],
    ['a resource that is too small', { resources: { gpu: 1 } }, { resources: { gpu: 2 } }, 'has 1 gpu in all, not 2'],
    ['another node', {}, { node: 'm' }, "is not 'm'"],
  ])('%s', async (_what, node, task, reason) => {
    const { cluster, client, ask } = await clustered(node);
    await using _ = cluster;
    const taskId = await accepted(cluster, client, 'job', null, task);
    expect((await ask(taskId)).nodes).toEqual([{ nodeId: 'n', fits: false, reason }]);
  });

  it('a handler, a kind, a full slot, a shortage, a drain, a silence, a breaker: each node by its own', async () => {
    await using cluster = await createTestCluster({ limits: { breakerFaultsMax: 1 } });
    const client = await cluster.client();
    const puppets = new Puppets();
    const handlers = (id: string) => ({ handlers: [puppets.on(id)] });
    await cluster.node('elsewhere', { handlers: [new Puppets('other').on('elsewhere')] });
    await cluster.node('channel', { type: 'channel' });
    await cluster.node('drained', handlers('drained'));
    await cluster.until(client.order({ what: 'node.drain', nodeId: 'drained' }));
    const sick = await MemoryPeer.join(cluster, 'sick');
    client.submit('job', null, { node: 'sick' });
    await cluster.advance(100);
    const { taskId: refused, attempt } = sick.last('task_assign');
    sick.say('task_reject', { taskId: refused, attempt, code: 'NODE_FULL', message: 'no' });
    await MemoryPeer.join(cluster, 'silent');
    await cluster.node('full', { maxTasks: 1, resources: { gpu: 1 }, ...handlers('full') });
    await cluster.node('short', { maxTasks: 5, resources: { gpu: 1 }, ...handlers('short') });
    for (const node of ['full', 'short']) client.submit('job', null, { node, resources: { gpu: 1 } });
    await cluster.until(() => puppets.running.length === 2);
    // The others say that they are alive.
    for (let count = 0; count < 17; count += 1) {
      sick.say('ack', { received: 0 });
      await cluster.advance(1_000);
    }
    const taskId = await accepted(cluster, client, 'job', null, { resources: { gpu: 1 } });
    const { nodes } = await cluster.until(client.why(taskId));
    expect(Object.fromEntries(nodes.map(({ nodeId, reason }) => [nodeId, reason]))).toEqual({
      channel: 'is a channel, not an agent',
      drained: expect.stringMatching(/^has 0 gpu in all|^is draining/),
      elsewhere: "has no handler for 'job'",
      full: 'is full: 1 of 1 slots taken',
      short: 'has 0 gpu free, not 1',
      sick: 'has 0 gpu in all, not 1',
      silent: 'has 0 gpu in all, not 1',
    });
    const plain = await accepted(cluster, client, 'job');
    const own = Object.fromEntries(
      (await cluster.until(client.why(plain))).nodes.map(({ nodeId, reason }) => [nodeId, reason]),
    );
    expect(own).toMatchObject({
      drained: 'is draining',
      silent: expect.stringMatching(/^is unhealthy: silent for 1\d{4} ms$/),
      sick: expect.stringMatching(/^has room for one attempt, on trial$|^is unhealthy: breaker (open|half open): /),
    });
  });

  it('nothing of a node that has become free while a claim is on its way, asked of another gateway either', async () => {
    await using cluster = await createTestCluster({ gateways: 2 });
    const puppets = new Puppets();
    await cluster.node('n', { via: [1], maxTasks: 1, handlers: [puppets.on('n')] });
    const client = await cluster.client('c', { via: [2] });
    client.submit(puppets.task, 'first');
    const taskId = (await cluster.until(client.submit(puppets.task, 'second').accepted())).taskId;
    await cluster.until(() => puppets.running.length === 1);
    await cluster.advance(10_000);
    const claim = cluster.store.claim.bind(cluster.store);
    Object.assign(cluster.store, {
      claim: async (...given: Parameters<typeof claim>) => {
        await new Promise<void>((resolve) => void cluster.clock.schedule(5_000, resolve));
        return claim(...given);
      },
    });
    puppets.only.finish();
    await cluster.advance(4_000);
    expect((await cluster.gateway.stats()).nodes).toMatchObject({ online: 1 });
    const { nodes } = await cluster.until(client.why(taskId));
    expect(nodes).toMatchObject([{ nodeId: 'n', fits: true }]);
  });
});

describe('a drained type', () => {
  it('is not taken in, while those that wait are placed; until it is resumed', async () => {
    const { cluster, client, puppets } = await clustered();
    await using _ = cluster;
    await accepted(cluster, client, 'job');
    await accepted(cluster, client, 'job');
    expect(await cluster.until(client.order({ what: 'type.drain', type: 'job' }))).toBe('draining');
    await expect(accepted(cluster, client, 'job')).rejects.toMatchObject({ code: 'TYPE_DRAINING', retryable: true });
    await accepted(cluster, client, 'other');
    expect(await cluster.until(client.stats())).toMatchObject({ draining: ['job'] });
    for (let count = 1; count <= 2; count += 1) {
      await cluster.until(() => puppets.running.length === 1);
      puppets.only.finish();
      await cluster.settle();
    }
    expect(await cluster.until(client.order({ what: 'type.resume', type: 'job' }))).toBe('running');
    await accepted(cluster, client, 'job');
  });
});

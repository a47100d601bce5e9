/** Several gateways on one store are one cluster: whichever of them a node or client is attached to, all is as with one. */
import { describe, expect, it, vi } from 'vitest';
import { Nodes } from '../../src/actors/gateway/nodes/nodes.ts';
import { createTestCluster } from '../../src/testing/cluster.ts';
import { counter, tampered } from '../support/gateways.ts';
import { MemoryPeer } from '../support/memory-peer.ts';
import { Puppets } from '../support/puppets.ts';

/** Two gateways: a node at the second, a client at the first, and a task that runs. */
async function apart(limits: object = {}) {
  const cluster = await createTestCluster({ gateways: 2, limits });
  const puppets = new Puppets();
  const node = await cluster.node('node-1', { via: [2], maxTasks: 1, handlers: [puppets.on('node-1')] });
  const client = await cluster.client('client-1', { via: [1] });
  const handle = client.submit(puppets.task, 'input');
  await cluster.until(() => puppets.runs.length === 1, 1_000);
  return { cluster, puppets, node, client, handle, run: puppets.only };
}

describe('a task submitted at one gateway and run by the node of another', () => {
  it('tells its submitter how it ended, at once', async () => {
    const { cluster, handle, run } = await apart();
    await using _ = cluster;
    run.finish('made elsewhere');
    expect(await cluster.until(handle.outcome(), 500)).toMatchObject({
      status: 'completed',
      result: 'made elsewhere',
      node: 'node-1',
      attempts: 1,
    });
  });

  it('tells it in time even if every hint between gateways is lost', async () => {
    const { cluster, handle, run } = await apart();
    await using _ = cluster;
    cluster.store.publish = () => {};
    run.finish('found by asking');
    await cluster.advance(1_000);
    let isTold = false;
    void handle.outcome().then(() => {
      isTold = true;
    });
    await cluster.settle();
    expect(isTold).toBe(false);
    expect(await cluster.until(handle.result(), 6_000)).toBe('found by asking');
  });

  it('tells it on the way how it gets on', async () => {
    const { cluster, handle, run } = await apart();
    await using _ = cluster;
    const reports: unknown[] = [];
    void (async () => {
      for await (const report of handle.progress) reports.push(report);
    })();
    await run.progress('half');
    await run.progress('most');
    await cluster.until(() => reports.length === 2, 500);
    expect(reports).toEqual(['half', 'most']);
  });

  it('tells followers at a third gateway as well, and only while somebody listens', async () => {
    const cluster = await createTestCluster({ gateways: 3 });
    await using _ = cluster;
    const puppets = new Puppets();
    await cluster.node('node-1', { via: [2], handlers: [puppets.on('node-1')] });
    const submitter = await cluster.client('submitter', { via: [1] });
    const handle = submitter.submit(puppets.task, null, { watch: false });
    await cluster.until(() => puppets.runs.length === 1);
    const follower = await cluster.client('follower', { via: [3] });
    const followed = follower.follow(handle.taskId);
    const reports: unknown[] = [];
    void (async () => {
      for await (const report of followed.progress) reports.push(report);
    })();
    await cluster.advance(100);
    await puppets.only.progress('seen');
    await cluster.until(() => reports.length === 1, 500);
    puppets.only.finish('for both');
    expect(await cluster.until(followed.result(), 500)).toBe('for both');
  });

  it('is cancelled from any gateway, with or without a hint', async () => {
    for (const hasHints of [true, false]) {
      const { cluster, client, handle, run } = await apart();
      await using _ = cluster;
      if (!hasHints) cluster.store.publish = () => {};
      expect(await cluster.until(client.cancel(handle.taskId))).toBe('cancelling');
      await cluster.until(() => run.signal.aborted, hasHints ? 100 : 3_000);
      expect(run.signal.reason).toMatchObject({ code: 'TASK_CANCELLED' });
      expect((await cluster.until(handle.outcome(), 6_000)).status).toBe('cancelled');
    }
  });

  it('is told of by every gateway: get, why, the list', async () => {
    const { cluster, handle, client } = await apart();
    await using _ = cluster;
    await cluster.advance(1_100);
    const other = await cluster.client('other', { via: [2] });
    for (const asker of [client, other]) {
      const { task } = await cluster.until(asker.task(handle.taskId));
      expect(task).toMatchObject({ status: 'running', node: 'node-1' });
      const why = await cluster.until(asker.why(handle.taskId));
      expect(why.summary).toBe('It runs on node-1, attempt 1.');
      expect(why.nodes).toEqual([{ nodeId: 'node-1', fits: false, reason: 'is full: 1 of 1 slots taken' }]);
      expect((await cluster.until(asker.tasks())).items).toHaveLength(1);
    }
  });
});

describe('the nodes of a cluster', () => {
  it('are listed by every gateway, a second late at most', async () => {
    const { cluster, client, handle, run } = await apart();
    await using _ = cluster;
    await cluster.node('node-0', { via: [1], labels: { zone: 'attic' } });
    await cluster.advance(1_100);
    const other = await cluster.client('other', { via: [2] });
    for (const asker of [client, other]) {
      const nodes = await cluster.until(asker.nodes());
      expect(nodes.map(({ nodeId, status, tasks }) => ({ nodeId, status, tasks }))).toEqual([
        { nodeId: 'node-0', status: 'online', tasks: 0 },
        { nodeId: 'node-1', status: 'busy', tasks: 1 },
      ]);
      expect((await cluster.until(asker.stats())).nodes).toEqual({ online: 1, busy: 1 });
      expect((await cluster.until(asker.node('node-0'))).labels).toEqual({ zone: 'attic' });
    }
    run.finish();
    await cluster.until(handle.outcome());
    await cluster.advance(1_100);
    expect((await cluster.until(client.node('node-1'))).status).toBe('online');
  });

  it('are drained, resumed and evicted from any gateway', async () => {
    const { cluster, client, node, run } = await apart();
    await using _ = cluster;
    await cluster.advance(1_100);
    expect(await cluster.until(client.order({ what: 'node.drain', nodeId: 'node-1' }))).toBe('draining');
    run.finish();
    const second = client.submit('job', 'second');
    await cluster.advance(5_000);
    expect((await cluster.store.get(second.taskId))?.status).toBe('pending');
    expect(await cluster.until(client.order({ what: 'node.resume', nodeId: 'node-1' }))).toBe('online');
    await cluster.until(async () => (await cluster.store.get(second.taskId))?.status === 'running', 1_000);
    await cluster.until(client.order({ what: 'node.evict', nodeId: 'node-1' }));
    expect((await cluster.until(node.stopped, 1_000))?.code).toBe('EVICTED');
    await expect(cluster.until(client.order({ what: 'node.drain', nodeId: 'nobody' }))).rejects.toMatchObject({
      code: 'NODE_UNKNOWN',
    });
  });

  it('stay, whatever an old register of theirs says that another gateway hears late', async () => {
    const { cluster, puppets, node, client, handle, run } = await apart();
    await using _ = cluster;
    const [view] = await cluster.until(client.nodes());
    const late = await MemoryPeer.join(cluster, 'node-1', {
      incarnation: view?.incarnation ?? '',
      running: [{ taskId: handle.taskId, attempt: 1 }],
    });
    // The one that lives has come back, and counts.
    await cluster.until(() => late.closed !== null, 10_000);
    expect(node.status).toBe('busy');
    run.finish('still here');
    expect(await cluster.until(handle.outcome(), 10_000)).toMatchObject({ result: 'still here', attempts: 1 });
    expect(puppets.runs).toHaveLength(1);
  });

  it('stay, though the register of a process that has died since is heard by another gateway late', async () => {
    const { cluster, puppets, node, client, handle, run } = await apart();
    await using _ = cluster;
    const [view] = await cluster.until(client.nodes());
    const ghost = await MemoryPeer.join(cluster, 'node-1', { incarnation: 'forerunner' });
    expect(ghost.heard.map(({ type }) => type)).toContain('welcome');
    await cluster.advance(300);
    ghost.hangUp();
    await cluster.advance(20_000);
    expect(node.status).toBe('busy');
    expect(await cluster.until(client.node('node-1'))).toMatchObject({ incarnation: view?.incarnation, tasks: 1 });
    run.finish('still here');
    expect(await cluster.until(handle.outcome(), 10_000)).toMatchObject({ result: 'still here', attempts: 1 });
    expect(puppets.runs).toHaveLength(1);
  });

  it('are superseded by another process of their id, wherever that one joins', async () => {
    const { cluster, node } = await apart();
    await using _ = cluster;
    const newer = await cluster.node('node-1', { via: [1] });
    expect(await cluster.until(node.stopped, 10_000)).toMatchObject({ code: 'SUPERSEDED' });
    await cluster.advance(60_000);
    expect(newer.status).toBe('online');
  });

  it('stay drained wherever they come back', async () => {
    const { cluster, client, run } = await apart();
    await using _ = cluster;
    await cluster.node('node-2', { handlers: [] });
    await cluster.advance(1_100);
    await cluster.until(client.order({ what: 'node.drain', nodeId: 'node-1' }));
    run.finish();
    await cluster.restartGateway(2);
    await cluster.until(async () => (await cluster.until(client.node('node-1'))).status === 'draining', 20_000);
  });
});

describe('a task type', () => {
  it('is paused and resumed on every gateway, also on one that starts later, whoever is told', async () => {
    const { cluster, client, puppets, run } = await apart();
    await using _ = cluster;
    await cluster.until(client.order({ what: 'type.pause', type: 'job' }));
    run.finish();
    client.submit(puppets.task, 'second');
    await cluster.advance(5_000);
    expect(puppets.running).toEqual([]);
    await cluster.restartGateway(2);
    await cluster.advance(5_000);
    expect(puppets.running).toEqual([]);
    expect((await cluster.until(cluster.gatewayAt(2).stats())).paused).toEqual(['job']);
    cluster.store.publish = () => {};
    const other = await cluster.client('other', { via: [1] });
    await cluster.until(other.order({ what: 'type.resume', type: 'job' }));
    await cluster.until(() => puppets.running.length === 1, 5_000);
  });
});

describe('messages between peers of different gateways', () => {
  it('reach one peer, in order, and its answer comes back', async () => {
    const { cluster, node, client } = await apart();
    await using _ = cluster;
    const heard: unknown[] = [];
    node.messages.onMessage(({ from, body }) => {
      heard.push([from, body]);
      return `re: ${String(body)}`;
    });
    const sent = [1, 2, 3].map((body) => client.messages.send('node-1', body));
    await cluster.until(Promise.all(sent), 1_000);
    expect(await cluster.until(client.messages.request('node-1', 'question'), 1_000)).toBe('re: question');
    expect(heard).toEqual([1, 2, 3, 'question'].map((body) => ['client-1', body]));
    await cluster.until(client.messages.send('node-1', 'kept', { reliable: true }), 1_000);
  });

  it('are refused when nobody has the receiver, or it is away', async () => {
    const { cluster, client } = await apart();
    await using _ = cluster;
    await expect(cluster.until(client.messages.send('nobody', 1))).rejects.toMatchObject({ code: 'NODE_UNKNOWN' });
    cluster.kill('node-1');
    await cluster.settle();
    await expect(cluster.until(client.messages.send('node-1', 1))).rejects.toMatchObject({ code: 'NODE_OFFLINE' });
  });

  it('reach the nodes of all, and the subscribers of a topic wherever they are', async () => {
    const { cluster, node, client } = await apart();
    await using _ = cluster;
    const near = await cluster.node('node-0', { via: [1] });
    const heard: string[] = [];
    for (const one of [near, node]) one.messages.onMessage(({ body }) => void heard.push(`${one.id} ${String(body)}`));
    expect(await cluster.until(client.messages.broadcast('all'), 1_000)).toBe(2);
    expect(await cluster.until(client.messages.broadcast('reliable', { reliable: true }), 1_000)).toBe(2);
    await cluster.until(node.messages.subscribe('news', ({ body }) => void heard.push(`news ${String(body)}`)));
    expect(await cluster.until(client.messages.publish('news', 'today'), 1_000)).toBe(1);
    await cluster.settle();
    expect(heard.sort()).toEqual([...['news today', 'node-0 all', 'node-0 reliable', 'node-1 all', 'node-1 reliable']]);
  });

  it('come once while a gateway that has joined anew is listed under its former id, too', async () => {
    const { cluster, node, client } = await apart();
    await using _ = cluster;
    const untamper = tampered(cluster, { renew: async () => false });
    await cluster.until(async () => (await cluster.store.gateways()).length === 4, 5_000);
    untamper();
    // Two gateways look who is there, and find four.
    await cluster.advance(3_000);
    expect((await cluster.store.gateways()).length).toBe(4);
    const heard: unknown[] = [];
    node.messages.onMessage(({ body }) => heard.push(body));
    await cluster.until(client.messages.send('node-1', 'direct'), 500);
    await cluster.until(client.messages.send('node-1', 'reliable', { reliable: true }), 500);
    expect(await cluster.until(client.messages.broadcast('all'), 500)).toBe(1);
    await cluster.settle();
    expect(heard).toEqual(['direct', 'reliable', 'all']);
    // Nor is a former id waited for.
    await expect(cluster.until(client.messages.send('nobody', 1), 500)).rejects.toMatchObject({ code: 'NODE_UNKNOWN' });
    expect(await counter(cluster, 1, 'gateways')).toBe(2);
  });
});

describe('gateways', () => {
  it('know of each other, and of one that has gone', async () => {
    const cluster = await createTestCluster({ gateways: 3 });
    await using _ = cluster;
    await cluster.advance(10);
    for (const number of [1, 2, 3]) expect(await counter(cluster, number, 'gateways')).toBe(3);
    await cluster.until(cluster.gatewayAt(3).stop());
    expect(await counter(cluster, 1, 'gateways')).toBe(2);
  });
});

describe('nodes that come one after another', () => {
  it('are told to the other gateways at once, and no other node is looked at for that', async () => {
    await using cluster = await createTestCluster({ gateways: 2, limits: { directoryMs: 60_000 } });
    const puppets = new Puppets();
    const client = await cluster.client('client-1', { via: [1] });
    const looks = vi.spyOn(Nodes.prototype, 'all');
    for (let n = 0; n < 20; n += 1) await cluster.node(`n-${n}`, { via: [2], handlers: [puppets.on(`n-${n}`)] });
    expect(looks).not.toHaveBeenCalled();
    looks.mockRestore();
    expect(await cluster.until(client.nodes())).toHaveLength(20);
  });
});

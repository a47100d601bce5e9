/** Results that a node keeps until they are acknowledged: how many at most, and what they outlive. */
import { describe, expect, it } from 'vitest';
import { memoryOutbox } from '../../src/actors/node/outbox.ts';
import { PincerError } from '../../src/protocol/failure.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { createTestCluster, type TestClusterOptions } from '../../src/testing/cluster.ts';
import { MemoryPeer } from '../support/memory-peer.ts';
import { Puppets } from '../support/puppets.ts';

/**
 * A node with an outbox that outlives it, which runs two tasks: the first has ended, and no gateway has heard of it; the
 * second has not. Then it is killed.
 */
async function killed(options: TestClusterOptions = {}, via?: readonly number[]) {
  const cluster = await createTestCluster(options);
  const puppets = new Puppets();
  const outbox = memoryOutbox();
  const start = (on = via) =>
    cluster.node('node-1', {
      maxTasks: 2,
      handlers: [puppets.on('node-1')],
      outbox,
      ...(on === undefined ? {} : { via: on }),
    });
  await start();
  const client = await cluster.client('client', via === undefined ? {} : { via: [1] });
  const [ended, other] = [client.submit(puppets.task, 'ends'), client.submit(puppets.task, 'does not')];
  await cluster.until(() => puppets.runs.length === 2);
  const run = puppets.runs.find(({ taskId }) => taskId === ended.taskId);
  cluster.network.partition('node-1');
  run?.finish('made before');
  await cluster.settle();
  cluster.kill('node-1');
  cluster.network.heal();
  const counter = async (name: string, number = 1): Promise<number> =>
    (await cluster.until(cluster.gatewayAt(number).stats())).counters[name] ?? 0;
  const runsOf = (taskId: string): number[] =>
    puppets.runs.filter((one) => one.taskId === taskId).map(({ attempt }) => attempt);
  return { cluster, puppets, outbox, start, client, ended, other, counter, runsOf };
}

/** Whether an outbox has nothing left. */
async function isEmpty(outbox: ReturnType<typeof memoryOutbox>, cluster: { kill(id: string): void }): Promise<boolean> {
  cluster.kill('node-1');
  const left = await outbox.open({ clock: null, log: null, limits: {}, onRefusal: () => {} } as never);
  return left.length === 0;
}

describe('a node whose results are not acknowledged', () => {
  it('takes no more work when its outbox is full, and goes on when it has room', async () => {
    await using cluster = await createTestCluster({ limits: { outboxResultsMax: 4 } });
    const puppets = new Puppets();
    await cluster.node('node-1', { maxTasks: 2, handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    const complete = cluster.store.complete.bind(cluster.store);
    cluster.store.complete = () => Promise.reject(new PincerError('STORE_UNAVAILABLE', 'not now'));
    const handles = Array.from({ length: 20 }, (_, index) => client.submit(puppets.task, index));
    for (let step = 0; step < 30; step += 1) {
      for (const run of puppets.running) run.finish(run.input);
      await cluster.advance(100);
    }
    // The slots that were taken when it became full end as they may; after that it offers none.
    expect(puppets.runs.length).toBeLessThanOrEqual(5);
    expect(await cluster.until(client.node('node-1'))).toMatchObject({ maxTasks: 0, status: 'busy' });
    cluster.store.complete = complete;
    await cluster.until(() => {
      for (const run of puppets.running) run.finish(run.input);
      return puppets.runs.length === 20;
    });
    for (const [index, handle] of handles.entries()) {
      expect(await cluster.until(handle.outcome())).toMatchObject({ result: index, attempts: 1 });
    }
    expect(await cluster.until(client.node('node-1'))).toMatchObject({ maxTasks: 2 });
    expect(await cluster.until(client.node('node-1'))).not.toHaveProperty('faults');
  });
});

describe('a node that is killed with a result that no gateway has', () => {
  it('and is back in time runs it not again: its next process reports it', async () => {
    const { cluster, outbox, start, ended, other, counter, runsOf, puppets, client } = await killed();
    await using _ = cluster;
    await cluster.advance(1_000);
    await start();
    expect(await cluster.until(ended.outcome(), 1_000)).toMatchObject({ result: 'made before', attempts: 1 });
    expect(runsOf(ended.taskId)).toEqual([1]);
    // What the old process ran and had not ended is lost with it, at the cost of a crash.
    await cluster.until(() => runsOf(other.taskId).length === 2, 1_000);
    puppets.runs.at(-1)?.finish('made again');
    expect(await cluster.until(other.outcome())).toMatchObject({ result: 'made again', attempts: 2 });
    expect((await cluster.until(client.task(other.taskId))).task).toMatchObject({ crashes: 1, failures: 0 });
    expect((await cluster.until(client.task(ended.taskId))).task).toMatchObject({ crashes: 0, failures: 0 });
    expect([await counter('resultsDuplicate'), await counter('resultsStale')]).toEqual([0, 0]);
    expect((await cluster.until(client.node('node-1'))).running).toEqual([]);
    await cluster.advance(defaultLimits.acknowledgeMs);
    expect(await isEmpty(outbox, cluster)).toBe(true);
  });

  it('and comes too late drops it: another attempt has the task', async () => {
    const { cluster, outbox, start, ended, counter, runsOf, puppets } = await killed();
    await using _ = cluster;
    await cluster.node('node-2', { handlers: [puppets.on('node-2')] });
    await cluster.until(() => runsOf(ended.taskId).length === 2, 5_000);
    await start();
    await cluster.settle();
    puppets.runs.find(({ taskId, attempt }) => taskId === ended.taskId && attempt === 2)?.finish('made again');
    expect(await cluster.until(ended.outcome())).toMatchObject({ result: 'made again', node: 'node-2', attempts: 2 });
    expect([await counter('resultsDuplicate'), await counter('resultsStale')]).toEqual([0, 1]);
    expect(await isEmpty(outbox, cluster)).toBe(true);
  });

  it('and is back while its old process was not missed yet loses only what that had not done', async () => {
    const cluster = await createTestCluster();
    await using _ = cluster;
    const older = await MemoryPeer.join(cluster, 'node-1', { incarnation: 'old', maxTasks: 2 });
    const client = await cluster.client();
    const handles = [client.submit('job', 1), client.submit('job', 2)];
    await cluster.settle();
    const [first, second] = older.of('task_assign');
    if (first === undefined || second === undefined) throw new Error('it was assigned nothing');
    const running = [{ taskId: first.taskId, attempt: 1 }];
    const newer = await MemoryPeer.join(cluster, 'node-1', { incarnation: 'new', maxTasks: 2, running });
    expect([older.closed?.code, newer.last('welcome').drop]).toEqual([4410, []]);
    newer.say('task_result', { ...running[0], status: 'success', result: new Uint8Array([7]), duration: 1 } as never);
    expect(await cluster.until(handles[0]?.outcome() as Promise<unknown>)).toMatchObject({ result: 7, attempts: 1 });
    expect(newer.last('task_assign')).toMatchObject({ taskId: second.taskId, attempt: 2 });
  });

  it('and never comes back loses it: it runs elsewhere, as without an outbox', async () => {
    const { cluster, ended, puppets, runsOf } = await killed();
    await using _ = cluster;
    await cluster.node('node-2', { handlers: [puppets.on('node-2')] });
    await cluster.until(() => runsOf(ended.taskId).length === 2, 5_000);
  });

  it('and whose name is taken by a client, or by a process that is not let in, loses it', async () => {
    for (const [nodeType, answer] of [
      ['client', 'welcome'],
      ['channel', 'reject'],
    ] as const) {
      const { cluster, puppets, ended, runsOf } = await killed();
      await using _ = cluster;
      await cluster.node('node-2', { handlers: [puppets.on('node-2')] });
      cluster.gateway.expect([
        { nodeId: 'node-1', type: 'agent', capabilities: [], maxTasks: 1, address: '127.0.0.1:1' },
      ] as never);
      const peer = await MemoryPeer.join(cluster, 'node-1', { incarnation: 'other', nodeType, maxTasks: 0 });
      expect(peer.of(answer)).toHaveLength(1);
      await cluster.until(() => runsOf(ended.taskId).length === 2, 5_000);
    }
  });

  it('and came back to another gateway is not run again either', async () => {
    const { cluster, start, ended, other, runsOf, puppets, outbox } = await killed({ gateways: 2 }, [2]);
    await using _ = cluster;
    await start([1]);
    expect(await cluster.until(ended.outcome(), 2_000)).toMatchObject({ result: 'made before', attempts: 1 });
    await cluster.until(() => runsOf(other.taskId).length === 2, 5_000);
    puppets.runs.at(-1)?.finish('made again');
    expect(await cluster.until(other.outcome())).toMatchObject({ attempts: 2 });
    await cluster.advance(30_000);
    expect(runsOf(ended.taskId)).toEqual([1]);
    expect(await isEmpty(outbox, cluster)).toBe(true);
  });

  it('together with its gateway is not run again when both are back', async () => {
    const { cluster, start, ended, other, runsOf } = await killed();
    await using _ = cluster;
    cluster.killGateway();
    await cluster.advance(4_000);
    await cluster.restartGateway();
    await start();
    expect(await cluster.until(ended.outcome(), 60_000)).toMatchObject({ result: 'made before', attempts: 1 });
    expect(runsOf(ended.taskId)).toEqual([1]);
    await cluster.until(() => runsOf(other.taskId).length === 2, 60_000);
  });

  it('and whose next process is to drain reports it first, and then ends at once', async () => {
    const { cluster, start, ended, other } = await killed();
    await using _ = cluster;
    await cluster.until(other.cancel());
    const complete = cluster.store.complete.bind(cluster.store);
    cluster.store.complete = () => Promise.reject(new PincerError('STORE_UNAVAILABLE', 'not now'));
    const node = await start();
    const drained = node.drain();
    await cluster.advance(5_000);
    expect(node.status).toBe('draining');
    cluster.store.complete = complete;
    await cluster.until(drained, 2_000);
    expect(await cluster.until(ended.outcome(), 1_000)).toMatchObject({ result: 'made before', attempts: 1 });
  });

  it('which the gateway has after all, and its answer was lost, drops it as a duplicate', async () => {
    const { cluster, outbox, start, ended, counter, runsOf } = await killed();
    await using _ = cluster;
    await cluster.store.complete([{ taskId: ended.taskId, attempt: 1, status: 'completed', runMs: 1, node: 'node-1' }]);
    await cluster.restartGateway();
    await start();
    await cluster.settle();
    expect([await counter('resultsDuplicate'), await counter('resultsStale')]).toEqual([1, 0]);
    await cluster.advance(20_000);
    expect(runsOf(ended.taskId)).toEqual([1]);
    expect(await isEmpty(outbox, cluster)).toBe(true);
  });

  it('and again before it could report it, is not run again by the third process', async () => {
    const { cluster, start, ended, runsOf } = await killed();
    await using _ = cluster;
    const complete = cluster.store.complete.bind(cluster.store);
    cluster.store.complete = () => Promise.reject(new PincerError('STORE_UNAVAILABLE', 'not now'));
    await start();
    await cluster.advance(200);
    cluster.kill('node-1');
    await cluster.advance(200);
    await start();
    cluster.store.complete = complete;
    expect(await cluster.until(ended.outcome(), 5_000)).toMatchObject({ result: 'made before', attempts: 1 });
    expect(runsOf(ended.taskId)).toEqual([1]);
  });
});

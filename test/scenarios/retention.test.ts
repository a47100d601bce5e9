/** Finished tasks are forgotten when they are old enough, without anybody asking. */
import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/actors/node/runner.ts';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';

const echoes = defineHandler({ type: 'echo' }, ({ input }) => input);

/** Runs so many tasks to their end. */
async function run(cluster: TestCluster, count: number): Promise<void> {
  const client = await cluster.client();
  const handles = Array.from({ length: count }, (_, n) => client.submit('echo', n));
  await cluster.until(Promise.all(handles.map((handle) => handle.result())));
}

async function known(cluster: TestCluster): Promise<number> {
  return (await cluster.store.list({ limit: 1 })).total;
}

describe('a finished task', () => {
  it('is forgotten when it is older than retentionMs, some at a time; what has not finished stays', async () => {
    const limits = { retentionMs: 600_000, purgeMs: 60_000, purgeTasksMax: 2, sweepMs: 1_000 };
    await using cluster = await createTestCluster({ limits, gateways: 2 });
    await cluster.node('node-1', { maxTasks: 9, handlers: [echoes] });
    const client = await cluster.client();
    const waiting = client.submit('nobody', null);
    await cluster.until(waiting.accepted());
    await run(cluster, 7);
    await cluster.advance(300_000);
    await run(cluster, 1);
    await cluster.advance(299_000);
    expect(await known(cluster)).toBe(9);
    // Each gateway looks once in purgeMs, and goes on every second while there is more.
    await cluster.advance(65_000);
    expect(await known(cluster)).toBe(2);
    await cluster.advance(300_000);
    expect((await cluster.store.list({ limit: 9 })).items.map(({ status }) => status)).toEqual(['pending']);
  });

  it('stays as long as there is room for it if retentionMs is 0', async () => {
    await using cluster = await createTestCluster({ limits: { retentionMs: 0, purgeMs: 1_000, settledTasksMax: 5 } });
    await cluster.node('node-1', { maxTasks: 9, handlers: [echoes] });
    await run(cluster, 7);
    await cluster.advance(600_000);
    expect(await known(cluster)).toBe(5);
  });

  it('is forgotten also after the store has failed for a while', async () => {
    await using cluster = await createTestCluster({ limits: { retentionMs: 10_000, purgeMs: 5_000 } });
    await cluster.node('node-1', { maxTasks: 9, handlers: [echoes] });
    await run(cluster, 1);
    const { store } = cluster;
    const purge = store.purge.bind(store);
    store.purge = () => Promise.reject(new Error('not now'));
    await cluster.advance(30_000);
    expect(await known(cluster)).toBe(1);
    store.purge = purge;
    await cluster.advance(6_000);
    expect(await known(cluster)).toBe(0);
  });
});

describe('a finished task that is forgotten before its watcher has heard how it ended', () => {
  it.each(['one gateway', 'another gateway'])('is said to be unknown by %s: nobody waits for ever', async (where) => {
    await using cluster = await createTestCluster({ gateways: 2, limits: { settledTasksMax: 1 } });
    const via = [where === 'one gateway' ? 1 : 2];
    const client = await cluster.client('client-1', { via: [1] });
    const watcher = await cluster.client('client-2', { via });
    // All of them expire in one sweep, and one of them is kept.
    const handles = [1, 2, 3].map((input) => client.submit('nobody', input, { ttlMs: 500 }));
    await cluster.until(Promise.all(handles.map((handle) => handle.accepted())));
    const followed = handles.map(({ taskId }) => watcher.follow(taskId));
    const outcomes = await cluster.until(Promise.all(followed.map((handle) => handle.outcome())), 60_000);
    expect(outcomes.map(({ error }) => error?.code)).toEqual(['TASK_UNKNOWN', 'TASK_UNKNOWN', 'TASK_EXPIRED']);
  });
});

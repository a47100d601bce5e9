/** What a client is told of how its task ended: the same that the store keeps, wherever its attempts ran and were held. */
import { describe, expect, it } from 'vitest';
import type { Client } from '../../src/actors/client/client.ts';
import type { TaskHandle } from '../../src/actors/client/handle.ts';
import { createTestCluster, type TestCluster, type TestClusterOptions } from '../../src/testing/cluster.ts';
import { MemoryPeer } from '../support/memory-peer.ts';
import { Puppets } from '../support/puppets.ts';

interface Numbers {
  readonly status: string;
  readonly attempts: number;
  readonly node?: string | undefined;
  readonly queuedMs?: number | undefined;
  readonly runMs?: number | undefined;
}

/** Numbers of an outcome, in whole milliseconds, once what was told is what is kept. */
async function outcomeOf(cluster: TestCluster, client: Client, handle: TaskHandle): Promise<object> {
  const told = await cluster.until(handle.outcome());
  const { task: kept } = await cluster.until(client.task(handle.taskId));
  const numbers = ({ status, attempts, node, queuedMs = -1, runMs = -1 }: Numbers) => ({
    ...{ status, attempts, node, queuedMs: Math.round(queuedMs), runMs: Math.round(runMs) },
  });
  expect(numbers(told)).toEqual(numbers(kept));
  return numbers(told);
}

async function withNode(options: TestClusterOptions = {}) {
  const cluster = await createTestCluster(options);
  const puppets = new Puppets();
  const client = await cluster.client();
  const node = await cluster.node('n', { handlers: [puppets.on('n')] });
  return { cluster, puppets, client, node };
}

it('tells how long a task was queued as the store has it, however long that takes to commit', async () => {
  const { cluster, puppets, client } = await withNode();
  await using _cluster = cluster;
  const { claim } = cluster.store;
  cluster.store.claim = async (...asked) => {
    const claimed = await claim.apply(cluster.store, asked);
    await new Promise<void>((resolve) => cluster.clock.schedule(500, resolve));
    return claimed;
  };
  const handle = client.submit(puppets.task, null);
  await cluster.until(() => puppets.running.length === 1);
  await cluster.advance(1_000);
  puppets.only.finish();
  const { queuedMs } = (await outcomeOf(cluster, client, handle)) as { queuedMs: number };
  expect(queuedMs).toBeGreaterThanOrEqual(500);
});

describe('an attempt that another gateway has adopted', () => {
  it.each([
    ['fails', 'failed', 90_000, (run: Puppets) => run.only.fail(new Error('no'))],
    ['succeeds', 'completed', 90_000, (run: Puppets) => run.only.finish()],
    ['is cancelled', 'cancelled', 90_000, (_: Puppets, client: Client, id: string) => void client.cancel(id)],
    [
      'is lost with its node',
      'failed',
      91_000,
      (_: Puppets, __: Client, ___: string, cluster: TestCluster) => cluster.kill('n'),
    ],
  ])('and that %s has run since its start', async (_, status, runMs, end) => {
    const limits = { crashesMax: 1, resumeWindowMs: 1_000 };
    const { cluster, puppets, client } = await withNode({ gateways: 2, limits });
    await using _cluster = cluster;
    const handle = client.submit(puppets.task, null, { attempts: 1, delayMs: 5_000, timeoutMs: 3_600_000 });
    await cluster.until(() => puppets.running.length === 1);
    await cluster.advance(60_000);
    const [place] = await cluster.store.nodes();
    cluster.killGateway(place?.gateway.startsWith('gateway-1') === true ? 1 : 2);
    await cluster.advance(30_000);
    end(puppets, client, handle.taskId, cluster);
    const outcome = await outcomeOf(cluster, client, handle);
    expect(outcome).toMatchObject({ status, attempts: 1, node: 'n' });
    const { queuedMs, runMs: ran } = outcome as { queuedMs: number; runMs: number };
    expect(Math.abs(ran - runMs)).toBeLessThan(100);
    expect(queuedMs).toBeGreaterThanOrEqual(5_000);
    expect(queuedMs).toBeLessThan(7_000);
    const { history } = await cluster.until(client.task(handle.taskId));
    expect(history.map(({ event }) => event)).toContain('task.adopted');
  });
});

describe('the last attempt of a task', () => {
  it('counts when its node was lost before it said that it had started', async () => {
    await using cluster = await createTestCluster({ limits: { crashesMax: 1 } });
    const client = await cluster.client();
    await MemoryPeer.join(cluster, 'n');
    const handle = client.submit('job');
    await cluster.advance(1_000);
    cluster.network.cut('n');
    expect(await outcomeOf(cluster, client, handle)).toMatchObject({ status: 'failed', attempts: 1, node: 'n' });
  });

  it('is told of a task that is cancelled while it waits for the next, after a failure or a redrive', async () => {
    const { cluster, puppets, client, node } = await withNode({ limits: { retryBaseMs: 100_000 } });
    await using _cluster = cluster;
    const handles = [client.submit(puppets.task, null), client.submit(puppets.task, null, { attempts: 1 })];
    await cluster.until(() => puppets.running.length === 2);
    await cluster.advance(1_000);
    for (const run of puppets.running) run.fail(new Error('no'));
    await cluster.advance(1_000);
    await cluster.until(node.stop());
    const [waiting, failed] = handles as [TaskHandle, TaskHandle];
    await cluster.until(client.order({ what: 'task.retry', taskId: failed.taskId }));
    for (const { taskId } of [waiting, failed]) {
      await cluster.until(client.cancel(taskId));
      expect(await outcomeOf(cluster, client, client.follow(taskId))).toEqual({
        ...{ status: 'cancelled', attempts: 1, node: undefined, queuedMs: 0, runMs: 1_000 },
      });
    }
  });

  it('is told of a task whose cancellation was asked for elsewhere, when its node is lost', async () => {
    const { cluster, puppets, client } = await withNode();
    await using _cluster = cluster;
    const handle = client.submit(puppets.task, null);
    await cluster.until(() => puppets.running.length === 1);
    await cluster.advance(1_000);
    await cluster.store.cancel([handle.taskId]);
    puppets.only.fail(new Error('no'));
    expect(await outcomeOf(cluster, client, handle)).toEqual({
      ...{ status: 'cancelled', attempts: 1, node: 'n', queuedMs: 0, runMs: 1_000 },
    });
  });
});

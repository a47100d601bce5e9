/** Attempts that are told to stop: by a timeout, by a cancel, by nobody in time. A slot is free when the work has ended. */
import { describe, expect, it } from 'vitest';
import type { TaskHandle } from '../../src/actors/client/handle.ts';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';
import { MemoryPeer } from '../support/memory-peer.ts';
import { Puppets } from '../support/puppets.ts';

/** A cluster with one node of one slot, and one task that runs there. */
async function running(options: { obeys?: boolean; timeoutMs?: number; attempts?: number } = {}) {
  const { obeys = true, timeoutMs = 60_000, attempts = 1 } = options;
  const cluster = await createTestCluster();
  const puppets = new Puppets();
  const node = await cluster.node('node-1', { maxTasks: 1, handlers: [puppets.on('node-1', { obeys })] });
  const client = await cluster.client();
  const handle = client.submit(puppets.task, 'first', { timeoutMs, attempts });
  await cluster.settle();
  return { cluster, puppets, node, client, handle, run: puppets.only };
}

async function takenSlots(cluster: TestCluster, nodeId = 'node-1'): Promise<{ tasks: number; overdue: number }> {
  const client = await cluster.client();
  const { tasks, overdue } = await cluster.until(client.node(nodeId));
  await cluster.until(client.stop());
  return { tasks, overdue: overdue.length };
}

function statusOf(cluster: TestCluster, handle: TaskHandle): Promise<string> {
  return cluster.until(handle.outcome()).then(({ status }) => status);
}

describe('a timeout', () => {
  it('tells the handler to stop, with the reason, and counts as a failure (#33)', async () => {
    const { cluster, handle, run } = await running({ timeoutMs: 2_000 });
    await using _ = cluster;
    await cluster.advance(1_999);
    expect(run.signal.aborted).toBe(false);
    await cluster.advance(2);
    expect(run.signal.reason).toMatchObject({ code: 'TASK_TIMED_OUT' });
    const settled = await cluster.until(handle.outcome());
    expect(settled.error).toMatchObject({ code: 'TASK_TIMED_OUT', retryable: true });
    expect(await takenSlots(cluster)).toEqual({ tasks: 0, overdue: 0 });
  });

  it('of any length is kept exactly: 30 days do not fire at once (#61)', async () => {
    const { cluster, handle, run } = await running({ timeoutMs: 2_592_000_000 });
    await using _ = cluster;
    await cluster.advance(3_600_000);
    expect(run.signal.aborted).toBe(false);
    run.finish('at last');
    expect(await cluster.until(handle.result())).toBe('at last');
  });

  it('of a handler that ignores its signal settles the task, and its slot stays taken until it has really ended (#33 #63)', async () => {
    const { cluster, puppets, client, handle, run } = await running({ obeys: false, timeoutMs: 2_000 });
    await using _ = cluster;
    expect(await cluster.until(handle.outcome(), 20_000)).toMatchObject({ status: 'failed' });
    expect(await takenSlots(cluster)).toEqual({ tasks: 1, overdue: 1 });
    const next = client.submit(puppets.task, 'second');
    await cluster.advance(60_000);
    expect(puppets.runs).toHaveLength(1);
    expect((await cluster.until(client.why(next.taskId))).nodes[0]?.reason).toBe(
      'is full: 1 of 1 slots taken, 1 by overdue attempts',
    );
    run.finish('late');
    await cluster.until(() => puppets.running.length === 1);
    puppets.only.finish('second');
    expect(await cluster.until(next.result())).toBe('second');
    expect((await handle.outcome()).status).toBe('failed');
  });

  it('is kept by the gateway when the node does not: it waits a little longer, then tells it to stop', async () => {
    await using cluster = await createTestCluster();
    const silent = await MemoryPeer.join(cluster, 'node-1');
    const client = await cluster.client();
    const handle = client.submit('job', null, { timeoutMs: 3_000, attempts: 1 });
    await cluster.settle();
    const { taskId } = silent.last('task_assign');
    silent.say('task_started', { taskId, attempt: 1 });
    const beat = (): void =>
      silent.say('heartbeat', {
        nodeId: 'node-1',
        status: 'busy',
        load: { cpu: 0, memory: 0, tasks: 1 },
        capabilities: [],
      });
    await cluster.advance(4_900);
    expect(silent.of('task_cancel')).toEqual([]);
    beat();
    await cluster.advance(200);
    expect(silent.last('task_cancel')).toMatchObject({ taskId, attempt: 1, reason: 'timeout' });
    await cluster.advance(5_000);
    beat();
    expect(await cluster.until(handle.outcome(), 10_000)).toMatchObject({ status: 'failed' });
    expect(await takenSlots(cluster)).toEqual({ tasks: 1, overdue: 1 });
    // Its late result frees the slot and changes nothing else (#34).
    silent.say('task_result', { taskId, attempt: 1, status: 'success', result: new Uint8Array([1]), duration: 1 });
    await cluster.settle();
    expect(await takenSlots(cluster)).toEqual({ tasks: 0, overdue: 0 });
    expect((await cluster.store.get(taskId))?.status).toBe('failed');
    expect((await cluster.gateway.stats()).counters['resultsLate']).toBe(1);
  });
});

describe('a cancel', () => {
  it('of a task that waits ends it at once', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const handle = client.submit('job', null);
    await cluster.until(handle.accepted());
    expect(await cluster.until(handle.cancel())).toBe('cancelled');
    expect(await statusOf(cluster, handle)).toBe('cancelled');
  });

  it('of a task that runs aborts its handler, and frees the slot', async () => {
    const { cluster, handle, run } = await running();
    await using _ = cluster;
    expect(await cluster.until(handle.cancel())).toBe('cancelling');
    expect(await statusOf(cluster, handle)).toBe('cancelled');
    expect(run.signal.reason).toMatchObject({ code: 'TASK_CANCELLED' });
    expect(await takenSlots(cluster)).toEqual({ tasks: 0, overdue: 0 });
  });

  it('of a handler that ignores it settles after the grace, with the slot kept', async () => {
    const { cluster, handle, run } = await running({ obeys: false });
    await using _ = cluster;
    await cluster.until(handle.cancel());
    await cluster.advance(4_000);
    expect((await cluster.store.get(handle.taskId))?.status).toBe('cancelling');
    expect(await statusOf(cluster, handle)).toBe('cancelled');
    expect(await takenSlots(cluster)).toEqual({ tasks: 1, overdue: 1 });
    run.finish();
    await cluster.settle();
    expect(await takenSlots(cluster)).toEqual({ tasks: 0, overdue: 0 });
  });

  it('twice is as good as once, and of a task that is over tells its outcome', async () => {
    const { cluster, handle } = await running();
    await using _ = cluster;
    const answers = await cluster.until(Promise.all([handle.cancel(), handle.cancel()]));
    expect(answers).toEqual(['cancelling', 'cancelling']);
    expect(await statusOf(cluster, handle)).toBe('cancelled');
    expect(await cluster.until(handle.cancel())).toBe('cancelled');
    const unknown = (await cluster.client()).cancel('nobody');
    expect(await cluster.until(unknown.catch((error: { code: string }) => error.code))).toBe('TASK_UNKNOWN');
  });

  it('that meets a result on its way settles once, one way or the other', async () => {
    const { cluster, handle, run } = await running();
    await using _ = cluster;
    const cancelling = handle.cancel();
    run.finish('just in time');
    await cluster.until(cancelling);
    const { status, result } = await cluster.until(handle.outcome());
    expect([
      ['cancelled', undefined],
      ['completed', 'just in time'],
    ]).toContainEqual([status, result]);
    const ends = (await cluster.store.history(handle.taskId)).filter(({ event }) => /^task\.(c|f)/.test(event));
    expect(ends.filter(({ event }) => event !== 'task.claimed')).toHaveLength(1);
  });

  it('by a signal reaches the handler; one that was aborted before is not even submitted', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('node-1', { handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    const abort = new AbortController();
    const handle = client.submit(puppets.task, null, { signal: abort.signal });
    await cluster.settle();
    abort.abort();
    expect(await statusOf(cluster, handle)).toBe('cancelled');
    const late = client.submit(puppets.task, null, { signal: abort.signal });
    const refusal = await cluster.until(late.outcome().catch((error: { code: string }) => error.code));
    expect(refusal).toBe('TASK_CANCELLED');
    expect(puppets.runs).toHaveLength(1);
  });

  it('that comes in one frame with the assignment keeps the handler from ever starting (#63)', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('node-1', { maxTasks: 1, handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    // The node is out of reach when the task is placed, and hears of assignment and cancel together.
    cluster.network.setFaults({ delay: { minMs: 20, maxMs: 20 } });
    const handle = client.submit(puppets.task, null);
    await cluster.until(() => cluster.store.get(handle.taskId).then((record) => record?.status === 'assigned'));
    cluster.network.cut('node-1');
    await cluster.until(handle.cancel());
    expect(await statusOf(cluster, handle)).toBe('cancelled');
    await cluster.advance(1_000);
    expect(puppets.runs).toEqual([]);
    expect(await takenSlots(cluster)).toEqual({ tasks: 0, overdue: 0 });
  });
});

describe('a node that stops', () => {
  it('tells its handlers that it does, and not that somebody has cancelled', async () => {
    const { cluster, node, run } = await running();
    await using _ = cluster;
    await cluster.until(node.stop());
    expect(run.signal.reason).toMatchObject({ code: 'STOPPED', message: 'the node was stopped' });
  });
});

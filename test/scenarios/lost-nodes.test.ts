/** Nodes that go and return, by a cut link, by silence, by death; gateways that are replaced under running work. */
import { describe, expect, it } from 'vitest';
import type { Payload } from '../../src/protocol/message.ts';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';
import { MemoryPeer } from '../support/memory-peer.ts';
import { Puppets } from '../support/puppets.ts';

/** Two nodes of one slot each; one of them runs the task. */
async function running(limits: object = {}) {
  const cluster = await createTestCluster({ limits });
  const puppets = new Puppets();
  for (const id of ['node-1', 'node-2']) await cluster.node(id, { maxTasks: 1, handlers: [puppets.on(id)] });
  const client = await cluster.client();
  const handle = client.submit(puppets.task, null);
  await cluster.settle();
  return { cluster, puppets, client, handle, run: puppets.only };
}

async function statusOf(cluster: TestCluster, nodeId: string): Promise<string> {
  const client = await cluster.client();
  const { status } = await cluster.until(client.node(nodeId));
  await cluster.until(client.stop());
  return status;
}

async function counter(cluster: TestCluster, name: string): Promise<number> {
  return (await cluster.gateway.stats()).counters[name] ?? 0;
}

describe('a node whose link breaks', () => {
  it('resumes within the window: its attempt goes on and what was on its way arrives once (#54)', async () => {
    const { cluster, puppets, handle, run } = await running();
    await using _ = cluster;
    cluster.network.cut(run.node);
    run.finish('kept');
    await cluster.settle();
    expect(await statusOf(cluster, run.node)).not.toBe('offline');
    expect(await cluster.until(handle.outcome(), 3_000)).toMatchObject({ result: 'kept', attempts: 1 });
    expect(puppets.runs).toHaveLength(1);
    expect(await counter(cluster, 'resultsLate')).toBe(0);
  });

  it('and that was killed is lost when the window has passed; its task runs elsewhere (#14 #29)', async () => {
    const { cluster, puppets, handle, run } = await running();
    await using _ = cluster;
    cluster.kill(run.node);
    await cluster.settle();
    expect(await statusOf(cluster, run.node)).toBe('unhealthy');
    await cluster.until(() => puppets.runs.length === 2, 4_000);
    expect(await statusOf(cluster, run.node)).toBe('offline');
    expect(puppets.runs[1]).toMatchObject({ attempt: 2 });
    expect(puppets.runs[1]?.node).not.toBe(run.node);
    puppets.runs[1]?.finish('second');
    expect(await cluster.until(handle.outcome())).toMatchObject({ result: 'second' });
    // What the dead one still computes reaches nobody.
    run.finish('first');
    await cluster.advance(60_000);
    expect((await handle.outcome()).result).toBe('second');
  });

  it('and returns too late is told to drop what was given to others (#16)', async () => {
    const { cluster, puppets, handle, run } = await running();
    await using _ = cluster;
    cluster.network.partition(run.node);
    cluster.network.cut(run.node);
    await cluster.until(() => puppets.runs.length === 2, 10_000);
    cluster.network.heal();
    await cluster.until(() => run.signal.aborted, 30_000);
    expect(run.signal.reason).toMatchObject({ code: 'NODE_LOST' });
    puppets.only.finish('second');
    expect(await cluster.until(handle.result())).toBe('second');
    expect(await statusOf(cluster, run.node)).toBe('online');
  });
});

describe('a node that falls silent', () => {
  it('gets no new work, then is lost, and is online again when it is heard of (#17)', async () => {
    const { cluster, puppets, handle, run } = await running();
    await using _ = cluster;
    const asked = await cluster.client('asker');
    const status = async (): Promise<string> => (await cluster.until(asked.node(run.node))).status;
    cluster.network.partition(run.node);
    await cluster.until(async () => (await status()) === 'unhealthy', 26_000);
    expect(puppets.runs).toHaveLength(1);
    await cluster.until(async () => (await status()) === 'offline', 26_000);
    await cluster.until(() => puppets.runs.length === 2, 1_000);
    puppets.runs[1]?.finish('second');
    expect(await cluster.until(handle.result())).toBe('second');
    cluster.network.heal();
    await cluster.until(async () => (await status()) === 'online', 40_000);
  });

  it('for a moment only is trusted again with its next frame, and loses nothing', async () => {
    const { cluster, puppets, handle, run } = await running();
    await using _ = cluster;
    cluster.network.partition(run.node);
    await cluster.advance(18_000);
    expect(await statusOf(cluster, run.node)).toBe('unhealthy');
    cluster.network.heal();
    await cluster.until(async () => (await statusOf(cluster, run.node)) === 'busy', 11_000);
    run.finish('first');
    expect(await cluster.until(handle.outcome())).toMatchObject({ result: 'first', attempts: 1 });
    expect(puppets.runs).toHaveLength(1);
  });
});

describe('a new process with the id of another', () => {
  it('supersedes it: the older stops, its work runs anew (#15)', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    const older = await cluster.node('node-1', { handlers: [puppets.on('older')] });
    const client = await cluster.client();
    const handle = client.submit(puppets.task, null);
    await cluster.settle();
    const newer = await cluster.node('node-1', { handlers: [puppets.on('newer')] });
    expect(await cluster.until(older.stopped)).toMatchObject({ code: 'SUPERSEDED' });
    await cluster.until(() => puppets.running.some((run) => run.node === 'newer'));
    puppets.only.finish('by the newer');
    expect(await cluster.until(handle.result())).toBe('by the newer');
    await cluster.advance(120_000);
    expect(newer.status).toBe('online');
  });
});

describe('a node that registers anew', () => {
  it('is given again what it does not know of, at the cost of a crash only if its process is another one', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const handle = client.submit('job', null);
    let peer = await MemoryPeer.join(cluster, 'node-1', { taskTypes: ['job'] });
    await cluster.settle();
    const { taskId } = peer.last('task_assign');
    const first = { taskId, attempt: 1 };
    const returns: [Partial<Payload<'register'>>, number, number][] = [
      [{}, 2, 0],
      // That one is not its own any more, though it is of a task that it has.
      [{ running: [first] }, 3, 0],
      [{ incarnation: 'other' }, 4, 1],
    ];
    for (const [claim, attempt, crashes] of returns) {
      peer.hangUp();
      peer = await MemoryPeer.join(cluster, 'node-1', { taskTypes: ['job'], ...claim });
      expect(peer.last('welcome').drop).toEqual(claim.running ?? []);
      await cluster.until(() => peer.of('task_assign').length > 0, 5_000);
      expect(peer.last('task_assign')).toMatchObject({ taskId, attempt });
      const { task } = await cluster.until(client.task(handle.taskId));
      expect(task).toMatchObject({ crashes, failures: 0 });
    }
  });
});

describe('a task that loses every node it runs on', () => {
  it('is failed after so many crashes, not run for ever (#36)', async () => {
    await using cluster = await createTestCluster({ limits: { crashesMax: 3 } });
    const puppets = new Puppets();
    const client = await cluster.client();
    const handle = client.submit(puppets.task, null);
    for (let crash = 1; crash <= 3; crash += 1) {
      await cluster.node(`node-${crash}`, { handlers: [puppets.on(`node-${crash}`)] });
      await cluster.until(() => puppets.runs.length === crash, 30_000);
      cluster.kill(`node-${crash}`);
    }
    const settled = await cluster.until(handle.outcome(), 30_000);
    expect(settled).toMatchObject({ status: 'failed', attempts: 3 });
    expect(settled.error).toMatchObject({ code: 'NODE_LOST' });
  });
});

describe('a gateway that is replaced on the same store', () => {
  it('adopts what runs: nothing is run again, and the client is told (#10 #55)', async () => {
    const { cluster, puppets, client, handle, run } = await running();
    await using _ = cluster;
    const waiting = client.submit(puppets.task, 'waits');
    await cluster.settle();
    puppets.runs[1]?.finish('early');
    await cluster.until(waiting.result());
    await cluster.restartGateway();
    await cluster.until(() => client.isConnected, 30_000);
    await cluster.until(async () => (await counter(cluster, 'liveTasks')) === 1, 30_000);
    run.finish('adopted');
    expect(await cluster.until(handle.outcome(), 30_000)).toMatchObject({ result: 'adopted', attempts: 1 });
    expect(puppets.runs).toHaveLength(2);
  });

  it('passes on a cancel that was asked for before, and takes results that ended meanwhile', async () => {
    const { cluster, puppets, client, handle, run } = await running();
    await using _ = cluster;
    const other = client.submit(puppets.task, 'other');
    await cluster.settle();
    const [, second] = puppets.runs;
    cluster.network.partition(run.node);
    await cluster.until(handle.cancel());
    const replaced = cluster.restartGateway();
    second?.finish('ended while nobody listened');
    await replaced;
    cluster.network.heal();
    cluster.network.cut(run.node);
    expect(await cluster.until(handle.outcome(), 60_000)).toMatchObject({ status: 'cancelled' });
    expect(await cluster.until(other.outcome(), 60_000)).toMatchObject({ status: 'completed', attempts: 1 });
    expect(run.signal.aborted).toBe(true);
  });
});

describe('a result', () => {
  it('that is late, said twice, or from somebody else changes nothing and is counted (#34 #35 #45)', async () => {
    await using cluster = await createTestCluster();
    const holder = await MemoryPeer.join(cluster, 'holder', { taskTypes: ['job'] });
    const stranger = await MemoryPeer.join(cluster, 'stranger', { taskTypes: ['other'] });
    const client = await cluster.client();
    const handle = client.submit('job', null);
    await cluster.settle();
    const { taskId } = holder.last('task_assign');
    const ref = { taskId, attempt: 1 };
    stranger.say('task_result', { ...ref, status: 'success', result: new Uint8Array([1]), duration: 1 });
    await cluster.settle();
    expect(await counter(cluster, 'resultsForeign')).toBe(1);
    expect((await cluster.store.get(taskId))?.status).toBe('assigned');
    holder.say('task_result', { ...ref, attempt: 7, status: 'success', result: new Uint8Array([2]), duration: 1 });
    holder.say('task_result', { ...ref, status: 'success', result: new Uint8Array([3]), duration: 1 });
    holder.say('task_result', { ...ref, status: 'failed', duration: 1 });
    expect(await cluster.until(handle.result())).toBe(3);
    await cluster.settle();
    expect(await counter(cluster, 'resultsLate')).toBe(2);
    // The stranger’s, and that of an attempt there never was; then the one that was said twice.
    expect(await counter(cluster, 'resultsStale')).toBe(2);
    expect(await counter(cluster, 'resultsDuplicate')).toBe(1);
    expect((await cluster.store.get(taskId))?.status).toBe('completed');
    expect(holder.closed).toBeNull();
  });
});

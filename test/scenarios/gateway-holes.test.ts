/** The five holes that chaos found in a prototype of several gateways, each a test of its name. */
import { describe, expect, it } from 'vitest';
import { createTestCluster } from '../../src/testing/cluster.ts';
import { counter, running, tampered } from '../support/gateways.ts';
import { MemoryPeer } from '../support/memory-peer.ts';
import { Puppets } from '../support/puppets.ts';

describe('hole 1, retry livelock', () => {
  it('a gateway that answers late is waited for over one link: nothing is torn down, nothing submitted in vain', async () => {
    const cluster = await createTestCluster({ gateways: 2 });
    await using _ = cluster;
    const client = await cluster.client('client-1', { via: [1] });
    const submit = cluster.store.submit.bind(cluster.store);
    let calls = 0;
    tampered(cluster, {
      submit: async (tasks) => {
        calls += tasks.length;
        await new Promise<void>((resolve) => void cluster.clock.schedule(20_000, resolve));
        return submit(tasks);
      },
    });
    const sessions = await counter(cluster, 1, 'sessions');
    const handles = Array.from({ length: 50 }, () => client.submit('job', null));
    await cluster.until(Promise.all(handles.map((handle) => handle.accepted())), 60_000);
    expect(calls).toBe(50);
    expect(client.isConnected).toBe(true);
    expect(await counter(cluster, 1, 'sessions')).toBe(sessions);
  });
});

describe('hole 2, mass orphaning', () => {
  it('after the store was away for two leases nobody is swept, and nothing is run again', async () => {
    const cluster = await createTestCluster({ gateways: 2 });
    await using _ = cluster;
    const puppets = new Puppets();
    for (const via of [1, 2]) {
      await cluster.node(`node-${via}`, { via: [via], maxTasks: 20, handlers: [puppets.on(`node-${via}`)] });
    }
    const client = await cluster.client('client-1');
    const handles = Array.from({ length: 40 }, () => client.submit(puppets.task, null));
    await cluster.until(() => puppets.runs.length === 40, 10_000);
    const away = (): Promise<never> => Promise.reject(new Error('the store is away'));
    const untamper = tampered(cluster, { renew: away, sweep: away, claim: away, owned: away, putNodes: away });
    await cluster.advance(20_000);
    untamper();
    await cluster.advance(30_000);
    expect(puppets.runs).toHaveLength(40);
    for (const run of puppets.running) run.finish();
    const outcomes = await cluster.until(Promise.all(handles.map((handle) => handle.outcome())), 20_000);
    expect(outcomes.every(({ status, attempts }) => status === 'completed' && attempts === 1)).toBe(true);
  });
});

describe('hole 3, an attempt budget burnt by what was never delivered', () => {
  it('thirty rejections cost nothing: a task with one attempt still has it', async () => {
    const cluster = await createTestCluster({ limits: { breakerFaultsMax: 1_000 } });
    await using _ = cluster;
    const full = await MemoryPeer.join(cluster, 'full', { taskTypes: ['job'] });
    const client = await cluster.client();
    const handle = client.submit('job', null, { attempts: 1 });
    for (let rejected = 1; rejected <= 30; rejected += 1) {
      await cluster.until(() => full.of('task_assign').length === rejected, 20_000);
      const { taskId, attempt } = full.last('task_assign');
      full.say('task_reject', { taskId, attempt, code: 'NODE_FULL', message: 'no room' });
      await cluster.settle();
    }
    full.hangUp();
    const record = await cluster.store.get(handle.taskId);
    expect(record).toMatchObject({ failures: 0, crashes: 0 });
    expect(record?.attempt).toBeGreaterThanOrEqual(30);
    const puppets = new Puppets();
    await cluster.node('able', { handlers: [puppets.on('able')] });
    await cluster.until(() => puppets.runs.length === 1, 20_000);
    puppets.only.finish('at last');
    expect(await cluster.until(handle.result())).toBe('at last');
  });
});

describe('hole 4, a claim with an unknown outcome', () => {
  it('what was claimed and never heard of is given back, at no cost, while other claims go on', async () => {
    const cluster = await createTestCluster({ gateways: 2 });
    await using _ = cluster;
    const puppets = new Puppets();
    await cluster.node('node-1', { maxTasks: 5, handlers: [puppets.on('node-1')] });
    const client = await cluster.client('client-1');
    const claim = cluster.store.claim.bind(cluster.store);
    const untamper = tampered(cluster, {
      claim: async (...given) => {
        const claimed = await claim(...given);
        if ((claimed?.length ?? 0) > 0) throw new Error('the answer was lost');
        return claimed;
      },
    });
    const handle = client.submit(puppets.task, null, { attempts: 1 });
    await cluster.until(async () => (await cluster.store.get(handle.taskId))?.status === 'assigned', 5_000);
    untamper();
    Object.assign(cluster.store, { claim });
    await cluster.until(() => puppets.runs.length === 1, 5_000);
    expect(await cluster.store.get(handle.taskId)).toMatchObject({ attempt: 2, failures: 0, crashes: 0 });
    puppets.only.finish();
    await cluster.until(handle.result());
  });
});

describe('hole 5, re-registration', () => {
  it('a process that comes anew to another gateway gives up what its forerunner ran, which runs again at once', async () => {
    const { cluster, handle, home, other } = await running();
    await using _ = cluster;
    const again = new Puppets();
    // Its link is half open: the first gateway does not know yet that the process is dead.
    cluster.network.partition(home === 1 ? 'gateway' : 'gateway-2');
    await cluster.node('node-1', { via: [other], maxTasks: 1, handlers: [again.on('node-1')] });
    await cluster.until(() => again.runs.length === 1, 5_000);
    expect(again.only).toMatchObject({ attempt: 2 });
    cluster.network.heal();
    again.only.finish('by the new process');
    expect(await cluster.until(handle.outcome(), 10_000)).toMatchObject({ result: 'by the new process' });
  });
});

/** Gateways of one store that die, stall or drain. */
import { describe, expect, it } from 'vitest';
import type { Store } from '../../src/actors/store/store.ts';
import { createTestCluster } from '../../src/testing/cluster.ts';
import { counter, drainingAlone, running, runningAmongThree, tampered } from '../support/gateways.ts';
import { MemoryPeer } from '../support/memory-peer.ts';
import { Puppets } from '../support/puppets.ts';

describe('a gateway that is killed', () => {
  it('leaves its nodes to another one, which adopts what they run: nothing is run again', async () => {
    const { cluster, puppets, handle, run, home, other } = await running();
    await using _ = cluster;
    const killedAt = cluster.clock.now();
    cluster.killGateway(home);
    await cluster.until(async () => (await counter(cluster, other, 'liveTasks')) === 1, 2_000);
    expect(cluster.clock.now() - killedAt).toBeLessThan(2_000);
    // Long after the dead gateway was swept, too.
    await cluster.advance(30_000);
    run.finish('adopted');
    expect(await cluster.until(handle.outcome(), 10_000)).toMatchObject({ result: 'adopted', attempts: 1 });
    expect(puppets.runs).toHaveLength(1);
  });

  it.each([1, 2, 3, 4])('leaves its nodes to one that answers, not to one that does not (seed %i)', async (seed) => {
    const { cluster, puppets, handle, home } = await runningAmongThree(seed);
    await using _ = cluster;
    const [silent, other] = [1, 2, 3].filter((number) => number !== home) as [number, number];
    cluster.network.partition(silent === 1 ? 'gateway' : `gateway-${silent}`);
    const killedAt = cluster.clock.now();
    cluster.killGateway(home);
    await cluster.until(async () => (await counter(cluster, other, 'liveTasks')) === 1, 10_000);
    expect(cluster.clock.now() - killedAt).toBeLessThanOrEqual(2_000);
    puppets.only.finish('output');
    expect((await cluster.until(handle.outcome())).result).toBe('output');
    expect(puppets.runs).toHaveLength(1);
  });

  it.each([1, 2, 3])(
    'leaves its nodes to one that takes its time to adopt: nothing is run again (seed %i)',
    async (seed) => {
      const { cluster, puppets, client, handle, home } = await runningAmongThree(seed);
      await using _ = cluster;
      const adopt = cluster.store.adopt.bind(cluster.store);
      tampered(cluster, {
        adopt: async (...given) => {
          await new Promise<void>((resolve) => cluster.clock.schedule(1_500, resolve));
          return adopt(...given);
        },
      });
      cluster.killGateway(home);
      await cluster.advance(30_000);
      puppets.only.finish('output');
      expect(await cluster.until(handle.outcome())).toMatchObject({ result: 'output', attempts: 1 });
      const { task } = await cluster.until(client.task(handle.taskId));
      expect(task.crashes).toBe(0);
    },
  );

  it('with all its nodes costs their tasks one crash, and they run elsewhere within the lease', async () => {
    const { cluster, puppets, client, handle, home, other } = await running();
    await using _ = cluster;
    await cluster.node('node-2', { via: [other], handlers: [puppets.on('node-2')] });
    const waiting = client.submit(puppets.task, 'second');
    await cluster.until(() => puppets.runs.length === 2);
    const diedAt = cluster.clock.now();
    cluster.kill('node-1');
    cluster.killGateway(home);
    await cluster.until(() => puppets.runs.length === 3, 20_000);
    expect(cluster.clock.now() - diedAt).toBeLessThan(11_500);
    expect(puppets.runs[2]).toMatchObject({ node: 'node-2', attempt: 2, input: 'input' });
    for (const run of puppets.running) run.finish('again');
    expect(await cluster.until(handle.outcome(), 10_000)).toMatchObject({ result: 'again', attempts: 2 });
    await cluster.until(waiting.result(), 10_000);
  });

  it('after a result was reported and before it was acknowledged: the other one gets it, once', async () => {
    const { cluster, puppets, handle, run, home } = await running();
    await using _ = cluster;
    const untamper = tampered(cluster, { complete: () => new Promise(() => {}) });
    run.finish('said again');
    await cluster.advance(100);
    untamper();
    cluster.killGateway(home);
    expect(await cluster.until(handle.outcome(), 10_000)).toMatchObject({ result: 'said again', attempts: 1 });
    expect(puppets.runs).toHaveLength(1);
  });

  it('takes no submit with it: what was not acknowledged is submitted to another one', async () => {
    const cluster = await createTestCluster({ gateways: 2 });
    await using _ = cluster;
    const puppets = new Puppets();
    await cluster.node('node-1', { maxTasks: 1_000, handlers: [puppets.on('node-1')] });
    const client = await cluster.client('client-1');
    const handles = Array.from({ length: 300 }, (_, index) => client.submit(puppets.task, index));
    await cluster.settle();
    cluster.killGateway(1);
    const accepted = await cluster.until(Promise.all(handles.map((handle) => handle.accepted())), 20_000);
    expect(new Set(accepted.map(({ taskId }) => taskId)).size).toBe(300);
    await cluster.until(() => puppets.runs.length === 300, 30_000);
    for (const run of puppets.running) run.finish(run.input);
    expect(await cluster.until(Promise.all(handles.map((handle) => handle.result())), 30_000)).toEqual(
      handles.map((_, index) => index),
    );
  });
});

describe('a gateway that cannot renew its claim', () => {
  it('claims and places nothing from 7 s on, by its own clock, and goes on once it has renewed', async () => {
    const cluster = await createTestCluster();
    await using _ = cluster;
    const puppets = new Puppets();
    await cluster.node('node-1', { handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    const untamper = tampered(cluster, { renew: () => new Promise(() => {}) });
    const claim = cluster.store.claim.bind(cluster.store);
    let claims = 0;
    Object.assign(cluster.store, {
      claim: (...given: Parameters<Store['claim']>) => {
        claims += 1;
        return claim(...given);
      },
    });
    await cluster.advance(7_100);
    client.submit(puppets.task, null);
    await cluster.advance(5_000);
    expect(puppets.runs).toEqual([]);
    expect(claims).toBe(0);
    untamper();
    await cluster.restartGateway();
    await cluster.until(() => puppets.runs.length === 1, 10_000);
  });

  it('does not place what a claim gave it too late: others may have it by then', async () => {
    const cluster = await createTestCluster();
    await using _ = cluster;
    const puppets = new Puppets();
    await cluster.node('node-1', { handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    const { store } = cluster;
    const claim = store.claim.bind(store);
    const renew = store.renew.bind(store);
    const untamper = tampered(cluster, {
      renew: () => Promise.reject(new Error('the store is away')),
      claim: async (...given) => {
        const claimed = await claim(...given);
        await new Promise<void>((resolve) => void cluster.clock.schedule(8_000, resolve));
        return claimed;
      },
    });
    const handle = client.submit(puppets.task, null);
    await cluster.advance(8_500);
    expect(puppets.runs).toEqual([]);
    untamper();
    Object.assign(store, { renew, claim });
    await cluster.until(() => puppets.runs.length === 1, 10_000);
    puppets.only.finish();
    expect(await cluster.until(handle.outcome())).toMatchObject({ status: 'completed', attempts: 1 });
  });
});

describe('an attempt that another gateway has adopted', () => {
  it('is not failed by the gateway that lost its node once too often (an owner is asked)', async () => {
    const { cluster, puppets, handle, run, home } = await running({ limits: { crashesMax: 1 } });
    await using _ = cluster;
    // The link breaks, the node goes to the other gateway; the first one still waits for it, and then gives it up.
    cluster.network.partition(home === 1 ? 'gateway' : 'gateway-2');
    cluster.network.cut('node-1');
    await cluster.advance(10_000);
    expect((await cluster.store.get(handle.taskId))?.status).toBe('running');
    cluster.network.heal();
    run.finish('not lost');
    expect(await cluster.until(handle.outcome(), 10_000)).toMatchObject({ result: 'not lost', attempts: 1 });
    expect(puppets.runs).toHaveLength(1);
  });

  it('is forgotten by the gateway that had it, and its node too', async () => {
    const { cluster, run, home, other } = await running({ limits: { resumeWindowMs: 60_000 } });
    await using _ = cluster;
    cluster.network.partition(home === 1 ? 'gateway' : 'gateway-2');
    cluster.network.cut('node-1');
    await cluster.until(async () => (await counter(cluster, other, 'liveTasks')) === 1, 5_000);
    await cluster.until(async () => (await counter(cluster, home, 'liveTasks')) === 0, 5_000);
    cluster.network.heal();
    const client = await cluster.client('asker', { via: [home] });
    expect((await cluster.until(client.nodes())).map(({ nodeId, status }) => [nodeId, status])).toEqual([
      ['node-1', 'busy'],
    ]);
    run.finish();
  });
});

describe('a gateway that drains beside another', () => {
  it('sends its nodes there with what they run, and stops: nothing is run again', async () => {
    const { cluster, puppets, node, handle, run, home, other } = await running();
    await using _ = cluster;
    await cluster.until(cluster.gatewayAt(home).drain(), 5_000);
    expect(await counter(cluster, other, 'liveTasks')).toBe(1);
    expect(node.status).toBe('busy');
    run.finish('moved');
    expect(await cluster.until(handle.outcome(), 5_000)).toMatchObject({ result: 'moved', attempts: 1 });
    expect(puppets.runs).toHaveLength(1);
    expect((await cluster.store.get(handle.taskId))?.crashes).toBe(0);
  });

  it('lets a node that knows no other finish with it', async () => {
    const cluster = await createTestCluster({ gateways: 2 });
    await using _ = cluster;
    const puppets = new Puppets();
    await cluster.node('node-1', { via: [1], handlers: [puppets.on('node-1')] });
    const client = await cluster.client('client-1', { via: [2] });
    const handle = client.submit(puppets.task, null);
    await cluster.until(() => puppets.runs.length === 1, 5_000);
    const drained = cluster.gatewayAt(1).drain();
    await cluster.advance(2_000);
    expect(cluster.gatewayAt(1).status).toBe('draining');
    puppets.only.finish('to the end');
    expect(await cluster.until(handle.result(), 6_000)).toBe('to the end');
    await cluster.until(drained, 2_000);
    expect(puppets.runs).toHaveLength(1);
  });

  it('is asked now and then while no other can be reached, and left for one that comes', async () => {
    const { cluster, puppets, first, drained, late } = await drainingAlone({ via: [1, 2] });
    await using _ = cluster;
    await cluster.advance(30_000);
    expect(cluster.gateway.status).toBe('draining');
    await cluster.restartGateway(2);
    await cluster.until(late.accepted(), 30_000);
    expect(cluster.gateway.status).toBe('draining');
    for (const run of puppets.running) run.finish();
    await cluster.until(drained, 30_000);
    await cluster.until(first.outcome(), 30_000);
    await cluster.until(() => puppets.running.length === 1, 30_000);
    puppets.only.finish();
    expect(await cluster.until(late.outcome(), 30_000)).toMatchObject({ status: 'completed' });
  });

  it('is not left once more by who has gone to another one when it stopped', async () => {
    const { cluster, puppets, client, drained, late } = await drainingAlone({ via: [1] });
    await using _ = cluster;
    // It has left this one, has found no other, and is about to try again.
    await cluster.until(() => client.isConnected, 10_000);
    await cluster.restartGateway(2);
    puppets.only.finish();
    await cluster.until(drained, 10_000);
    await cluster.until(late.accepted(), 10_000);
    for (let look = 0; look < 60; look += 1) {
      await cluster.advance(500);
      expect(client.isConnected).toBe(true);
    }
  });

  it('is replaced under load without one failed submit, and without running anything twice', async () => {
    const cluster = await createTestCluster({ gateways: 2 });
    await using _ = cluster;
    const puppets = new Puppets();
    for (const id of ['node-1', 'node-2']) await cluster.node(id, { maxTasks: 500, handlers: [puppets.on(id)] });
    const clients = [await cluster.client('client-1'), await cluster.client('client-2')];
    const handles: { accepted(): Promise<unknown>; result(): Promise<unknown> }[] = [];
    const load = async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 20) {
        for (const client of clients) handles.push(client.submit(puppets.task, handles.length));
        await cluster.advance(20);
        for (const run of puppets.running.slice(0, 2)) run.finish();
      }
    };
    for (const number of [1, 2]) {
      await load(500);
      const drained = cluster.gatewayAt(number).drain();
      await load(500);
      await cluster.until(drained, 5_000);
      await cluster.restartGateway(number);
      await load(500);
    }
    await cluster.until(Promise.all(handles.map((handle) => handle.accepted())), 20_000);
    await cluster.until(() => puppets.runs.length >= handles.length, 30_000);
    for (const run of puppets.running) run.finish();
    await cluster.until(Promise.all(handles.map((handle) => handle.result())), 30_000);
    expect(puppets.runs).toHaveLength(handles.length);
  });
});

describe('peers that do not drain what they are sent', () => {
  it('are cut, and their work is placed again', async () => {
    const cluster = await createTestCluster({
      limits: { unacknowledgedMax: 150, submitsUnderWayMax: 50, outboxResultsMax: 100 },
    });
    await using _ = cluster;
    const deaf = await MemoryPeer.join(cluster, 'deaf', { taskTypes: ['job'], maxTasks: 1_000 });
    deaf.acknowledges = false;
    const client = await cluster.client();
    for (let index = 0; index < 200; index += 1) client.submit('job', null);
    await cluster.until(() => deaf.closed !== null, 30_000);
    expect(deaf.of('task_assign').length).toBeLessThanOrEqual(150);
    const puppets = new Puppets();
    await cluster.node('able', { maxTasks: 50, handlers: [puppets.on('able')] });
    await cluster.until(() => {
      for (const run of puppets.running) run.finish();
      return puppets.runs.length === 200;
    }, 30_000);
  });
});

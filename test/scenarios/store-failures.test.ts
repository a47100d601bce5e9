/** A store that fails for a while: nothing is lost, and nothing is acknowledged that it does not have. */
import { describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../src/actors/store/memory/memory-store.ts';
import type { Store } from '../../src/actors/store/store.ts';
import { PincerError } from '../../src/protocol/failure.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';
import { tampered } from '../support/gateways.ts';
import { MemoryPeer } from '../support/memory-peer.ts';
import { Puppets } from '../support/puppets.ts';

interface FailingStore {
  readonly store: Store;
  /** The verbs that reject now. */
  readonly failing: Set<keyof Store>;
  /** The verbs that do their work and then reject: the answer is lost. */
  readonly mute: Set<keyof Store>;
  /** Verbs that do nothing and answer this. */
  readonly lies: Map<keyof Store, unknown>;
}

/** A cluster over a store that a test can make fail. */
async function clustered(): Promise<FailingStore & { cluster: TestCluster }> {
  const failing = new Set<keyof Store>();
  const mute = new Set<keyof Store>();
  const lies = new Map<keyof Store, unknown>();
  let inner: Store | null = null;
  const store = new Proxy({} as Store, {
    get(_, property: keyof Store) {
      const member: unknown = inner === null ? undefined : inner[property];
      if (typeof member !== 'function') return member;
      return (...given: unknown[]): unknown => {
        const away = new PincerError('STORE_UNAVAILABLE', `${property} fails now`);
        if (lies.has(property)) return Promise.resolve(lies.get(property));
        if (failing.has(property)) return Promise.reject(away);
        const answer: unknown = Reflect.apply(member, inner, given);
        return mute.has(property) ? Promise.resolve(answer).then(() => Promise.reject(away)) : answer;
      };
    },
  });
  // The store needs the cluster’s clock, and the cluster its store: the clock of a cluster that is thrown away would
  // not pass, so the store is made with one that reads the cluster’s.
  let now = (): number => 0;
  let soon = (callback: () => void): void => queueMicrotask(callback);
  const clock = {
    now: () => now(),
    wallTime: () => now(),
    soon: (callback: () => void) => soon(callback),
    schedule: () => () => {},
  };
  let ids = 0;
  inner = createMemoryStore({ clock, ids: () => `store-${++ids}` });
  const cluster = await createTestCluster({ store });
  now = () => cluster.clock.now();
  soon = (callback) => cluster.clock.soon(callback);
  return { cluster, store, failing, mute, lies };
}

describe('a store that fails for a while', () => {
  it('refuses submits, which may be sent again', async () => {
    const { cluster, failing } = await clustered();
    await using _ = cluster;
    const client = await cluster.client();
    failing.add('submit');
    const refusal = await cluster.until(
      client
        .submit('job', 1)
        .accepted()
        .catch((error: unknown) => error),
    );
    expect(refusal).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true });
    failing.clear();
    await cluster.until(client.submit('job', 1).accepted());
  });

  it('that gives one verdict too few has the others answered with those it gave, each once', async () => {
    const { cluster, lies } = await clustered();
    await using _ = cluster;
    const peer = await MemoryPeer.join(cluster, 'client', { nodeType: 'client' });
    lies.set('submit', [{ taskId: 'a', created: true, status: 'pending' }]);
    const spec = { type: 'job', payload: new Uint8Array(0), priority: 5, timeout: 1_000, watch: false };
    peer.sayAll(['a', 'b'].map((taskId, at) => ({ type: 'task_submit', id: at + 1, payload: { ...spec, taskId } })));
    await cluster.settle();
    const answers = peer.heard.filter(({ type }) => type === 'task_accepted' || type === 'error');
    expect(answers).toMatchObject([
      { type: 'task_accepted', payload: { taskId: 'a' } },
      { type: 'error', payload: { code: 'INTERNAL', message: expect.stringContaining('no verdict') } },
    ]);
  });

  it('acknowledges a result only when it has it, and its task settles once (#60)', async () => {
    const { cluster, failing } = await clustered();
    await using _ = cluster;
    const peer = await MemoryPeer.join(cluster, 'node-1');
    const client = await cluster.client();
    const handle = client.submit('job', null);
    await cluster.settle();
    const { taskId } = peer.last('task_assign');
    failing.add('complete');
    peer.say('task_result', { taskId, attempt: 1, status: 'success', result: new Uint8Array([5]), duration: 1 });
    await cluster.advance(5_000);
    expect(peer.of('ack').filter(({ received }) => received > 0)).toEqual([]);
    failing.clear();
    expect(await cluster.until(handle.result(), 2_000)).toBe(5);
    expect(peer.last('ack')).toEqual({ received: 1 });
    await cluster.advance(20_000);
    expect((await cluster.gateway.stats()).counters['liveTasks']).toBe(0);
  });

  it('loses no task whose claim or release fails, and none whose claim was made but not answered', async () => {
    const { cluster, failing, mute } = await clustered();
    await using _ = cluster;
    const puppets = new Puppets();
    await cluster.node('node-1', { maxTasks: 2, handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    failing.add('claim');
    const handles = [1, 2, 3].map((n) => client.submit(puppets.task, n));
    await cluster.advance(3_000);
    expect(puppets.runs).toEqual([]);
    failing.clear();
    mute.add('claim');
    await cluster.advance(1_500);
    mute.clear();
    await cluster.until(() => puppets.running.length === 2, 10_000);
    failing.add('release');
    puppets.running[0]?.fail(new Error('again, please'));
    await cluster.advance(3_000);
    failing.clear();
    await cluster.until(async () => {
      for (const run of puppets.running) run.finish(run.input);
      return (await cluster.store.stats()).byStatus.completed === 3;
    }, 60_000);
    expect(await cluster.until(Promise.all(handles.map((handle) => handle.result())))).toEqual([1, 2, 3]);
  });

  it('that has taken the claim of its gateway away is joined anew: what runs is adopted, results are kept until they count', async () => {
    const { cluster, failing, lies } = await clustered();
    await using _ = cluster;
    const peer = await MemoryPeer.join(cluster, 'node-1', { maxTasks: 2 });
    const client = await cluster.client();
    const handles = [1, 2].map((n) => client.submit('job', n));
    await cluster.settle();
    const [first, second] = peer.of('task_assign').map(({ taskId }) => ({ taskId, attempt: 1 }));
    if (first === undefined || second === undefined) throw new Error('two tasks were assigned');
    failing.add('complete');
    peer.say('task_result', { ...first, status: 'success', result: new Uint8Array([1]), duration: 1 });
    await cluster.settle();
    // Twice: it comes back from each time.
    for (let lapse = 0; lapse < 2; lapse += 1) {
      lies.set('renew', false);
      await cluster.advance(3_500);
      lies.clear();
      await cluster.advance(1_000);
    }
    expect(peer.of('ack').filter(({ received }) => received > 0)).toEqual([]);
    failing.clear();
    await cluster.advance(1_000);
    peer.say('task_result', { ...second, status: 'success', result: new Uint8Array([2]), duration: 1 });
    expect(await cluster.until(Promise.all(handles.map((handle) => handle.outcome())), 5_000)).toMatchObject([
      { result: 1, attempts: 1 },
      { result: 2, attempts: 1 },
    ]);
    await cluster.advance(defaultLimits.acknowledgeMs);
    expect(peer.last('ack')).toEqual({ received: 2 });
    expect((await cluster.gateway.stats()).counters['liveTasks']).toBe(0);
  });

  it('that is slow to let what runs be adopted has no result acknowledged that does not count', async () => {
    await using cluster = await createTestCluster({ gateways: 2, limits: { listMax: 2 } });
    const peer = await MemoryPeer.join(cluster, 'node-1', { maxTasks: 40 }, 'gateway');
    const client = await cluster.client('client-1', { via: [1] });
    for (let n = 0; n < 40; n += 1) client.submit('job', n, { timeoutMs: 600_000 });
    await cluster.until(() => peer.of('task_assign').length === 40, 10_000);
    // One gateway cannot renew its claim, the other one sweeps; and a commit takes its time.
    const renew = cluster.store.renew.bind(cluster.store);
    const adopt = cluster.store.adopt.bind(cluster.store);
    const awayUntil = cluster.clock.now() + 13_000;
    let adopts = 0;
    tampered(cluster, {
      renew: async (gateway, ttl) => {
        if (gateway.startsWith('gateway-1') && cluster.clock.now() < awayUntil) throw new Error('away');
        return renew(gateway, ttl);
      },
      adopt: async (...given) => {
        adopts += 1;
        await new Promise<void>((resolve) => void cluster.clock.schedule(50, resolve));
        return adopt(...given);
      },
    });
    const load = { cpu: 0, memory: 0, tasks: 40 };
    while (adopts === 0) {
      peer.say('heartbeat', { nodeId: 'node-1', status: 'healthy', load, capabilities: [], maxTasks: 40 });
      await cluster.until(() => adopts > 0, 500).catch(() => {});
    }
    const assigned = peer.of('task_assign').slice(0, 40);
    for (const { taskId, attempt } of assigned) {
      peer.say('task_result', { taskId, attempt, status: 'success', result: new Uint8Array([7]), duration: 1 });
    }
    await cluster.advance(3_000);
    expect(peer.of('ack').at(-1)?.received).toBeGreaterThanOrEqual(40);
    for (const { taskId, attempt } of assigned) {
      const record = await cluster.store.get(taskId);
      // Another one has it by now, or it has settled.
      if (record?.attempt === attempt) expect(record.status).not.toMatch(/assigned|running/);
    }
  });

  it('that refuses an adoption is asked again, and the gateway hears the others all the same', async () => {
    await using cluster = await createTestCluster({ gateways: 2 });
    const puppets = new Puppets();
    const node = await cluster.node('node-1', { via: [1], maxTasks: 2, handlers: [puppets.on('node-1')] });
    const heard: unknown[] = [];
    node.messages.onMessage(({ body }) => void heard.push(body));
    const client = await cluster.client('client-1', { via: [1] });
    const other = await cluster.client('client-2', { via: [2] });
    client.submit(puppets.task, null);
    await cluster.until(() => puppets.runs.length === 1);
    await cluster.advance(5_000);
    const renew = cluster.store.renew.bind(cluster.store);
    const adopt = cluster.store.adopt.bind(cluster.store);
    let [adopts, hasLied] = [0, false];
    tampered(cluster, {
      renew: async (gateway, ttl) => {
        if (hasLied || !gateway.startsWith('gateway-1')) return renew(gateway, ttl);
        hasLied = true;
        await cluster.store.leave(gateway);
        return false;
      },
      adopt: async (...given) => {
        adopts += 1;
        if (adopts === 1) throw new Error('the disk is full');
        return adopt(...given);
      },
    });
    await cluster.until(() => adopts === 1, 20_000);
    await cluster.until(() => adopts === 2, 20_000);
    // By then the others have looked who is there.
    await cluster.advance(5_000);
    await cluster.until(other.messages.send('node-1', 'heard'));
    expect(heard).toEqual(['heard']);
  });

  it('that has given what runs to another gateway has it stopped where it ran before, and its slot is free', async () => {
    await using cluster = await createTestCluster({ gateways: 2 });
    const puppets = new Puppets();
    await cluster.node('node-1', { via: [1], maxTasks: 1, handlers: [puppets.on('node-1')] });
    const client = await cluster.client('client', { via: [2] });
    const handle = client.submit(puppets.task, 'first');
    await cluster.until(() => puppets.runs.length === 1, 5_000);
    await cluster.node('node-2', { via: [2], maxTasks: 1, handlers: [puppets.on('node-2')] });
    const [first] = await cluster.store.gateways();
    await cluster.store.leave(first?.gateway ?? '');
    await cluster.until(() => puppets.runs.length === 2, 5_000);
    await cluster.until(() => puppets.runs[0]?.signal.aborted === true, 5_000);
    // The task is not cancelled, and a handler that asks is not told so.
    expect(puppets.runs[0]?.signal.reason).toMatchObject({ code: 'NODE_LOST' });
    client.submit(puppets.task, 'second');
    await cluster.until(() => puppets.running.length === 2, 5_000);
    expect(puppets.running.map(({ node, input }) => [node, input])).toEqual([
      ['node-2', 'first'],
      ['node-1', 'second'],
    ]);
    puppets.runs[1]?.finish('once');
    expect(await cluster.until(handle.outcome(), 5_000)).toMatchObject({ result: 'once', node: 'node-2' });
  });

  it('that cannot be read for a moment is asked again how a task ended, while somebody waits for it', async () => {
    await using cluster = await createTestCluster();
    // Alone for so long that nobody looks any more for what another gateway may have settled.
    await cluster.advance(30_000);
    const client = await cluster.client();
    const handle = client.submit('job', null, { ttlMs: 1_000 });
    await cluster.until(handle.accepted());
    let reads = 0;
    const untamper = tampered(cluster, {
      get: () => {
        reads += 1;
        return Promise.reject(new Error('away'));
      },
    });
    await cluster.until(() => reads > 1, 10_000);
    untamper();
    expect(await cluster.until(handle.outcome(), 10_000)).toMatchObject({ status: 'failed' });
  });

  it('that will not have one result takes the others all the same', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('node-1', { maxTasks: 3, handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    const handles = ['poisoned', 'well', 'well-too'].map((taskId) => client.submit(puppets.task, null, { taskId }));
    await cluster.until(() => puppets.runs.length === 3);
    const complete = cluster.store.complete.bind(cluster.store);
    const untamper = tampered(cluster, {
      complete: async (completions) => {
        if (completions.some(({ taskId }) => taskId === 'poisoned')) throw new Error('a fault of the store');
        return complete(completions);
      },
    });
    for (const run of puppets.running) run.finish('ok');
    expect(await cluster.until(Promise.all(handles.slice(1).map((handle) => handle.result())))).toEqual(['ok', 'ok']);
    untamper();
    expect(await cluster.until(Promise.all(handles.map((handle) => handle.result())))).toEqual(['ok', 'ok', 'ok']);
  });

  it('is told again of a node that has gone, until it lists it no more', async () => {
    const { cluster, store, failing } = await clustered();
    await using _ = cluster;
    const node = await cluster.node('node-1', { handlers: [] });
    const listed = async (): Promise<string[]> => (await store.nodes()).map(({ nodeId }) => nodeId);
    await cluster.until(async () => (await listed()).length === 1, 5_000);
    failing.add('dropNode');
    await cluster.until(node.stop());
    await cluster.advance(defaultLimits.removeAfterMs + 5_000);
    expect(await listed()).toEqual(['node-1']);
    failing.clear();
    await cluster.advance(2 * defaultLimits.directoryMs);
    expect(await listed()).toEqual([]);
  });

  it('is asked for work as often, however many attempts end meanwhile', async () => {
    const asked = async (ends: number): Promise<number> => {
      await using cluster = await createTestCluster();
      const puppets = new Puppets();
      await Promise.all(
        Array.from({ length: 10 }, (_, n) =>
          cluster.node(`node-${n}`, { maxTasks: 1, handlers: [puppets.on(`node-${n}`)] }),
        ),
      );
      const client = await cluster.client();
      for (let n = 0; n < 30; n += 1) client.submit(puppets.task, n);
      await cluster.until(() => puppets.running.length === 10);
      let claims = 0;
      const claim = async (): Promise<never> => {
        claims += 1;
        throw new Error('away');
      };
      Object.assign(cluster.store, { claim });
      for (const run of puppets.running.slice(0, ends)) {
        run.finish();
        await cluster.advance(7);
      }
      claims = 0;
      await cluster.advance(20_000);
      return claims;
    };
    const once = await asked(1);
    expect(once).toBeGreaterThan(10);
    expect(await asked(10)).toBeLessThanOrEqual(once + 1);
  });

  it('does not bring down the gateway when nothing of it works', async () => {
    const { cluster, failing } = await clustered();
    await using _ = cluster;
    const puppets = new Puppets();
    await cluster.node('node-1', { handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    const handle = client.submit(puppets.task, 1);
    await cluster.settle();
    for (const verb of ['renew', 'sweep', 'claim', 'complete', 'release', 'owned', 'submit', 'get', 'cancel'] as const)
      failing.add(verb);
    puppets.only.finish('kept');
    await cluster.advance(60_000);
    expect(cluster.gateway.status).toBe('serving');
    failing.clear();
    expect(await cluster.until(handle.result(), 10_000)).toBe('kept');
    expect(puppets.runs).toHaveLength(1);
  });
});

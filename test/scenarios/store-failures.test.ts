/** A store that fails for a while: nothing is lost, and nothing is acknowledged that it does not have. */
import { describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../src/actors/store/memory.ts';
import type { Store } from '../../src/actors/store/store.ts';
import { PincerError } from '../../src/protocol/failure.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';
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
    lies.set('renew', false);
    await cluster.advance(3_500);
    lies.clear();
    await cluster.advance(1_000);
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

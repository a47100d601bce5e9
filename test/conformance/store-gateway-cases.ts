/** What the contract says of gateways: who may be fenced, when, by whom, and what becomes of its tasks. */
import { describe, expect, it } from 'vitest';
import { contradictions, replayHistory } from '../../src/machines/task-replay.ts';
import { aTask, bytesOf, type Fixture, fixtureOf, idsOf, QUEUE, TTL_MS, textOf } from './store-fixture.ts';
import type { OpenStore } from './store-stream.ts';

/** Lets time pass while the gateway of the fixture renews, as a living one does. */
async function live({ clock, store, gateway }: Fixture, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += TTL_MS / 2) {
    await clock.advance(TTL_MS / 2);
    await store.renew(gateway, TTL_MS);
  }
}

export function gatewayCases(open: OpenStore): void {
  describe('a lease', () => {
    it('gives every join an id of its own', async () => {
      const { store, gateway } = await fixtureOf(open);
      expect(await store.join('home', TTL_MS)).not.toBe(gateway);
    });

    it('is renewed however late, as long as nobody swept it', async () => {
      const { store, clock, gateway, claim } = await fixtureOf(open);
      await store.submit([aTask()]);
      await clock.advance(100 * TTL_MS);
      expect(idsOf(await claim())).toEqual(['t1']);
      expect(await store.renew(gateway, TTL_MS)).toBe(true);
      expect(await store.owned(gateway)).toEqual([{ taskId: 't1', attempt: 1, cancelRequested: false }]);
    });

    it('fences a swept gateway from everything but results (I7)', async () => {
      const fixture = await fixtureOf(open);
      const { store } = fixture;
      const zombie = await store.join('zombie', TTL_MS);
      await store.submit([aTask()]);
      await store.claim(zombie, [{ queue: QUEUE, limit: 1 }], 1);
      await live(fixture, 2 * TTL_MS);
      expect(await store.sweep(fixture.gateway, 10)).toEqual({ dead: [zombie], requeued: 1, due: 0, expired: 0 });
      expect(await store.renew(zombie, TTL_MS)).toBe(false);
      expect(await store.claim(zombie, [{ queue: QUEUE, limit: 1 }], 1)).toBeNull();
      expect(await store.adopt(zombie, 'n1', [{ taskId: 't1', attempt: 1 }])).toBeNull();
      const release = { taskId: 't1', attempt: 1, costs: 'nothing', delayMs: 0 } as const;
      expect(await store.release(zombie, [release])).toEqual(['stale']);
      expect(await store.owned(zombie)).toEqual([]);
      expect(await store.complete([{ taskId: 't1', attempt: 1, status: 'completed', runMs: 1 }])).toEqual(['stale']);
      expect(await store.sweep(zombie, 10)).toEqual({ dead: [], requeued: 0, due: 0, expired: 0 });
    });

    it('can be looked at: who has one, for how long, and what each owns', async () => {
      const { store, clock, gateway, claimNew } = await fixtureOf(open);
      const other = await store.join('other', TTL_MS / 2);
      await claimNew();
      await clock.advance(TTL_MS / 2 + 1);
      const [first, second] = await store.gateways();
      expect([first?.gateway, second?.gateway]).toEqual([gateway, other].sort());
      expect(await store.gateways()).toContainEqual({ gateway, leaseInMs: TTL_MS / 2 - 1, owned: 1 });
      expect(await store.gateways()).toContainEqual({ gateway: other, leaseInMs: -1, owned: 0 });
      await store.leave(other);
      expect((await store.gateways()).map((row) => row.gateway)).toEqual([gateway]);
    });

    it('ends with leave: tasks wait again at once, at no cost', async () => {
      const { store, gateway, claimNew, record } = await fixtureOf(open);
      await claimNew();
      await claimNew({ taskId: 't2' });
      await store.cancel(['t2']);
      await store.leave(gateway);
      await store.leave(gateway);
      expect(await record('t1')).toMatchObject({ status: 'pending', owner: null, failures: 0, crashes: 0 });
      expect((await record('t2')).status).toBe('cancelled');
      expect(await store.renew(gateway, TTL_MS)).toBe(false);
      expect(await store.claim(gateway, [], 1)).toBeNull();
    });
  });

  describe('sweep', () => {
    it('finds nobody dead before the sweeper has renewed without a gap for one full TTL', async () => {
      const fixture = await fixtureOf(open);
      const { store, clock, gateway } = fixture;
      const other = await store.join('other', TTL_MS);
      // An outage of the store: every lease has lapsed, nobody is dead.
      await clock.advance(3 * TTL_MS);
      await store.renew(gateway, TTL_MS);
      expect((await store.sweep(gateway, 10)).dead).toEqual([]);
      await clock.advance(TTL_MS / 2);
      await store.renew(gateway, TTL_MS);
      expect((await store.sweep(gateway, 10)).dead).toEqual([]);
      expect(await store.renew(other, TTL_MS)).toBe(true);
      await live(fixture, 2 * TTL_MS);
      expect((await store.sweep(gateway, 10)).dead).toEqual([other]);
    });

    it('leaves a gateway alone whose lease holds, and never takes the sweeper’s own', async () => {
      const fixture = await fixtureOf(open);
      const { store, clock, gateway } = fixture;
      await live(fixture, TTL_MS);
      const other = await store.join('other', TTL_MS);
      await clock.advance(TTL_MS);
      await store.renew(gateway, TTL_MS);
      expect((await store.sweep(gateway, 10)).dead).toEqual([]);
      await clock.advance(1);
      expect((await store.sweep(gateway, 10)).dead).toEqual([other]);
      await clock.advance(5 * TTL_MS);
      expect((await store.sweep(gateway, 10)).dead).toEqual([]);
      expect(await store.renew(gateway, TTL_MS)).toBe(true);
    });

    it('gives back what a dead gateway owned: each costs a crash, and what was to be cancelled is', async () => {
      const fixture = await fixtureOf(open);
      const { store, gateway, record, events } = fixture;
      const doomed = await store.join('doomed', TTL_MS);
      await store.submit(['t1', 't2', 't3'].map((taskId) => aTask({ taskId })));
      await store.claim(doomed, [{ queue: QUEUE, limit: 3 }], 3);
      await store.cancel(['t2']);
      await live(fixture, 2 * TTL_MS);
      // The limit counts tasks moved; the gateway is fenced at once all the same.
      const first = await store.sweep(gateway, 1);
      expect(first).toMatchObject({ dead: [doomed] });
      expect((await store.stats()).byStatus.pending + (await store.stats()).byStatus.cancelled).toBe(1);
      expect(await store.claim(doomed, [], 1)).toBeNull();
      const releases = ['t1', 't2', 't3'].map(
        (taskId) => ({ taskId, attempt: 1, costs: 'nothing', delayMs: 0 }) as const,
      );
      expect(await store.release(doomed, releases)).toEqual(['stale', 'stale', 'stale']);
      const rest = [await store.sweep(gateway, 1), await store.sweep(gateway, 1), await store.sweep(gateway, 1)];
      expect(rest.flatMap(({ dead }) => dead)).toEqual([]);
      expect([first, ...rest].reduce((sum, { requeued }) => sum + requeued, 0)).toBe(2);
      expect(await record('t1')).toMatchObject({ status: 'pending', crashes: 1, failures: 0, owner: null });
      expect((await record('t2')).status).toBe('cancelled');
      expect(await record('t3')).toMatchObject({ status: 'pending', crashes: 1 });
      expect(await events('t1')).toEqual(['task.submitted', 'task.claimed', 'attempt.released']);
    });

    it('fails a task that has taken its gateway along crashesMax times, and what depends on it; nobody runs it again', async () => {
      const fixture = await fixtureOf(open, { crashesMax: 2 });
      const { store, clock, gateway, record, events } = fixture;
      const told: string[] = [];
      store.onSettled((taskIds) => told.push(...taskIds));
      await store.submit([aTask(), aTask({ taskId: 't2', after: { taskIds: ['t1'], onFailure: 'fail' } })]);
      const requeued: number[] = [];
      for (const name of ['first', 'second']) {
        const doomed = await store.join(name, TTL_MS);
        expect(idsOf(await store.claim(doomed, [{ queue: QUEUE, limit: 1 }], 1))).toEqual(['t1']);
        await live(fixture, 2 * TTL_MS);
        requeued.push((await store.sweep(gateway, 10)).requeued);
      }
      await clock.runSoon();
      expect([requeued, told]).toEqual([[1, 0], expect.arrayContaining(['t1', 't2'])]);
      const error = { code: 'NODE_LOST', message: expect.stringContaining('crashesMax') as string };
      expect(await record('t1')).toMatchObject({ status: 'failed', crashes: 2, failures: 0, owner: null, error });
      expect(await record('t2')).toMatchObject({ status: 'failed', error: { code: 'DEPENDENCY_FAILED' } });
      const attempt = ['task.claimed', 'attempt.released'];
      expect(await events('t1')).toEqual(['task.submitted', ...attempt, 'task.claimed', 'task.failed']);
      const replayed = replayHistory(await store.history('t1'), { attemptsMax: 3 });
      expect([replayed.problems, contradictions(await record('t1'), replayed)]).toEqual([[], []]);
      expect(await store.complete([{ taskId: 't1', attempt: 2, status: 'completed', runMs: 1 }])).toEqual(['stale']);
      // The operator’s word counts for more: fresh budgets.
      expect(await store.redrive(['t1'])).toEqual(['pending']);
      expect((await record('t1')).crashes).toBe(0);
    });

    it('moves what is due, at most so many at a time, soonest first', async () => {
      const { store, clock, gateway } = await fixtureOf(open);
      await store.submit([3, 1, 2].map((delayMs) => aTask({ taskId: `t${delayMs}`, delayMs })));
      expect((await store.sweep(gateway, 10)).due).toBe(0);
      await clock.advance(5);
      expect((await store.sweep(gateway, 2)).due).toBe(2);
      expect((await store.list({ status: ['delayed'], limit: 5 })).items.map(({ taskId }) => taskId)).toEqual(['t3']);
      expect((await store.sweep(gateway, 2)).due).toBe(1);
    });
  });

  describe('adopt', () => {
    it('takes a running attempt over from a living or lapsed owner, under the same number', async () => {
      const { store, gateway, claimNew, record } = await fixtureOf(open);
      const heir = await store.join('heir', TTL_MS);
      const ref = await claimNew();
      expect(await store.adopt(heir, 'n2', [ref, { ...ref, attempt: 2 }, { taskId: 'nobody', attempt: 1 }])).toEqual([
        ...[true, false, false],
      ]);
      expect(await record('t1')).toMatchObject({ owner: heir, node: 'n2', attempt: 1 });
      expect([await store.owned(gateway), await store.owned(heir)]).toEqual([[], [{ ...ref, cancelRequested: false }]]);
      expect(await store.release(gateway, [{ ...ref, costs: 'crash', delayMs: 0 }])).toEqual(['stale']);
    });

    it('refuses an attempt to a node other than the one that has it, by whichever gateway it comes', async () => {
      const { store, gateway, claimNew, record } = await fixtureOf(open);
      const heir = await store.join('heir', TTL_MS);
      const ref = await claimNew();
      store.note([{ ...ref, event: 'assigned', node: 'n1' }]);
      expect(await store.adopt(heir, 'n2', [ref])).toEqual([false]);
      expect(await store.adopt(gateway, 'n2', [ref])).toEqual([false]);
      expect(await record('t1')).toMatchObject({ owner: gateway, node: 'n1' });
      expect(await store.adopt(heir, 'n1', [ref])).toEqual([true]);
      expect(await store.adopt(gateway, 'n2', [ref])).toEqual([false]);
      await store.release(heir, [{ ...ref, costs: 'nothing', delayMs: 0 }]);
      const [again] = (await store.claim(gateway, [{ queue: QUEUE, limit: 1 }], 1)) ?? [];
      expect(await store.adopt(heir, 'n2', [{ ...ref, attempt: again?.record.attempt ?? 0 }])).toEqual([true]);
    });

    it('refuses an attempt that was given back meanwhile', async () => {
      const { store, gateway, claimNew } = await fixtureOf(open);
      const ref = await claimNew();
      await store.release(gateway, [{ ...ref, costs: 'nothing', delayMs: 0 }]);
      expect(await store.adopt(gateway, 'n1', [ref])).toEqual([false]);
    });
  });

  describe('a named lock', () => {
    it('is held by one, and its tokens only ever rise', async () => {
      const { store, clock } = await fixtureOf(open);
      const first = await store.lease('cron', 'a', 1_000);
      expect(await store.lease('cron', 'b', 1_000)).toBeNull();
      expect(await store.lease('other', 'b', 1_000)).not.toBeNull();
      await clock.advance(1_001);
      const second = await store.lease('cron', 'b', 1_000);
      expect(second?.token).toBeGreaterThan(first?.token ?? Number.NaN);
      await store.unlease('cron', first?.token ?? -1);
      expect(await store.lease('cron', 'a', 1_000)).toBeNull();
      await store.unlease('cron', second?.token ?? -1);
      expect((await store.lease('cron', 'a', 1_000))?.token).toBeGreaterThan(second?.token ?? Number.NaN);
    });
  });

  describe('hints', () => {
    it('say which classes have just got claimable tasks, once per call and after it', async () => {
      const { store, clock, gateway, claim } = await fixtureOf(open);
      const told: (readonly string[])[] = [];
      const stop = store.onReady((queues) => told.push([...queues].sort()));
      const tasks = [aTask(), aTask({ taskId: 't2' }), aTask({ taskId: 't3', queue: 'other ', delayMs: 9 })];
      const submitted = store.submit(tasks);
      expect(told).toEqual([]);
      await submitted;
      await clock.runSoon();
      expect(told).toEqual([[QUEUE]]);
      await claim(2);
      await store.release(gateway, [{ taskId: 't1', attempt: 1, costs: 'nothing', delayMs: 0 }]);
      await clock.advance(9);
      await store.sweep(gateway, 10);
      await clock.runSoon();
      expect(told).toEqual([[QUEUE], [QUEUE], ['other ']]);
      stop();
      await store.submit([aTask({ taskId: 't4' })]);
      await clock.runSoon();
      expect(told).toHaveLength(3);
    });

    it('reach those who listen to the topic, later, with bytes of their own', async () => {
      const { store, clock } = await fixtureOf(open);
      const heard: (string | null)[] = [];
      const stop = store.subscribe('news', (bytes) => heard.push(textOf(bytes)));
      store.subscribe('other', () => heard.push('wrong'));
      const bytes = bytesOf('one');
      store.publish('news', bytes);
      bytes.fill(0);
      expect(heard).toEqual([]);
      await clock.runSoon();
      await expect.poll(() => heard).toEqual(['one']);
      stop();
      store.publish('news', bytesOf('two'));
      await clock.runSoon();
      expect(heard).toEqual(['one']);
    });
  });
}

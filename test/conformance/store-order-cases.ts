/** What the contract says of places and limits: fair keys, delays, how many at once and how many a minute. */
import { describe, expect, it } from 'vitest';
import type { NewTask, Release } from '../../src/actors/store/store.ts';
import { aTask, fixtureOf, idsOf, QUEUE } from './store-fixture.ts';
import type { OpenStore } from './store-stream.ts';

const released = (taskId: string, attempt = 1): Release => ({ taskId, attempt, costs: 'nothing', delayMs: 0 });
const named = (names: string, task: Partial<NewTask>): NewTask[] =>
  names.split(' ').map((taskId) => aTask({ ...task, taskId }));

export function orderCases(open: OpenStore): void {
  describe('a fair key', () => {
    it('spaces the tasks of one user, so that a thousand do not stand before the one of another', async () => {
      const { store, clock, claim } = await fixtureOf(open);
      const ids = Array.from({ length: 1_000 }, (_, n) => `a${n}`).join(' ');
      await store.submit(named(ids, { fairKey: 'alice' }));
      await clock.advance(5);
      await store.submit(named('b0 b1', { fairKey: 'bob' }));
      expect(idsOf(await claim(5))).toEqual(['a0', 'b0', 'a1', 'b1', 'a2']);
    });

    it('is worth no more than its spacing, and still less than priority', async () => {
      const { store, claim } = await fixtureOf(open, { fairSpacingMs: 100, agingMs: 1_000 });
      await store.submit([...named('a0 a1', { fairKey: 'a' }), ...named('b0', { fairKey: 'b', priority: 4 })]);
      await store.submit([...named('plain', {}), ...named('c0', { fairKey: 'c', priority: 6 })]);
      expect(idsOf(await claim(9))).toEqual(['b0', 'plain', 'a0', 'a1', 'c0']);
    });

    it('puts no task further behind its own time than fairAheadMsMax', async () => {
      const { store, clock, claim } = await fixtureOf(open, { fairSpacingMs: 1_000, fairAheadMsMax: 2_500 });
      await store.submit(named('a1 a2 a3 a4 a5', { fairKey: 'a' }));
      await clock.advance(2_600);
      await store.submit(named('late', {}));
      expect(idsOf(await claim(9))).toEqual(['a1', 'a2', 'a3', 'a4', 'a5', 'late']);
    });

    it('is forgotten when none of its tasks is claimable: who does not wait pays nothing for the past', async () => {
      const { store, claim } = await fixtureOf(open);
      await store.submit(named('a1 a2 a3', { fairKey: 'a' }));
      await claim(2);
      await store.cancel(['a3']);
      await store.submit([...named('a4', { fairKey: 'a' }), ...named('b1', { fairKey: 'b' })]);
      expect(idsOf(await claim(9))).toEqual(['a4', 'b1']);
    });

    it('is one key in each class, and gives a place that a release keeps', async () => {
      const { store, gateway, claim } = await fixtureOf(open);
      const other = 'other ';
      await store.submit(named('a1 a2 a3', { fairKey: 'a' }));
      await store.submit([aTask({ taskId: 'x1', queue: other, fairKey: 'a' })]);
      const wants = [QUEUE, other].map((queue) => ({ queue, limit: 9 }));
      expect(idsOf(await store.claim(gateway, wants, 9))).toEqual(['a1', 'x1', 'a2', 'a3']);
      await store.release(gateway, [released('a3'), released('a2'), released('a1')]);
      await store.submit(named('a4', { fairKey: 'a' }));
      expect(idsOf(await claim(9))).toEqual(['a1', 'a2', 'a3', 'a4']);
    });

    it('counts from when a delayed task is due', async () => {
      const { store, clock, claim, record } = await fixtureOf(open);
      await store.submit(named('later', { fairKey: 'a', delayMs: 60_000 }));
      await store.submit(named('now', { fairKey: 'a' }));
      expect(await record('later')).toMatchObject({ fairKey: 'a', dueInMs: 60_000 });
      await clock.advance(30_000);
      await store.submit(named('plain', {}));
      await clock.advance(30_000);
      expect(idsOf(await claim(9))).toEqual(['now', 'plain', 'later']);
    });
  });

  describe('a delayed task', () => {
    it('ranks by the time when it is due, not by its submit', async () => {
      const { store, clock, claim, record } = await fixtureOf(open);
      await store.submit([aTask({ taskId: 'delayed', delayMs: 1_000 })]);
      await clock.advance(400);
      expect((await record('delayed')).dueInMs).toBe(600);
      await store.submit([aTask({ taskId: 'first' })]);
      await clock.advance(700);
      await store.submit([aTask({ taskId: 'last' })]);
      expect(idsOf(await claim(9))).toEqual(['first', 'delayed', 'last']);
    });

    it('keeps its old place when it was released with a delay', async () => {
      const { store, clock, gateway, claimNew, claim } = await fixtureOf(open);
      const ref = await claimNew({ taskId: 'retried' });
      await store.release(gateway, [{ ...ref, costs: 'failure', delayMs: 1_000 }]);
      await clock.advance(10);
      await store.submit([aTask({ taskId: 'newer' })]);
      await clock.advance(990);
      expect(idsOf(await claim(9))).toEqual(['retried', 'newer']);
    });
  });

  describe('a concurrency limit', () => {
    const limit = { key: 'openai', concurrency: 2 };

    it('is never exceeded, by whichever gateways and classes, and tells when a task is claimable again', async () => {
      const { store, clock, gateway } = await fixtureOf(open);
      const rival = await store.join('rival', 60_000);
      await store.submit([...named('a b', { limit, queue: 'x' }), ...named('c d', { limit, queue: 'y' })]);
      await clock.runSoon();
      const wants = [
        { queue: 'x', limit: 9 },
        { queue: 'y', limit: 9 },
      ];
      const told: string[] = [];
      store.onReady((queues) => told.push(...queues));
      expect(idsOf(await store.claim(gateway, [{ queue: 'x', limit: 1 }], 9))).toEqual(['a']);
      expect(idsOf(await store.claim(rival, wants, 9))).toEqual(['b']);
      expect(idsOf(await store.claim(gateway, wants, 9))).toEqual([]);
      const full = { key: 'openai', concurrency: 2, perMinute: null, claimed: 2, claimedInMinute: 0, opensInMs: null };
      expect(await store.limit('openai')).toEqual(full);
      await store.cancel(['a']);
      expect(idsOf(await store.claim(gateway, wants, 9))).toEqual([]);
      await clock.runSoon();
      expect(told).toEqual([]);
      await store.complete([{ taskId: 'a', attempt: 1, status: 'cancelled', runMs: 0 }]);
      await clock.runSoon();
      expect(told).toEqual(['y']);
      expect(idsOf(await store.claim(rival, wants, 9))).toEqual(['c']);
      await store.release(rival, [released('b')]);
      expect(idsOf(await store.claim(gateway, wants, 9))).toEqual(['b']);
      await store.leave(gateway);
      expect(idsOf(await store.claim(rival, wants, 9))).toEqual(['b']);
    });

    it('goes by the numbers submitted last', async () => {
      const { store, clock, claim, record } = await fixtureOf(open);
      await store.submit(named('a b c', { limit: { key: 'k', concurrency: 1 } }));
      expect(idsOf(await claim(9))).toEqual(['a']);
      await clock.runSoon();
      const told: string[] = [];
      store.onReady((queues) => told.push(...queues));
      await store.submit([aTask({ taskId: 'd', queue: 'other ', delayMs: 9, limit: { key: 'k', concurrency: 2 } })]);
      await clock.runSoon();
      expect(told).toEqual([QUEUE]);
      expect(idsOf(await claim(9))).toEqual(['b']);
      expect((await record('c')).limitKey).toBe('k');
      await store.submit([aTask({ taskId: 'e', queue: 'other ', limit: { key: 'k' } })]);
      expect(idsOf(await claim(9))).toEqual(['c']);
    });

    it('holds for a task in a class where it does not belong; the class stands with its first task', async () => {
      const { store, claim } = await fixtureOf(open);
      const once = { key: 'k', concurrency: 1 };
      await store.submit([...named('a b', { limit: once }), ...named('plain', {})]);
      expect(idsOf(await claim(9))).toEqual(['a']);
      await store.complete([{ taskId: 'a', attempt: 1, status: 'completed', runMs: 1 }]);
      expect(idsOf(await claim(9))).toEqual(['b', 'plain']);
    });

    it('tells each class that it has held back, however many others have come and gone', async () => {
      const { store, clock, gateway, claimNew } = await fixtureOf(open);
      const one = { key: 'k', concurrency: 1 };
      for (let n = 0; n < 20; n += 1) {
        const ref = await claimNew({ taskId: `gone-${n}`, queue: `gone-${n} `, limit: one });
        await store.complete([{ ...ref, status: 'completed', runMs: 1 }]);
      }
      const ref = await claimNew({ taskId: 'runs', limit: one });
      const queues = Array.from({ length: 20 }, (_, n) => `held-${String(n).padStart(2, '0')} `);
      for (const queue of queues) await store.submit([aTask({ taskId: queue.trim(), queue, limit: one })]);
      await clock.runSoon();
      const told: string[] = [];
      store.onReady((ready) => told.push(...ready));
      await store.complete([{ ...ref, status: 'completed', runMs: 1 }]);
      await clock.runSoon();
      expect([...told].sort()).toEqual(queues);
      const wants = queues.map((queue) => ({ queue, limit: 1 }));
      expect(await store.claim(gateway, wants, 9)).toHaveLength(1);
    });

    it('is forgotten with its last task', async () => {
      const { store, claimNew } = await fixtureOf(open);
      const ref = await claimNew({ limit });
      await store.complete([{ ...ref, status: 'completed', runMs: 1 }]);
      expect([await store.limit('openai'), await store.limit('nobody')]).toEqual([null, null]);
    });
  });

  describe('a rate limit', () => {
    it('lets no more through in any 60 s, and tells at the sweep after it has opened', async () => {
      const { store, clock, gateway, claim } = await fixtureOf(open);
      await store.submit(named('a b c d e', { limit: { key: 'k', perMinute: 2 } }));
      await clock.runSoon();
      const told: string[] = [];
      store.onReady((queues) => told.push(...queues));
      expect(idsOf(await claim())).toEqual(['a']);
      await clock.advance(50_000);
      expect(idsOf(await claim(9))).toEqual(['b']);
      // The end of an attempt gives no claim back.
      await store.complete([{ taskId: 'a', attempt: 1, status: 'completed', runMs: 1 }]);
      await clock.advance(9_999);
      await store.sweep(gateway, 9);
      await clock.runSoon();
      expect([idsOf(await claim(9)), told]).toEqual([[], []]);
      expect(await store.limit('k')).toMatchObject({ claimed: 1, claimedInMinute: 2, opensInMs: 1 });
      await clock.advance(1);
      await store.sweep(gateway, 9);
      await clock.runSoon();
      expect(told).toEqual([QUEUE]);
      expect(idsOf(await claim(9))).toEqual(['c']);
      await clock.advance(49_999);
      expect(idsOf(await claim(9))).toEqual([]);
      await clock.advance(1);
      expect(idsOf(await claim(9))).toEqual(['d']);
    });

    it('does not count a claim that got no node, and counts one that did', async () => {
      const { store, gateway, claim, claimNew } = await fixtureOf(open);
      const limit = { key: 'k', perMinute: 1 };
      const homeless = { ...(await claimNew({ limit })), costs: 'nothing', delayMs: 0 } as const;
      expect(await claim()).toEqual([]);
      expect(await store.release(gateway, [homeless])).toEqual(['pending']);
      expect(await store.limit('k')).toMatchObject({ claimed: 0, claimedInMinute: 0, opensInMs: 0 });
      expect(idsOf(await claim())).toEqual(['t1']);
      store.note([{ taskId: 't1', attempt: 2, event: 'assigned', node: 'n1' }]);
      expect(await store.release(gateway, [{ ...homeless, attempt: 2 }])).toEqual(['pending']);
      expect(await store.limit('k')).toMatchObject({ claimed: 0, claimedInMinute: 1, opensInMs: 60_000 });
      expect(await claim()).toEqual([]);
    });

    it('opens for others of its key when a claim got no node', async () => {
      const { store, clock, gateway, claim } = await fixtureOf(open);
      const limit = { key: 'k', perMinute: 1 };
      await store.submit([aTask({ limit }), aTask({ taskId: 't2', type: 'other', queue: 'other ', limit })]);
      const [first] = await claim();
      await clock.runSoon();
      const told: string[] = [];
      store.onReady((queues) => told.push(...queues));
      await store.release(gateway, [
        { taskId: 't1', attempt: first?.record.attempt ?? 0, costs: 'nothing', delayMs: 30_000 },
      ]);
      await clock.runSoon();
      expect(told).toContain('other ');
      expect(idsOf(await claim(1, 'other '))).toEqual(['t2']);
    });

    it('is remembered for its 60 s though no task with its key is left', async () => {
      const { store, clock, gateway, claim, claimNew } = await fixtureOf(open);
      const limit = { key: 'k', perMinute: 1 };
      const ref = await claimNew({ limit });
      await store.complete([{ ...ref, status: 'completed', runMs: 1 }]);
      await store.sweep(gateway, 9);
      await store.submit([aTask({ taskId: 't2', limit })]);
      expect(await claim()).toEqual([]);
      await clock.advance(60_000);
      expect(idsOf(await claim())).toEqual(['t2']);
    });
  });
}

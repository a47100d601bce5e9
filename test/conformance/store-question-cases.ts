/** What the contract says of questions: lists, figures, places in line, and how long settled tasks can be asked for. */
import { describe, expect, it } from 'vitest';
import { aTask, type Fixture, fixtureOf } from './store-fixture.ts';
import type { OpenStore } from './store-stream.ts';

/** Submits and settles tasks, in order. */
async function settle({ store, claim }: Fixture, ...taskIds: string[]): Promise<void> {
  await store.submit(taskIds.map((taskId) => aTask({ taskId })));
  await claim(taskIds.length);
  await store.complete(taskIds.map((taskId) => ({ taskId, attempt: 1, status: 'completed', runMs: 1 })));
}

export function questionCases(open: OpenStore): void {
  describe('list', () => {
    it('shows the newest first, filters before the limit, and counts all that match', async () => {
      const { store, claim } = await fixtureOf(open);
      await store.submit([1, 2, 3, 4, 5, 6].map((n) => aTask({ taskId: `t${n}`, type: n % 2 === 0 ? 'even' : 'odd' })));
      await claim(2);
      store.note([{ taskId: 't2', attempt: 1, event: 'started', node: 'n1' }]);
      const idsOf = async (filter: object) => {
        const { items, total } = await store.list({ limit: 2, ...filter });
        return [items.map(({ taskId }) => taskId), total];
      };
      expect(await idsOf({})).toEqual([['t6', 't5'], 6]);
      expect(await idsOf({ type: 'odd' })).toEqual([['t5', 't3'], 3]);
      expect(await idsOf({ status: ['assigned', 'running'] })).toEqual([['t2', 't1'], 2]);
      expect(await idsOf({ status: ['pending'], type: 'even' })).toEqual([['t6', 't4'], 2]);
      expect(await idsOf({ node: 'n1' })).toEqual([['t2'], 1]);
      expect(await idsOf({ status: [] })).toEqual([[], 0]);
    });

    it('pages through everything once, whatever is submitted and forgotten meanwhile', async () => {
      const fixture = await fixtureOf(open);
      const { store } = fixture;
      await settle(fixture, 't1', 't2');
      await store.submit([3, 4, 5].map((n) => aTask({ taskId: `t${n}` })));
      const first = await store.list({ limit: 2 });
      await store.submit([aTask({ taskId: 'newer' })]);
      const second = await store.list({ limit: 2, cursor: first.cursor });
      await store.purge(-1, 1);
      const third = await store.list({ limit: 2, cursor: second.cursor });
      const pages = [first, second, third].map(({ items }) => items.map(({ taskId }) => taskId));
      expect(pages).toEqual([['t5', 't4'], ['t3', 't2'], []]);
      expect([first.total, second.total, third.total]).toEqual([5, 6, 5]);
      expect(third.cursor).toBeUndefined();
    });

    it('refuses a cursor that it never gave', async () => {
      const { store } = await fixtureOf(open);
      await expect(store.list({ limit: 1, cursor: '’; drop' })).rejects.toMatchObject({ code: 'MESSAGE_INVALID' });
    });
  });

  describe('stats and ahead', () => {
    it('count by status and by class, and say how many stand before a task', async () => {
      const { store, claim } = await fixtureOf(open);
      await store.submit([5, 9, 1].map((priority) => aTask({ taskId: `p${priority}`, priority })));
      await store.submit([aTask({ taskId: 'other', queue: 'other ' }), aTask({ taskId: 'later', delayMs: 50 })]);
      expect([await store.ahead('p1'), await store.ahead('p9'), await store.ahead('other')]).toEqual([0, 2, 0]);
      expect([await store.ahead('later'), await store.ahead('nobody')]).toEqual([null, null]);
      await claim();
      await store.cancel(['p5']);
      expect([await store.ahead('p1'), await store.ahead('p9')]).toEqual([null, 0]);
      const { byStatus, ready } = await store.stats();
      expect(byStatus).toEqual({
        ...{ delayed: 1, pending: 2, assigned: 1, running: 0, cancelling: 0 },
        ...{ completed: 0, failed: 0, cancelled: 1 },
      });
      expect(Object.fromEntries(ready)).toEqual({ 'echo ': 1, 'other ': 1 });
    });
  });

  describe('settled tasks', () => {
    it('can be asked for until purged, oldest first', async () => {
      const fixture = await fixtureOf(open);
      const { store, clock } = fixture;
      await settle(fixture, 't1', 't2');
      await clock.advance(100);
      await settle(fixture, 't3');
      await store.submit([aTask({ taskId: 'waiting' })]);
      expect(await store.purge(100, 10)).toBe(0);
      await clock.advance(1);
      expect(await store.purge(100, 1)).toBe(1);
      expect(await store.get('t1')).toBeNull();
      expect(await store.complete([{ taskId: 't1', attempt: 1, status: 'completed', runMs: 1 }])).toEqual(['unknown']);
      expect(await store.purge(100, 10)).toBe(1);
      await clock.advance(10_000);
      expect(await store.purge(0, 10)).toBe(1);
      expect((await store.list({ limit: 9 })).items.map(({ taskId }) => taskId)).toEqual(['waiting']);
    });

    it('are bounded: the oldest are forgotten, and their ids may be used anew', async () => {
      const fixture = await fixtureOf(open, { settledTasksMax: 2 });
      const { store } = fixture;
      await settle(fixture, 't1', 't2', 't3');
      expect([await store.get('t1'), (await store.get('t2'))?.status]).toEqual([null, 'completed']);
      expect((await store.stats()).byStatus.completed).toBe(2);
      expect(await store.submit([aTask({ taskId: 't1' })])).toEqual([
        { taskId: 't1', created: true, status: 'pending' },
      ]);
    });
  });

  describe('a closed store', () => {
    it('answers STORE_UNAVAILABLE, and may be closed twice', async () => {
      const { store } = await fixtureOf(open);
      await store.close();
      await store.close();
      await expect(store.submit([aTask()])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      await expect(store.get('t1')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      expect(() => store.note([])).not.toThrow();
    });
  });
}

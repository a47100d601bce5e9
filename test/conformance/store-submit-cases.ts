/** What the contract says of submitting and claiming: acknowledged once, in order, each attempt to one claimer. */
import { describe, expect, it } from 'vitest';
import { aTask, bytesOf, fixtureOf, idsOf, QUEUE, textOf } from './store-fixture.ts';
import type { OpenStore } from './store-stream.ts';

export function submitCases(open: OpenStore): void {
  describe('submit', () => {
    it('knows a task from the moment it is acknowledged', async () => {
      const { store, record } = await fixtureOf(open);
      expect(await store.submit([aTask({ needs: ['llm'], priority: 2 })])).toEqual([
        { taskId: 't1', created: true, status: 'pending' },
      ]);
      expect(await record('t1')).toEqual({
        ...{ taskId: 't1', type: 'echo', queue: QUEUE, needs: ['llm'], priority: 2, timeoutMs: 60_000, attemptsMax: 3 },
        ...{ key: null, status: 'pending', attempt: 0, attemptsStarted: 0, failures: 0, crashes: 0 },
        ...{ cancelRequested: false, owner: null, node: null, createdAt: 1_000, startedAt: null, finishedAt: null },
        ...{
          queuedMs: 0,
          runMs: 0,
          error: null,
          lastNode: null,
          origin: null,
          fairKey: null,
          limitKey: null,
          dueInMs: null,
        },
        ...{ waitsFor: [], waitsForTotal: 0, expiresInMs: null, deadlineInMs: null, prefer: null, affinityKey: null },
      });
    });

    it('keeps what it is told of the place of attempts, through every claim', async () => {
      const { store, claim, record } = await fixtureOf(open);
      await store.submit([aTask({ prefer: 'n1', affinityKey: 'session-7' })]);
      expect(await record('t1')).toMatchObject({ prefer: 'n1', affinityKey: 'session-7' });
      const [claimed] = await claim();
      expect(claimed?.record).toMatchObject({ prefer: 'n1', affinityKey: 'session-7' });
    });

    it('takes the same id for the same task, whatever has become of it (I1)', async () => {
      const { store, claim } = await fixtureOf(open);
      const [, second] = await store.submit([aTask(), aTask({ payload: bytesOf('other') })]);
      expect(second).toEqual({ taskId: 't1', created: false, status: 'pending' });
      const [claimed] = await claim();
      expect(textOf(claimed?.payload)).toBe('hello');
      await store.complete([{ taskId: 't1', attempt: 1, status: 'completed', runMs: 1 }]);
      expect(await store.submit([aTask()])).toEqual([{ taskId: 't1', created: false, status: 'completed' }]);
      expect(await claim()).toEqual([]);
    });

    it('takes the same key and type for the same task, for as long as that is known', async () => {
      const { store, clock, claimNew } = await fixtureOf(open);
      const keyed = (taskId: string) => aTask({ taskId, key: 'order-7' });
      const [first, again] = await store.submit([keyed('t1'), keyed('t2')]);
      expect([first, again]).toMatchObject([
        { taskId: 't1', created: true },
        { taskId: 't1', created: false },
      ]);
      expect(await store.get('t2')).toBeNull();
      await store.cancel(['t1']);
      expect(await store.submit([keyed('t3')])).toEqual([{ taskId: 't1', created: false, status: 'cancelled' }]);
      await clock.advance(10);
      expect(await store.purge(5, 10)).toBe(1);
      expect(await claimNew(keyed('t4'))).toEqual({ taskId: 't4', attempt: 1 });
    });

    it('refuses a key that belongs to a task of another type', async () => {
      const { store } = await fixtureOf(open);
      await store.submit([aTask({ key: 'k' })]);
      const [verdict] = await store.submit([aTask({ taskId: 't2', type: 'other', key: 'k' })]);
      expect(verdict).toMatchObject({ taskId: 't2', refused: 'KEY_CONFLICT', message: expect.stringContaining('t1') });
    });

    it('refuses what is too much, one by one, and says when to come back', async () => {
      const { store, claim } = await fixtureOf(open, { waitingTasksMax: 2 });
      const verdicts = await store.submit(['a', 'b', 'c', 'a'].map((taskId) => aTask({ taskId })));
      expect(verdicts).toMatchObject([
        { taskId: 'a', created: true },
        { taskId: 'b', created: true },
        { taskId: 'c', refused: 'QUEUE_FULL', message: expect.stringContaining('waitingTasksMax is 2') },
        { taskId: 'a', created: false },
      ]);
      const refused = verdicts[2];
      expect(refused !== undefined && 'retryAfterMs' in refused ? refused.retryAfterMs : 0).toBeGreaterThanOrEqual(
        1_000,
      );
      expect(await store.get('c')).toBeNull();
      await claim();
      expect(await store.submit([aTask({ taskId: 'c' })])).toMatchObject([{ taskId: 'c', created: true }]);
    });

    it('says to come back in a second at first, sooner when tasks leave faster, and never later than in ten', async () => {
      const { store, clock, claim } = await fixtureOf(open, { waitingTasksMax: 1_000 });
      let ids = 0;
      const fill = (count: number) =>
        store.submit(Array.from({ length: count }, () => aTask({ taskId: `t${++ids}`, payload: bytesOf('') })));
      const retryAfterMs = async (): Promise<number | undefined> => {
        const [verdict] = await fill(1);
        return verdict !== undefined && 'retryAfterMs' in verdict ? verdict.retryAfterMs : undefined;
      };
      const pass = async (seconds: number, claimedPerSecond: number): Promise<void> => {
        for (let second = 0; second < seconds; second += 1) {
          await clock.advance(1_000);
          await claim(claimedPerSecond);
          await fill(claimedPerSecond);
        }
      };
      await fill(1_000);
      expect(await retryAfterMs()).toBe(1_000);
      await clock.advance(40_000);
      expect(await retryAfterMs()).toBe(4_000);
      await clock.advance(3_600_000);
      expect(await retryAfterMs()).toBe(10_000);
      // However long nobody came before: what leaves now is what counts.
      await pass(2, 200);
      expect(await retryAfterMs()).toBe(1_000);
      await pass(40, 2);
      const slow = (await retryAfterMs()) ?? 0;
      expect([slow > 3_000, slow < 8_000]).toEqual([true, true]);
    });

    it('bounds the unsettled tasks of each client, and lets others go on', async () => {
      const { store, gateway, claim } = await fixtureOf(open, { clientTasksMax: 2 });
      const of = (client: string, ...taskIds: string[]) =>
        store.submit(taskIds.map((taskId) => aTask({ taskId, client, key: `key-${taskId}` })));
      expect(await of('greedy', 'a', 'b', 'c', 'a')).toMatchObject([
        { taskId: 'a', created: true },
        { taskId: 'b', created: true },
        {
          ...{ taskId: 'c', refused: 'QUEUE_FULL', retryAfterMs: 1_000 },
          message: 'greedy has 2 tasks that have not settled, and clientTasksMax is 2',
        },
        // What is known is neither counted again nor refused.
        { taskId: 'a', created: false },
      ]);
      expect(await of('modest', 'd')).toMatchObject([{ created: true }]);
      const ofNobody = ['e', 'f', 'g'].map((taskId) => aTask({ taskId }));
      expect(await store.submit(ofNobody)).toMatchObject(ofNobody.map(() => ({ created: true })));

      const [claimed] = await claim();
      expect(claimed?.record.taskId).toBe('a');
      const ref = { taskId: 'a', attempt: 1 };
      expect(await of('greedy', 'c')).toMatchObject([{ refused: 'QUEUE_FULL' }]);
      await store.release(gateway, [{ ...ref, costs: 'failure', delayMs: 0 }]);
      expect(await of('greedy', 'c')).toMatchObject([{ refused: 'QUEUE_FULL' }]);
      await claim();
      await store.complete([{ taskId: 'a', attempt: 2, status: 'completed', runMs: 1 }]);
      expect(await of('greedy', 'c')).toMatchObject([{ created: true }]);
    });

    it('counts a client’s task again when it is redriven, though none is refused that', async () => {
      const { store } = await fixtureOf(open, { clientTasksMax: 1 });
      const task = (taskId: string) => aTask({ taskId, client: 'c' });
      await store.submit([task('a')]);
      await store.cancel(['a']);
      await store.submit([task('b')]);
      expect(await store.redrive(['a'])).toEqual(['pending']);
      await store.cancel(['b']);
      expect(await store.submit([task('d')])).toMatchObject([{ refused: 'QUEUE_FULL' }]);
      await store.cancel(['a']);
      expect(await store.submit([task('d')])).toMatchObject([{ created: true }]);
    });

    it('refuses a task of a class too many, until another class is empty', async () => {
      const { store, claim } = await fixtureOf(open, { classesMax: 2 });
      const of = (taskId: string, queue: string) => store.submit([aTask({ taskId, queue })]);
      for (const [taskId, queue] of [
        ['t1', 'one '],
        ['t2', 'other '],
        ['t3', 'one '],
      ] as const) {
        expect(await of(taskId, queue)).toMatchObject([{ created: true }]);
      }
      expect(await of('t4', 'third ')).toMatchObject([
        { refused: 'QUEUE_FULL', message: 'tasks of 2 classes are waiting, and classesMax is 2' },
      ]);
      await claim(1, 'one ');
      expect(await of('t4', 'third ')).toMatchObject([{ refused: 'QUEUE_FULL' }]);
      await claim(1, 'one ');
      expect(await of('t4', 'third ')).toMatchObject([{ created: true }]);
    });

    it('bounds the classes that wait, and never refuses what comes back', async () => {
      const { store, gateway, claim } = await fixtureOf(open, { classesMax: 1, waitingTasksMax: 1 });
      await store.submit([aTask()]);
      await claim();
      await store.submit([aTask({ taskId: 't2', queue: 'other ' })]);
      const released = { taskId: 't1', attempt: 1, costs: 'nothing', delayMs: 0 } as const;
      expect(await store.release(gateway, [released])).toEqual(['pending']);
      await claim(1, 'other ');
      const [refused] = await store.submit([aTask({ taskId: 't3', queue: 'third ' })]);
      expect(refused).toMatchObject({ refused: 'QUEUE_FULL' });
      expect(idsOf(await claim())).toEqual(['t1']);
    });

    it('keeps bytes of its own, whatever becomes of the caller’s', async () => {
      const { store, claim } = await fixtureOf(open);
      const frame = Buffer.from('[hello]');
      await store.submit([aTask({ payload: frame.subarray(1, 6) })]);
      frame.fill(0);
      expect(textOf((await claim())[0]?.payload)).toBe('hello');
      const result = Buffer.from('done');
      await store.complete([{ taskId: 't1', attempt: 1, status: 'completed', result, runMs: 1 }]);
      result.fill(0);
      expect(textOf(await store.result('t1'))).toBe('done');
    });
  });

  describe('claim', () => {
    it('gives priority first, and first in first out within a priority', async () => {
      const { store, claim } = await fixtureOf(open);
      const order = [5, 1, 10, 1, 5].map((priority, index) => aTask({ taskId: `t${index}`, priority }));
      await store.submit(order);
      expect(idsOf(await claim(10))).toEqual(['t1', 't3', 't0', 't4', 't2']);
    });

    it('lets an old task of low priority pass newer ones of high priority in the end (defect 40)', async () => {
      const { store, clock, claim } = await fixtureOf(open, { agingMs: 1_000 });
      await store.submit([aTask({ taskId: 'old', priority: 10 })]);
      await clock.advance(8_999);
      await store.submit([aTask({ taskId: 'soon', priority: 1 })]);
      await clock.advance(2);
      await store.submit([aTask({ taskId: 'late', priority: 1 })]);
      expect(idsOf(await claim(3))).toEqual(['soon', 'old', 'late']);
    });

    it('merges the wanted classes by rank, up to the limit of each and of all', async () => {
      const { store, gateway } = await fixtureOf(open);
      const inClass = (taskId: string, queue: string) => aTask({ taskId, queue });
      await store.submit([...'abc'].flatMap((name) => [inClass(`${name}1`, 'x'), inClass(`${name}2`, 'y')]));
      await store.submit([inClass('z', 'unwanted')]);
      const wants = [
        { queue: 'x', limit: 2 },
        { queue: 'y', limit: 9 },
        { queue: 'none', limit: 9 },
      ];
      expect(idsOf(await store.claim(gateway, wants, 4))).toEqual(['a1', 'a2', 'b1', 'b2']);
      expect(idsOf(await store.claim(gateway, wants, 0))).toEqual([]);
      expect(idsOf(await store.claim(gateway, wants, 9))).toEqual(['c1', 'c2']);
    });

    it('gives each attempt once, under a number that only ever rises (I2, I3)', async () => {
      const { store, gateway, claim } = await fixtureOf(open);
      const rival = await store.join('rival', 10_000);
      await store.submit([aTask()]);
      const [claimed] = await claim();
      expect(claimed?.record).toMatchObject({ status: 'assigned', attempt: 1, owner: gateway });
      expect(await store.claim(rival, [{ queue: QUEUE, limit: 1 }], 1)).toEqual([]);
      await store.release(gateway, [{ taskId: 't1', attempt: 1, costs: 'nothing', delayMs: 0 }]);
      const again = await store.claim(rival, [{ queue: QUEUE, limit: 1 }], 1);
      expect(again?.[0]?.record).toMatchObject({ attempt: 2, owner: rival });
    });

    it('says how long the task has waited since its submit', async () => {
      const { store, clock, claim } = await fixtureOf(open);
      await store.submit([aTask()]);
      await clock.advance(250);
      expect((await claim())[0]?.record.queuedMs).toBe(250);
    });

    it('hands out records that later changes do not alter', async () => {
      const { store, claim, record } = await fixtureOf(open);
      await store.submit([aTask()]);
      const before = await record('t1');
      const [claimed] = await claim();
      await store.complete([{ taskId: 't1', attempt: 1, status: 'completed', runMs: 1 }]);
      expect(before.status).toBe('pending');
      expect(claimed?.record.status).toBe('assigned');
    });

    it('keeps a delayed task back until its time, and not a sweep longer', async () => {
      const { store, clock, claim, events } = await fixtureOf(open);
      const [verdict] = await store.submit([aTask({ delayMs: 500 })]);
      expect(verdict).toMatchObject({ created: true, status: 'delayed' });
      await clock.advance(499);
      expect(await claim()).toEqual([]);
      await clock.advance(1);
      expect(idsOf(await claim())).toEqual(['t1']);
      expect(await events('t1')).toEqual(['task.submitted', 'task.due', 'task.claimed']);
    });
  });
}

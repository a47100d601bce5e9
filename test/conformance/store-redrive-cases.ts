/** What the contract says of failed tasks that are run again, of what a failure costs, and of schedules. */
import { describe, expect, it } from 'vitest';
import type { Schedule } from '../../src/actors/store/store.ts';
import { aTask, bytesOf, type Fixture, fixtureOf, idsOf, textOf } from './store-fixture.ts';
import { replay, replayable } from './store-replay.ts';
import type { OpenStore } from './store-stream.ts';

const error = { code: 'NODE_LOST', message: 'node n1 went away', retryable: true };

/** Submits a task, and fails its first attempt for good. */
async function fail({ store, claimNew }: Fixture, task: Parameters<typeof aTask>[0] = {}): Promise<void> {
  const ref = await claimNew(task);
  await store.complete([{ ...ref, status: 'failed', error, node: 'n1', runMs: 5 }]);
}

export function redriveCases(open: OpenStore): void {
  describe('redrive', () => {
    it('makes a failed or cancelled task wait again, with its payload and fresh budgets', async () => {
      const fixture = await fixtureOf(open);
      const { store, claim, record, events } = fixture;
      await fail(fixture, { key: 'order-7' });
      await store.submit([aTask({ taskId: 't2' }), aTask({ taskId: 't3', delayMs: 9 })]);
      await store.cancel(['t2', 't3']);
      expect(await store.redrive(['t1', 't2', 't3', 't1', 'nobody'])).toEqual([
        ...['pending', 'pending', 'pending', 'notFailed', 'unknown'],
      ]);
      expect(await record('t1')).toMatchObject({
        ...{ status: 'pending', attempt: 1, failures: 0, crashes: 0, error: null, finishedAt: null, node: null },
        lastNode: 'n1',
      });
      expect(await record('t2')).toMatchObject({ status: 'pending', cancelRequested: false });
      expect(await events('t1')).toContain('task.redriven');
      expect(replay(await store.history('t1'))).toEqual(replayable(await record('t1')));
      expect(await store.submit([aTask({ taskId: 'again', key: 'order-7' })])).toMatchObject([{ taskId: 't1' }]);
      const claimed = await claim(9);
      expect(idsOf(claimed)).toEqual(['t1', 't2', 't3']);
      expect(claimed.map(({ record: { attempt } }) => attempt)).toEqual([2, 1, 1]);
      expect(textOf(claimed[0]?.payload)).toBe('hello');
      const done = (attempt: number) => ({ taskId: 't1', attempt, status: 'completed', runMs: 1 }) as const;
      expect(await store.complete([done(1), done(2)])).toEqual(['stale', expect.any(Number)]);
      expect(await store.redrive(['t1'])).toEqual(['notFailed']);
      const { items, total } = await store.list({ limit: 9 });
      expect([items.map(({ taskId }) => taskId), total]).toEqual([['t3', 't2', 't1'], 3]);
      expect((await store.stats()).byStatus).toMatchObject({ completed: 1, failed: 0, cancelled: 0, assigned: 2 });
    });

    it('puts a task that settles again behind those that settled before, in whichever order they are forgotten', async () => {
      const { store } = await fixtureOf(open, { settledTasksMax: 3 });
      await store.submit(['a', 'b', 'c', 'd', 'e', 'f'].map((taskId) => aTask({ taskId })));
      await store.cancel(['a', 'b', 'c']);
      // Not awaited one by one: a store on disk then does all of them in one transaction.
      await Promise.all([
        store.cancel(['d']),
        store.redrive(['c']),
        store.cancel(['c']),
        store.cancel(['e']),
        store.cancel(['f']),
      ]);
      const { items } = await store.list({ limit: 9 });
      expect(items.map(({ taskId }) => taskId)).toEqual(['f', 'e', 'c']);
    });

    it('gives a place as of now, and counts time to live and deadline from now', async () => {
      const fixture = await fixtureOf(open);
      const { store, clock, gateway, claim, record } = fixture;
      await store.submit([aTask({ ttlMs: 1_000, deadlineMs: 2_000 })]);
      await clock.advance(1_500);
      await store.sweep(gateway, 9);
      await store.submit([aTask({ taskId: 'older' })]);
      await clock.advance(10);
      await store.redrive(['t1']);
      expect(await record('t1')).toMatchObject({ status: 'pending', expiresInMs: 1_000, deadlineInMs: 2_000 });
      await clock.advance(999);
      const claimed = await claim(9);
      expect(idsOf(claimed)).toEqual(['older', 't1']);
      expect(claimed[1]).toMatchObject({ remainingMs: 1_001, record: { queuedMs: 2_509 } });
    });

    it('lets the first checkpoint go, and may be done over and over', async () => {
      const fixture = await fixtureOf(open);
      const { store, claim, claimNew } = fixture;
      const ref = await claimNew();
      await store.checkpoint([{ ...ref, data: bytesOf('half') }]);
      await store.complete([{ ...ref, status: 'failed', error, runMs: 1 }]);
      for (let attempt = 2; attempt < 6; attempt += 1) {
        await store.redrive(['t1']);
        const [claimed] = await claim();
        expect([claimed?.record.attempt, claimed?.checkpoint]).toEqual([attempt, null]);
        await store.complete([{ taskId: 't1', attempt, status: 'failed', error, runMs: 1 }]);
      }
      expect(await store.purge(-1, 9)).toBe(1);
      expect(await store.redrive(['t1'])).toEqual(['unknown']);
    });

    it('makes tasks wait for one another again, in whichever order they are named', async () => {
      const fixture = await fixtureOf(open);
      const { store, claim, record } = fixture;
      await store.submit([aTask({ taskId: 'a' })]);
      const after = { taskIds: ['a'], onFailure: 'fail' } as const;
      await store.submit([aTask({ taskId: 'b', after }), aTask({ taskId: 'c', after })]);
      await store.cancel(['a']);
      expect(await store.redrive(['c'])).toEqual(['pending']);
      expect(await store.redrive(['b', 'a'])).toEqual(['pending', 'pending']);
      expect(await record('b')).toMatchObject({ status: 'delayed', waitsFor: ['a'] });
      expect(idsOf(await claim(9))).toEqual(['a', 'c']);
      await store.complete([{ taskId: 'a', attempt: 1, status: 'completed', runMs: 1 }]);
      expect(idsOf(await claim(9))).toEqual(['b']);
    });
  });

  describe('what a failure costs', () => {
    it('is a failure, or a crash if the task fails for those', async () => {
      const fixture = await fixtureOf(open);
      const { store, claimNew, record } = fixture;
      await fail(fixture);
      const ref = await claimNew({ taskId: 't2' });
      await store.complete([{ ...ref, status: 'failed', costs: 'crash', error, runMs: 1 }]);
      expect(await record('t1')).toMatchObject({ failures: 1, crashes: 0 });
      expect(await record('t2')).toMatchObject({ failures: 0, crashes: 1 });
      expect((await store.history('t2')).at(-1)).toMatchObject({ event: 'task.failed', detail: 'crash: NODE_LOST' });
    });

    it('is remembered with the node, so that another can be tried first', async () => {
      const { store, gateway, claimNew, claim, record } = await fixtureOf(open);
      const ref = await claimNew();
      await store.release(gateway, [{ ...ref, costs: 'crash', delayMs: 0, node: 'n1' }]);
      expect(await record('t1')).toMatchObject({ node: null, lastNode: 'n1' });
      await claim();
      await store.release(gateway, [{ ...ref, attempt: 2, costs: 'nothing', delayMs: 0, node: 'n2' }]);
      expect((await claim())[0]?.record.lastNode).toBe('n1');
    });
  });

  describe('a schedule', () => {
    const { taskId: _, createdAt: __, ...task } = aTask();
    const schedule = (id: string): Schedule => ({
      ...{ id, createdAt: 1_000, pattern: '0 * * * *', timezone: 'Europe/Vienna', task },
    });

    it('is kept until dropped, with bytes of its own, and put anew under the same id', async () => {
      const { store } = await fixtureOf(open);
      const payload = bytesOf('hello');
      await store.putSchedule({ ...schedule('b'), task: { ...task, payload } });
      payload.fill(0);
      await store.putSchedule({ id: 'a', createdAt: 1_000, everyMs: 1_000, task });
      const [a, b] = await store.schedules();
      expect(a).toMatchObject({ id: 'a', everyMs: 1_000, lastRunAt: null });
      expect(b).toMatchObject({ ...schedule('b'), task: { ...task, payload: expect.anything() } });
      expect(textOf(b?.task.payload)).toBe('hello');
      await store.putSchedule({ id: 'a', createdAt: 1_000, everyMs: 5_000, task });
      expect(await store.schedules()).toMatchObject([{ everyMs: 5_000 }, { id: 'b' }]);
      expect([await store.dropSchedule('a'), await store.dropSchedule('a')]).toEqual([true, false]);
      expect((await store.schedules()).map(({ id }) => id)).toEqual(['b']);
    });

    it('runs once at each time, whichever gateway is first', async () => {
      const { store } = await fixtureOf(open);
      await store.putSchedule(schedule('hourly'));
      const at = (runAt: number) => store.noteScheduleRun('hourly', runAt);
      expect(await Promise.all([at(3_600_000), at(3_600_000), at(7_200_000)])).toEqual([true, false, true]);
      expect(await at(3_600_000)).toBe(false);
      await store.putSchedule(schedule('hourly'));
      expect(await at(7_200_000)).toBe(false);
      expect(await store.schedules()).toMatchObject([{ lastRunAt: 7_200_000 }]);
      expect(await store.noteScheduleRun('nobody', 1)).toBe(false);
    });

    it('is refused beyond schedulesMax, unless it takes the place of one', async () => {
      const { store } = await fixtureOf(open, { schedulesMax: 1 });
      await store.putSchedule(schedule('a'));
      await store.putSchedule(schedule('a'));
      await expect(store.putSchedule(schedule('b'))).rejects.toMatchObject({ code: 'RATE_EXCEEDED' });
    });
  });
}

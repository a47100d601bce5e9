/** What the contract says of tasks that wait for others, or not for ever: dependencies, times to live, deadlines. */
import { describe, expect, it } from 'vitest';
import type { Completion, Dependencies } from '../../src/actors/store/store.ts';
import { aTask, type Fixture, fixtureOf, idsOf, TTL_MS } from './store-fixture.ts';
import { replay, replayable } from './store-replay.ts';
import type { OpenStore } from './store-stream.ts';

const ended = (taskId: string, status: Completion['status'] = 'completed', attempt = 1): Completion => ({
  ...{ taskId, attempt, status, runMs: 1 },
  ...(status === 'failed' ? { error: { code: 'HANDLER_FAILED', message: 'no', retryable: true } } : {}),
});
const following = (taskId: string, taskIds: string[], onFailure: Dependencies['onFailure'] = 'fail', delayMs = 0) =>
  aTask({ taskId, delayMs, after: { taskIds, onFailure } });

function settledIn({ store }: Fixture): string[] {
  const told: string[] = [];
  store.onSettled((taskIds) => told.push(...taskIds));
  return told;
}

export function waitCases(open: OpenStore): void {
  describe('a task with dependencies', () => {
    it('is delayed until all of them have settled, and says for which it waits', async () => {
      const { store, claim, record, events } = await fixtureOf(open);
      const verdicts = await store.submit([aTask({ taskId: 'a' }), aTask({ taskId: 'b' }), following('c', ['a', 'b'])]);
      expect(verdicts[2]).toEqual({ taskId: 'c', created: true, status: 'delayed' });
      expect(await record('c')).toMatchObject({ waitsFor: ['a', 'b'], waitsForTotal: 2, dueInMs: null });
      expect(idsOf(await claim(9))).toEqual(['a', 'b']);
      await store.complete([ended('a')]);
      expect(await record('c')).toMatchObject({ status: 'delayed', waitsFor: ['b'] });
      await store.complete([ended('b')]);
      expect(await record('c')).toMatchObject({ status: 'pending', waitsFor: [], waitsForTotal: 0 });
      expect(idsOf(await claim(9))).toEqual(['c']);
      const told = ['task.submitted', 'dependency.settled', 'dependency.settled', 'task.due', 'task.claimed'];
      expect(await events('c')).toEqual(told);
      expect((await store.history('c')).slice(0, 2)).toMatchObject([
        { detail: 'waits for 2 tasks' },
        { detail: 'a: completed' },
      ]);
    });

    it('shows at most 16 of them, and how many there are', async () => {
      const { store, record } = await fixtureOf(open);
      const ids = Array.from({ length: 20 }, (_, n) => `d${n}`);
      await store.submit([...ids.map((taskId) => aTask({ taskId })), following('z', [...ids, 'd0'])]);
      expect(await record('z')).toMatchObject({ waitsFor: ids.slice(0, 16), waitsForTotal: 20 });
    });

    it('does not wait for what has settled, but for its own time as well', async () => {
      const { store, clock, claimNew, claim, record } = await fixtureOf(open);
      await store.complete([ended((await claimNew({ taskId: 'a' })).taskId)]);
      await store.submit([aTask({ taskId: 'b' }), following('c', ['a']), following('d', ['b'], 'fail', 500)]);
      expect([(await record('c')).status, (await record('d')).dueInMs]).toEqual(['pending', 500]);
      expect(idsOf(await claim(9))).toEqual(['b', 'c']);
      await store.complete([ended('b')]);
      expect(await record('d')).toMatchObject({ status: 'delayed', waitsFor: [], dueInMs: 500 });
      await clock.advance(500);
      expect(idsOf(await claim(9))).toEqual(['d']);
    });

    it('fails, counts it as done, or runs at once when one of them fails or is cancelled', async () => {
      const fixture = await fixtureOf(open);
      const { store, clock, claim, record } = fixture;
      const told = settledIn(fixture);
      await store.submit([aTask({ taskId: 'a' }), aTask({ taskId: 'b', delayMs: 60_000 })]);
      const policies = ['fail', 'ignore', 'run'] as const;
      await store.submit(policies.map((policy) => following(policy, ['a', 'b'], policy)));
      await claim();
      await store.complete([ended('a', 'failed')]);
      expect(await record('fail')).toMatchObject({
        ...{ status: 'failed', failures: 0, attempt: 0, waitsFor: [] },
        error: { code: 'DEPENDENCY_FAILED', message: expect.stringContaining('task a'), retryable: false },
      });
      expect(await record('ignore')).toMatchObject({ status: 'delayed', waitsFor: ['b'] });
      expect(await record('run')).toMatchObject({ status: 'pending', waitsFor: [] });
      await store.cancel(['b']);
      expect((await record('ignore')).status).toBe('pending');
      await clock.runSoon();
      expect(told).toEqual(['fail']);
      expect(replay(await store.history('fail'))).toEqual(replayable(await record('fail')));
    });

    it('takes those that depend on it with it, however long the chain', async () => {
      const fixture = await fixtureOf(open);
      const { store, clock, record } = fixture;
      const told = settledIn(fixture);
      const chain = Array.from({ length: 20_000 }, (_, n) => following(`c${n + 1}`, [`c${n}`]));
      await store.submit([aTask({ taskId: 'c0' }), ...chain, following('last', ['c20000'], 'ignore')]);
      expect(await store.cancel(['c0'])).toEqual(['cancelled']);
      expect((await record('c20000')).error?.code).toBe('DEPENDENCY_FAILED');
      expect((await record('last')).status).toBe('pending');
      await clock.runSoon();
      expect([told.length, told[0], told.at(-1)]).toEqual([20_000, 'c1', 'c20000']);
    });

    it('fails with the others of its tree, of which more settle at once than are kept', async () => {
      const error = { code: 'HANDLER_FAILED' as const, message: 'no', retryable: false };
      const ends = [
        ({ store }: Fixture) => store.complete([{ ...ended('a', 'failed'), error }]),
        async ({ store, gateway }: Fixture) => {
          await store.cancel(['a']);
          return store.release(gateway, [{ taskId: 'a', attempt: 1, costs: 'nothing', delayMs: 0 }]);
        },
      ];
      for (const [end, verdict] of [
        [ends[0], expect.any(Number)],
        [ends[1], 'cancelled'],
      ] as const) {
        const fixture = await fixtureOf(open, { settledTasksMax: 2 });
        const { store, claimNew, claim } = fixture;
        await claimNew({ taskId: 'a' });
        const firsts = ['b1', 'b2', 'b3', 'b4'];
        await store.submit([...firsts.map((taskId) => following(taskId, ['a'])), following('c1', ['b1'])]);
        await store.submit([aTask({ taskId: 'innocent' })]);
        expect(await end?.(fixture)).toEqual([verdict]);
        for (const taskId of ['a', ...firsts, 'c1'])
          expect((await store.get(taskId))?.status).toBeOneOf([undefined, 'failed', 'cancelled']);
        expect(idsOf(await claim(9))).toEqual(['innocent']);
      }
    });

    it('fails at once if one has failed, and is refused if one is not known', async () => {
      const { store, claimNew, claim, record } = await fixtureOf(open);
      await store.complete([ended((await claimNew({ taskId: 'a' })).taskId, 'failed')]);
      const [failed, free, unknown, itself] = await store.submit([
        following('b', ['a']),
        following('c', ['a'], 'run'),
        following('d', ['a', 'nobody']),
        following('e', ['e']),
      ]);
      expect(failed).toEqual({ taskId: 'b', created: true, status: 'failed' });
      expect(free).toMatchObject({ status: 'pending' });
      expect(unknown).toMatchObject({ refused: 'TASK_UNKNOWN', message: expect.stringContaining('nobody') });
      expect(itself).toMatchObject({ refused: 'TASK_UNKNOWN' });
      expect(await store.get('d')).toBeNull();
      expect((await record('b')).error?.code).toBe('DEPENDENCY_FAILED');
      expect(idsOf(await claim(9))).toEqual(['c']);
    });

    it('can be cancelled while it waits, and is not waited for any more', async () => {
      const { store, claim, record } = await fixtureOf(open);
      await store.submit([aTask({ taskId: 'a' }), following('b', ['a']), following('c', ['b'], 'ignore')]);
      expect(await store.cancel(['b'])).toEqual(['cancelled']);
      expect((await record('c')).status).toBe('pending');
      await claim();
      await store.complete([ended('a')]);
      expect((await record('b')).status).toBe('cancelled');
    });
  });

  describe('a time to live', () => {
    it('fails a task that waits when it has passed, and tells', async () => {
      const fixture = await fixtureOf(open);
      const { store, clock, gateway, claim, record, events } = fixture;
      const told = settledIn(fixture);
      await store.submit([aTask({ ttlMs: 1_000 }), aTask({ taskId: 't2', ttlMs: 1_001 }), following('t3', ['t1'])]);
      await clock.advance(999);
      expect((await record('t1')).expiresInMs).toBe(1);
      expect((await store.sweep(gateway, 9)).expired).toBe(0);
      await clock.advance(1);
      expect(await store.sweep(gateway, 9)).toMatchObject({ expired: 1 });
      const error = { code: 'TASK_EXPIRED', message: expect.stringContaining('1000 ms'), retryable: false };
      expect(await record('t1')).toMatchObject({ status: 'failed', failures: 0, error, expiresInMs: null });
      expect(await events('t1')).toEqual(['task.submitted', 'task.expired', 'task.failed']);
      await clock.advance(1);
      expect(await claim(9)).toEqual([]);
      expect((await record('t2')).error?.code).toBe('TASK_EXPIRED');
      await clock.runSoon();
      expect(told.sort()).toEqual(['t1', 't2', 't3']);
    });

    it('fails at most so many tasks at a time', async () => {
      const { store, clock, gateway } = await fixtureOf(open);
      await store.submit(['t1', 't2', 't3'].map((taskId) => aTask({ taskId, ttlMs: 1_000 })));
      await clock.advance(1_000);
      expect((await store.sweep(gateway, 2)).expired).toBe(2);
      expect((await store.sweep(gateway, 2)).expired).toBe(1);
    });

    it('does not end an attempt; released without a start, its task fails', async () => {
      const fixture = await fixtureOf(open);
      const { store, clock, gateway, claimNew, record } = fixture;
      const told = settledIn(fixture);
      const ref = await claimNew({ ttlMs: 1_000 });
      await clock.advance(1_000);
      expect((await store.sweep(gateway, 9)).expired).toBe(0);
      expect(await record('t1')).toMatchObject({ status: 'assigned', expiresInMs: 0 });
      expect(await store.release(gateway, [{ ...ref, costs: 'nothing', delayMs: 50 }])).toEqual(['failed']);
      expect((await record('t1')).error?.code).toBe('TASK_EXPIRED');
      await clock.runSoon();
      expect(told).toEqual([]);
      expect(replay(await store.history('t1'))).toEqual(replayable(await record('t1')));
    });

    it('is over with the first start: a retry has all the time it needs', async () => {
      const { store, clock, gateway, claimNew, record } = await fixtureOf(open);
      const ref = await claimNew({ ttlMs: 1_000 });
      store.note([{ ...ref, event: 'started', node: 'n1' }]);
      expect((await record('t1')).expiresInMs).toBeNull();
      await clock.advance(5_000);
      expect(await store.release(gateway, [{ ...ref, costs: 'failure', delayMs: 0 }])).toEqual(['pending']);
      await clock.advance(5_000);
      expect((await store.sweep(gateway, 9)).expired).toBe(0);
      expect((await record('t1')).status).toBe('pending');
    });

    it('fails a task whose deadline has passed as well with the one that passed first', async () => {
      const { store, clock, gateway, record } = await fixtureOf(open);
      await store.submit([
        aTask({ taskId: 't1', ttlMs: 1_000, deadlineMs: 2_000 }),
        aTask({ taskId: 't2', ttlMs: 2_000, deadlineMs: 1_000 }),
      ]);
      await clock.advance(3_000);
      expect((await store.sweep(gateway, 9)).expired).toBe(2);
      expect((await record('t1')).error?.code).toBe('TASK_EXPIRED');
      expect((await record('t2')).error?.code).toBe('DEADLINE_PASSED');
    });
  });

  describe('a total deadline', () => {
    it('is told with each claim, and fails what waits or is released after it', async () => {
      const { store, clock, gateway, claim, claimNew, record } = await fixtureOf(open);
      await store.submit([aTask({ taskId: 'waits', deadlineMs: 3_000, queue: 'other ' })]);
      await store.submit([aTask({ deadlineMs: 3_000 }), aTask({ taskId: 't2' })]);
      await clock.advance(1_000);
      expect((await claim(2)).map(({ remainingMs }) => remainingMs)).toEqual([2_000, null]);
      const ref = { taskId: 't1', attempt: 1 };
      store.note([{ ...ref, event: 'started', node: 'n1' }]);
      await clock.advance(2_000);
      expect((await store.sweep(gateway, 9)).expired).toBe(1);
      expect((await record('waits')).error).toMatchObject({ code: 'DEADLINE_PASSED', retryable: false });
      expect(await record('t1')).toMatchObject({ status: 'running', deadlineInMs: 0 });
      expect(await store.release(gateway, [{ ...ref, costs: 'failure', delayMs: 0 }])).toEqual(['failed']);
      expect(await record('t1')).toMatchObject({ status: 'failed', failures: 1, error: { code: 'DEADLINE_PASSED' } });
      const late = await claimNew({ taskId: 't3', deadlineMs: 10 });
      await clock.advance(20);
      expect(await store.complete([{ ...late, status: 'completed', runMs: 20 }])).toEqual([expect.any(Number)]);
    });

    it('yields to a cancel, and fails what a dead gateway held', async () => {
      const fixture = await fixtureOf(open);
      const { store, clock, gateway, record } = fixture;
      const told = settledIn(fixture);
      const doomed = await store.join('doomed', TTL_MS);
      await store.submit(['a', 'b'].map((taskId) => aTask({ taskId, deadlineMs: 1_000 })));
      await store.claim(doomed, [{ queue: aTask().queue, limit: 2 }], 2);
      await store.cancel(['a']);
      for (let passed = 0; passed < 4; passed += 1) {
        await clock.advance(TTL_MS / 2);
        await store.renew(gateway, TTL_MS);
      }
      expect(await store.sweep(gateway, 9)).toMatchObject({ dead: [doomed], requeued: 0 });
      expect([(await record('a')).status, (await record('b')).error?.code]).toEqual(['cancelled', 'DEADLINE_PASSED']);
      await clock.runSoon();
      expect(told.sort()).toEqual(['a', 'b']);
    });
  });
}

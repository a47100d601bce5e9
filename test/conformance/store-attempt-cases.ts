/** What the contract says of an attempt: one result counts, whoever brings it; what is over stays over. */
import { describe, expect, it } from 'vitest';
import type { Completion, Release } from '../../src/actors/store/store.ts';
import { aTask, bytesOf, fixtureOf, idsOf, QUEUE, textOf } from './store-fixture.ts';
import { replay, replayable } from './store-replay.ts';
import type { OpenStore } from './store-stream.ts';

const failure = { code: 'HANDLER_FAILED', message: 'the disk is full', retryable: true };
const done = (attempt = 1, taskId = 't1'): Completion => ({
  ...{ taskId, attempt, status: 'completed', result: bytesOf('result'), node: 'n1', runMs: 7 },
});
const back = (release: Partial<Release> = {}): Release => ({
  ...{ taskId: 't1', attempt: 1, costs: 'nothing', delayMs: 0 },
  ...release,
});

export function attemptCases(open: OpenStore): void {
  describe('complete', () => {
    it('accepts one outcome, and answers the same one again with duplicate (I4)', async () => {
      const { store, clock, claimNew, record } = await fixtureOf(open);
      await claimNew();
      await clock.advance(100);
      const worse: Completion = { taskId: 't1', attempt: 1, status: 'failed', error: failure, runMs: 1 };
      expect(await store.complete([done(), done(), worse])).toEqual([93, 'duplicate', 'duplicate']);
      expect(await record('t1')).toMatchObject({ status: 'completed', owner: null, node: 'n1', runMs: 7, error: null });
      expect((await record('t1')).finishedAt).toBe(clock.wallTime());
      expect(textOf(await store.result('t1'))).toBe('result');
    });

    it('answers how long the task was queued, as its record has it', async () => {
      const { store, clock, claimNew, record } = await fixtureOf(open);
      await clock.advance(1_000);
      await claimNew();
      await clock.advance(100);
      store.note([{ taskId: 't1', attempt: 1, event: 'started', node: 'n1' }]);
      expect((await record('t1')).queuedMs).toBe(100);
      await clock.advance(7);
      expect(await store.complete([done()])).toEqual([100]);
      await claimNew({ taskId: 't2' });
      await clock.advance(50);
      expect(await store.complete([{ ...done(), taskId: 't2' }])).toEqual([43]);
      expect([(await record('t1')).queuedMs, (await record('t2')).queuedMs]).toEqual([100, 43]);
    });

    it('answers stale to every attempt but the present one, and stores nothing of it (I5, defect 34)', async () => {
      const { store, gateway, claimNew, claim, record } = await fixtureOf(open);
      await claimNew();
      await store.release(gateway, [back()]);
      expect(await store.complete([done(1)])).toEqual(['stale']);
      await claim();
      expect(await store.complete([done(1), done(3), done(1, 'nobody')])).toEqual(['stale', 'stale', 'unknown']);
      expect(await record('t1')).toMatchObject({ status: 'assigned', attempt: 2 });
      expect(await store.result('t1')).toBeNull();
      expect(await store.complete([done(2), done(1)])).toEqual([expect.any(Number), 'stale']);
    });

    it('does not ask who owns the task: a lapsed lease decides when to retry, never whether a result counts', async () => {
      const { store, clock, claimNew } = await fixtureOf(open);
      await claimNew();
      await clock.advance(60_000);
      expect(await store.complete([done()])).toEqual([expect.any(Number)]);
    });

    it('keeps why a task failed, and counts the failure', async () => {
      const { store, claimNew, record } = await fixtureOf(open);
      await claimNew();
      await store.complete([{ taskId: 't1', attempt: 1, status: 'failed', error: failure, runMs: 3 }]);
      expect(await record('t1')).toMatchObject({ status: 'failed', error: failure, failures: 1 });
      expect(await store.result('t1')).toBeNull();
    });

    it('counts an attempt as started whose start was never noted, unless it was cancelled before it ran', async () => {
      const { store, clock, claimNew, record } = await fixtureOf(open);
      await claimNew();
      await clock.advance(100);
      await store.complete([{ ...done(), runMs: 40 }]);
      expect(await record('t1')).toMatchObject({ attemptsStarted: 1, queuedMs: 60, startedAt: clock.wallTime() - 40 });
      await claimNew({ taskId: 't2' });
      await store.complete([{ taskId: 't2', attempt: 1, status: 'cancelled', runMs: 0 }]);
      expect(await record('t2')).toMatchObject({ status: 'cancelled', attemptsStarted: 0, startedAt: null });
    });
  });

  describe('release', () => {
    it('makes the task wait again in its old place, ahead of what came later (defect 36)', async () => {
      const { store, clock, gateway, claimNew, claim, record } = await fixtureOf(open);
      await claimNew({ priority: 9 });
      await clock.advance(10);
      await store.submit([aTask({ taskId: 't2', priority: 9 }), aTask({ taskId: 't3', priority: 1 })]);
      expect(await store.release(gateway, [back()])).toEqual(['pending']);
      expect(await record('t1')).toMatchObject({ status: 'pending', owner: null, node: null, attempt: 1 });
      expect(idsOf(await claim(3))).toEqual(['t3', 't1', 't2']);
    });

    it('charges a failure, a crash or nothing', async () => {
      const { store, gateway, claimNew, claim, record } = await fixtureOf(open);
      await claimNew();
      for (const [index, costs] of (['failure', 'crash', 'nothing', 'failure'] as const).entries()) {
        await store.release(gateway, [back({ attempt: index + 1, costs, error: failure })]);
        await claim();
      }
      expect(await record('t1')).toMatchObject({ failures: 2, crashes: 1, attempt: 5, error: failure });
    });

    it('keeps the task back for as long as it says', async () => {
      const { store, clock, gateway, claimNew, claim, record } = await fixtureOf(open);
      await claimNew();
      expect(await store.release(gateway, [back({ delayMs: 1_000 })])).toEqual(['delayed']);
      expect((await record('t1')).status).toBe('delayed');
      await clock.advance(999);
      expect(await claim()).toEqual([]);
      await clock.advance(1);
      expect((await claim())[0]?.record.attempt).toBe(2);
    });

    it('keeps for how long the attempt ran; the next one is told for how long the task has waited', async () => {
      const { store, clock, gateway, claimNew, claim, record } = await fixtureOf(open);
      await claimNew();
      await clock.advance(10);
      store.note([{ taskId: 't1', attempt: 1, event: 'started', node: 'n1' }]);
      expect((await record('t1')).status).toBe('running');
      await clock.advance(30);
      await store.release(gateway, [back({ costs: 'failure', error: failure })]);
      expect(await record('t1')).toMatchObject({ runMs: 30, error: failure });
      await clock.advance(20);
      const fresh = { status: 'assigned', attemptsStarted: 1, startedAt: null, queuedMs: 60, runMs: 0 };
      expect(await claim()).toMatchObject([{ record: fresh }]);
      store.note([{ taskId: 't1', attempt: 2, event: 'started', node: 'n1' }]);
      expect(await record('t1')).toMatchObject({ status: 'running', attemptsStarted: 2 });
    });

    it('is for the owner alone', async () => {
      const { store, gateway, claimNew, record } = await fixtureOf(open);
      const rival = await store.join('rival', 10_000);
      await claimNew();
      expect(await store.release(rival, [back()])).toEqual(['stale']);
      const wrong = [back({ attempt: 2 }), back({ taskId: 'nobody' })];
      expect(await store.release(gateway, wrong)).toEqual(['stale', 'stale']);
      expect(await record('t1')).toMatchObject({ status: 'assigned', owner: gateway });
      expect(await store.release(gateway, [back(), back()])).toEqual(['pending', 'stale']);
    });
  });

  describe('cancel', () => {
    it('ends a waiting task at once, and it is never claimed', async () => {
      const { store, clock, claim, record } = await fixtureOf(open);
      await store.submit([aTask(), aTask({ taskId: 't2', delayMs: 10 }), aTask({ taskId: 't3' })]);
      expect(await store.cancel(['t1', 't2', 'nobody', 't1'])).toEqual([
        'cancelled',
        'cancelled',
        'unknown',
        'settled',
      ]);
      await clock.advance(20);
      expect(idsOf(await claim(3))).toEqual(['t3']);
      expect(await record('t1')).toMatchObject({ status: 'cancelled', cancelRequested: true, attempt: 0, error: null });
    });

    it('marks a task that an attempt holds; released, it does not wait again', async () => {
      const { store, gateway, claimNew, claim, record, events } = await fixtureOf(open);
      await claimNew();
      expect(await store.cancel(['t1', 't1'])).toEqual(['cancelling', 'cancelling']);
      expect(await events('t1')).toEqual(['task.submitted', 'task.claimed', 'cancel.requested']);
      expect(await record('t1')).toMatchObject({ status: 'cancelling', cancelRequested: true, owner: gateway });
      expect(await store.release(gateway, [back({ delayMs: 50, costs: 'failure' })])).toEqual(['cancelled']);
      expect(await claim()).toEqual([]);
      expect(await store.complete([done()])).toEqual(['stale']);
      expect((await record('t1')).status).toBe('cancelled');
    });

    it('is what becomes of a task whose last node crashes under it, or whose last attempt fails', async () => {
      for (const costs of ['crash', 'failure'] as const) {
        const { store, gateway, claimNew, record } = await fixtureOf(open, { crashesMax: 1 });
        await claimNew();
        await store.cancel(['t1']);
        expect(await store.release(gateway, [back({ costs, error: failure })])).toEqual(['cancelled']);
        expect((await record('t1')).status).toBe('cancelled');
      }
    });

    it('does not undo a result that was on its way', async () => {
      const { store, claimNew, record } = await fixtureOf(open);
      await claimNew();
      await store.cancel(['t1']);
      expect(await store.complete([done()])).toEqual([expect.any(Number)]);
      expect(await record('t1')).toMatchObject({ status: 'completed', cancelRequested: true });
      expect(await store.cancel(['t1'])).toEqual(['settled']);
    });
  });

  describe('checkpoint', () => {
    it('gives the next attempt the last bytes of the present one', async () => {
      const { store, gateway, claimNew, claim } = await fixtureOf(open);
      await claimNew();
      const at = (attempt: number, text: string) => ({ taskId: 't1', attempt, data: bytesOf(text) });
      expect(await store.checkpoint([at(1, 'half'), at(1, 'most'), at(2, 'foreign')])).toEqual([true, true, false]);
      await store.release(gateway, [back()]);
      expect(await store.checkpoint([at(1, 'late')])).toEqual([false]);
      expect(textOf((await claim())[0]?.checkpoint)).toBe('most');
    });
  });

  describe('note', () => {
    it('tells assigned from running, and counts a start once', async () => {
      const { store, clock, claimNew, record, events } = await fixtureOf(open);
      await claimNew();
      const ref = { taskId: 't1', attempt: 1, node: 'n1' };
      await clock.advance(30);
      store.note([{ ...ref, event: 'assigned' }]);
      expect(await record('t1')).toMatchObject({ status: 'assigned', node: 'n1', startedAt: null });
      await clock.advance(20);
      for (let time = 0; time < 2; time += 1) store.note([{ ...ref, event: 'started' }]);
      const now = clock.wallTime();
      expect(await record('t1')).toMatchObject({ status: 'running', startedAt: now, queuedMs: 50, attemptsStarted: 1 });
      await store.complete([done()]);
      expect((await record('t1')).attemptsStarted).toBe(1);
      const told = ['task.submitted', 'task.claimed', 'task.assigned', 'attempt.started', 'task.completed'];
      expect(await events('t1')).toEqual(told);
    });

    it('ignores what is unknown, stale or over', async () => {
      const { store, gateway, claimNew, record } = await fixtureOf(open);
      await claimNew();
      const started = (taskId: string, attempt: number) => ({ taskId, attempt, event: 'started', node: 'n9' }) as const;
      store.note([started('nobody', 1), started('t1', 2)]);
      await store.release(gateway, [back()]);
      store.note([started('t1', 1)]);
      expect(await record('t1')).toMatchObject({ status: 'pending', attemptsStarted: 0, node: null });
    });
  });

  describe('history', () => {
    it('tells the whole life of a task, and replays to its record (I6)', async () => {
      const { store, clock, gateway, claimNew, claim, record, events } = await fixtureOf(open);
      await claimNew();
      store.note([{ taskId: 't1', attempt: 1, event: 'started', node: 'n1' }]);
      await store.release(gateway, [back({ costs: 'failure', delayMs: 100, error: failure })]);
      await clock.advance(100);
      await claim();
      const other = await store.join('other', 10_000);
      await store.adopt(other, 'n2', [{ taskId: 't1', attempt: 2 }]);
      await store.cancel(['t1']);
      await store.complete([{ taskId: 't1', attempt: 2, status: 'cancelled', node: 'n2', runMs: 5 }]);
      expect(await events('t1')).toEqual([
        ...['task.submitted', 'task.claimed', 'attempt.started', 'attempt.released', 'task.due', 'task.claimed'],
        ...['task.adopted', 'cancel.requested', 'attempt.started', 'task.cancelled'],
      ]);
      const history = await store.history('t1');
      expect(history[3]).toMatchObject({ attempt: 1, node: 'n1', detail: 'failure: HANDLER_FAILED; waits 100 ms' });
      expect(history.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      const owners = [undefined, gateway, gateway, gateway, undefined, gateway, other, other, other, other];
      expect(history.map((entry) => entry.gateway)).toEqual(owners);
      expect(replay(history)).toEqual(replayable(await record('t1')));
      expect(await store.history('nobody')).toEqual([]);
    });

    it('is bounded; the first entry and the newest are kept', async () => {
      const { store, gateway, claimNew, claim, events } = await fixtureOf(open, { historyMax: 5 });
      await claimNew();
      for (let attempt = 1; attempt < 5; attempt += 1) {
        await store.release(gateway, [back({ attempt })]);
        await claim(1, QUEUE);
      }
      const kept = ['task.submitted', 'attempt.released', 'task.claimed', 'attempt.released', 'task.claimed'];
      expect(await events('t1')).toEqual(kept);
      expect((await store.history('t1')).map(({ n }) => n)).toEqual([1, 7, 8, 9, 10]);
    });
  });
}

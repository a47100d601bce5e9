/** What the store is told of attempts that have ended, and who hears what it says to that; the store is played by the test. */
import { describe, expect, it } from 'vitest';
import { type Ended, Settlement } from '../../../../src/actors/gateway/tasks/settlement.ts';
import type {
  Completion,
  CompletionVerdict,
  Release,
  ReleaseVerdict,
  Store,
  TaskRecord,
} from '../../../../src/actors/store/store.ts';
import { createSimulatedClock } from '../../../../src/actors/world/simulated-clock.ts';
import { createWorld } from '../../../../src/actors/world/world.ts';
import { PincerError } from '../../../../src/protocol/failure.ts';
import { bytesOf } from '../../../conformance/store-fixture.ts';

const failure = new PincerError('HANDLER_FAILED', 'no').toFailure();
const LIMITS = { retryBaseMs: 1_000, retryMaxMs: 3_000, undeliveredRetryMs: 200 };

function sceneOf() {
  const clock = createSimulatedClock(10_000);
  const world = createWorld({ clock, limits: LIMITS }, { clock, random: () => 0.5, ids: () => 'id' });
  const completions: Completion[] = [];
  const releases: Release[] = [];
  const notes: unknown[] = [];
  const told: unknown[][] = [];
  const verdicts = { completions: [] as CompletionVerdict[], releases: [] as ReleaseVerdict[] };
  const store = {
    note: (entries: readonly unknown[]) => void notes.push(...entries),
    async complete(entries: readonly Completion[]) {
      completions.push(...entries);
      return verdicts.completions;
    },
    async release(gateway: string, entries: readonly Release[]) {
      expect(gateway).toBe('home');
      releases.push(...entries);
      return verdicts.releases;
    },
  } as unknown as Store;
  const settlement = new Settlement(world, {
    store,
    gatewayId: () => 'home',
    owner: {
      onCompleted: ({ record }, verdict) => void told.push(['completed', record.taskId, verdict]),
      onReleased: ({ record }, verdict) => void told.push(['released', record.taskId, verdict]),
      onSettled: (outcome) => void told.push(['settled', outcome]),
      onEnded: (taskId) => void told.push(['ended', taskId]),
      onStoreFailed: (error) => void told.push(['failed', error]),
    },
  });
  const attempt = (taskId: string, about: Partial<Ended> = {}, record: Partial<TaskRecord> = {}): Ended => ({
    ...{
      record: { taskId, attemptsStarted: 0, startedAt: null, timeoutMs: 60_000, ...record } as TaskRecord,
      nodeId: 'n',
    },
    ...{ startedAt: 9_250, timeoutMs: 60_000, ...about },
  });
  const completed = (runMs = 7) => ({
    ...{ status: 'completed' as const, attempt: 1, nodeId: 'n', result: bytesOf('done'), failure: null, runMs },
  });
  const failed = { status: 'failed' as const, attempt: 2, nodeId: null, result: null, failure, runMs: 0 };
  const over = { type: 'task.release' as const, attempt: 2, failures: 2, failure, nodeId: 'n' };
  return { clock, settlement, completions, releases, notes, told, verdicts, attempt, completed, failed, over };
}

describe('an outcome', () => {
  it('of a node counts whoever has the task; one that the gateway decides counts while it has the task', async () => {
    const { settlement, completions, attempt, completed, failed, clock } = sceneOf();
    settlement.settle(attempt('a'), completed());
    settlement.settle(attempt('b'), { ...failed, costs: 'crash' });
    settlement.settle(attempt('c', { startedAt: null }), { ...failed, status: 'cancelled' });
    await clock.runSoon();
    expect(completions).toEqual([
      { taskId: 'a', attempt: 1, status: 'completed', runMs: 7, result: bytesOf('done'), node: 'n' },
      { taskId: 'b', attempt: 2, status: 'failed', runMs: 750, owner: 'home', error: failure, costs: 'crash' },
      { taskId: 'c', attempt: 2, status: 'cancelled', runMs: 0, owner: 'home', error: failure },
    ]);
  });

  it('is told to who waits for it once the store has accepted it, and not if it has another one', async () => {
    const { settlement, told, verdicts, attempt, completed, failed, clock } = sceneOf();
    verdicts.completions = [290, 'duplicate', 'stale'];
    settlement.settle(attempt('a'), completed());
    for (const taskId of ['b', 'c', 'd']) settlement.settle(attempt(taskId), failed);
    expect(told).toEqual([]);
    await clock.runSoon();
    const outcome = { taskId: 'a', status: 'completed', result: bytesOf('done'), node: 'n', attempts: 1 };
    expect(told).toEqual([
      ['settled', { ...outcome, queuedMs: 290, runMs: 7 }],
      ['completed', 'a', 290],
      ['completed', 'b', 'duplicate'],
      ['completed', 'c', 'stale'],
      ['completed', 'd', 'unknown'],
    ]);
  });

  it('tells of the attempts that were started, and of the wait as the store has it', async () => {
    const { settlement, told, verdicts, attempt, completed, clock } = sceneOf();
    verdicts.completions = [290, 0, 40];
    settlement.settle(attempt('third', {}, { attemptsStarted: 2 }), completed());
    settlement.settle(attempt('adopted', {}, { attemptsStarted: 2, startedAt: 5 }), completed());
    settlement.settle(attempt('never', { startedAt: null }, { attemptsStarted: 2 }), completed());
    await clock.runSoon();
    const outcomes = told.filter(([what]) => what === 'settled').map(([, outcome]) => outcome);
    expect(outcomes).toMatchObject([
      { taskId: 'third', attempts: 3, queuedMs: 290 },
      { taskId: 'adopted', attempts: 2, queuedMs: 0 },
      { taskId: 'never', attempts: 2, queuedMs: 40 },
    ]);
  });
});

describe('an attempt that is over while its task is not', () => {
  it('has the task wait by what it has cost: jittered for a failure, a moment if it never arrived, not at all for a crash', async () => {
    const { settlement, releases, attempt, over, clock } = sceneOf();
    settlement.giveBack(attempt('a'), { ...over, costs: 'failure' });
    settlement.giveBack(attempt('b'), { ...over, costs: 'failure', failures: 9 });
    settlement.giveBack(attempt('c'), { ...over, costs: 'crash' });
    settlement.giveBack(attempt('d'), { ...over, costs: 'nothing', failure: null, nodeId: null });
    await clock.runSoon();
    expect(releases).toStrictEqual([
      { taskId: 'a', attempt: 2, costs: 'failure', delayMs: 1_000, error: failure, node: 'n' },
      { taskId: 'b', attempt: 2, costs: 'failure', delayMs: 1_500, error: failure, node: 'n' },
      { taskId: 'c', attempt: 2, costs: 'crash', delayMs: 0, error: failure, node: 'n' },
      { taskId: 'd', attempt: 2, costs: 'nothing', delayMs: 200 },
    ]);
  });

  it('is told to who waits for the task, as the store has it, if that was to be cancelled or its time was up', async () => {
    const { settlement, told, verdicts, attempt, over, clock } = sceneOf();
    verdicts.releases = ['pending', 'cancelled', 'failed', 'delayed'];
    for (const taskId of ['a', 'b', 'c', 'd', 'e']) settlement.giveBack(attempt(taskId), { ...over, costs: 'crash' });
    await clock.runSoon();
    expect(told).toEqual([
      ['released', 'a', 'pending'],
      ['ended', 'b'],
      ['released', 'b', 'cancelled'],
      ['ended', 'c'],
      ['released', 'c', 'failed'],
      ['released', 'd', 'delayed'],
      ['released', 'e', 'stale'],
    ]);
  });
});

describe('what was gathered', () => {
  it('is written at the end of the turn, or as soon as somebody asks', async () => {
    const { settlement, completions, releases, notes, attempt, completed, over, clock } = sceneOf();
    const written = () => [notes.length, completions.length, releases.length];
    const add = () => {
      settlement.note({ taskId: 'a', attempt: 1, event: 'started', node: 'n' });
      settlement.settle(attempt('a'), completed());
      settlement.giveBack(attempt('b'), { ...over, costs: 'nothing' });
    };
    add();
    expect(written()).toEqual([0, 0, 0]);
    settlement.flush();
    expect(written()).toEqual([1, 1, 1]);
    add();
    await clock.runSoon();
    expect(written()).toEqual([2, 2, 2]);
  });
});

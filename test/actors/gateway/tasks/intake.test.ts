/** What becomes of submits, and how their sessions learn of outcomes; the store is the one in memory, which a test may get between. */
import { describe, expect, it } from 'vitest';
import { Session } from '../../../../src/actors/gateway/sessions/session.ts';
import { Intake, type IntakeOptions } from '../../../../src/actors/gateway/tasks/intake.ts';
import { Watchers } from '../../../../src/actors/gateway/tasks/watchers.ts';
import { createMemoryStore } from '../../../../src/actors/store/memory/memory-store.ts';
import { createSimulatedClock } from '../../../../src/actors/world/simulated-clock.ts';
import { createWorld } from '../../../../src/actors/world/world.ts';
import { PincerError } from '../../../../src/protocol/failure.ts';
import type { Limits } from '../../../../src/protocol/limits.ts';
import type { Message, Payload } from '../../../../src/protocol/message.ts';
import type { Outcome } from '../../../../src/protocol/task.ts';
import type { Delivery } from '../../../../src/transport/delivery.ts';
import { bytesOf } from '../../../conformance/store-fixture.ts';
import { tampered } from '../../../support/gateways.ts';

const QUEUE = 'job ';

/** A session that notes what it is told, and what it has acknowledged. */
function aSession() {
  const said: (readonly [type: string, about: unknown])[] = [];
  const outcomes: Outcome[] = [];
  const done: (number | undefined)[] = [];
  const state = { isLaden: false };
  const delivery = {
    get isLaden() {
      return state.isLaden;
    },
    send(type: string, payload: { code?: string; taskId?: string; error?: { code: string } }) {
      said.push([type, payload.code ?? payload.error?.code ?? payload.taskId]);
      if (type === 'task_settled') outcomes.push(payload as Outcome);
    },
    done: ({ id }: Message) => void done.push(id),
  } as unknown as Delivery;
  const session = new Session('s', delivery, null);
  session.peerId = 'peer';
  return { session, said, outcomes, done, state };
}

async function sceneOf(limits: Partial<Limits> = {}, options: Partial<IntakeOptions> = {}) {
  const clock = createSimulatedClock();
  const ids = () => 'id';
  const world = createWorld({ clock, limits }, { clock, random: () => 0.5, ids });
  const store = createMemoryStore({ clock, ids, limits: world.limits });
  await store.open();
  const gateway = await store.join('home', 60_000);
  const watchers = new Watchers(world.limits);
  const failures: unknown[] = [];
  const waiting: string[] = [];
  const intake = new Intake(world, {
    ...{ store, watchers, gatewayId: () => gateway, isServing: () => true, isRefused: () => false },
    onWaiting: ({ taskId }) => void waiting.push(taskId),
    onStoreFailed: (error) => void failures.push(error),
    ...options,
  });
  let messages = 0;
  const submit = async (session: Session, ...specs: Partial<Payload<'task_submit'>>[]): Promise<void> => {
    for (const spec of specs) {
      const payload = { ...{ taskId: 't', type: 'job', priority: 5, timeout: 60_000, payload: bytesOf('x') }, ...spec };
      intake.add(session, { type: 'task_submit', id: ++messages, payload } as Message<'task_submit'>);
    }
    intake.flush();
    await clock.runSoon();
  };
  /** Ends the first task in line. */
  const end = async (status: 'completed' | 'failed', result: Uint8Array | null = null): Promise<void> => {
    const [claimed] = (await store.claim(gateway, [{ queue: QUEUE, limit: 1 }], 1)) ?? [];
    if (claimed === undefined) throw new Error('nothing could be claimed');
    const { taskId, attempt } = claimed.record;
    const error = status === 'failed' ? new PincerError('HANDLER_FAILED', 'no').toFailure() : undefined;
    await store.complete([{ taskId, attempt, status, error, runMs: 5, node: 'n', result: result ?? undefined }]);
  };
  return { clock, store, gateway, watchers, failures, waiting, intake, submit, end };
}

describe('a submit', () => {
  it('takes no room among what its session watches when it was refused, by the store or for its failing', async () => {
    const { store, watchers, submit } = await sceneOf({ watchMax: 2, waitingTasksMax: 1 });
    const { session, said, done } = aSession();
    const restore = tampered({ store }, { submit: () => Promise.reject(new PincerError('STORE_UNAVAILABLE', 'gone')) });
    await submit(session, { taskId: 'a' }, { taskId: 'b' }, { taskId: 'c', watch: false });
    expect(said.map(([, code]) => code)).toEqual(['STORE_UNAVAILABLE', 'STORE_UNAVAILABLE', 'STORE_UNAVAILABLE']);
    restore();
    said.length = 0;
    await submit(session, { taskId: 'a' }, { taskId: 'b' });
    await submit(session, { taskId: 'b' });
    expect(said).toEqual([['task_accepted', 'a'], ...[1, 2].map(() => ['error', 'QUEUE_FULL'])]);
    expect(done).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...watchers.all()]).toEqual(['a']);
  });

  it('is refused together with those that are not decided on, once its session would watch too many', async () => {
    const { submit } = await sceneOf({ watchMax: 2 });
    const { session, said, done } = aSession();
    await submit(session, { taskId: 'a' }, { taskId: 'b' }, { taskId: 'c' }, { taskId: 'd', watch: false });
    expect(said).toEqual([['error', 'RATE_EXCEEDED'], ...['a', 'b', 'd'].map((taskId) => ['task_accepted', taskId])]);
    expect(done.sort()).toEqual([1, 2, 3, 4]);
  });

  it('of a type that is not taken in, or at a gateway that drains, is refused and not stored', async () => {
    let isServing = true;
    const { store, submit } = await sceneOf({}, { isServing: () => isServing, isRefused: (type) => type === 'closed' });
    const { session, said, done } = aSession();
    await submit(session, { taskId: 'a', type: 'closed' });
    isServing = false;
    await submit(session, { taskId: 'b' });
    expect(said).toEqual(['TYPE_DRAINING', 'GATEWAY_DRAINING'].map((code) => ['error', code]));
    expect(done).toEqual([1, 2]);
    expect(await store.list({ limit: 1 })).toMatchObject({ total: 0 });
  });

  it('weighs as much as the tasks that it waits for: those with many are stored fewer at a time, and each is accepted', async () => {
    const { store, submit } = await sceneOf({ submitBatchMax: 4 });
    const { session, said } = aSession();
    const steps: string[][] = [];
    const { submit: stored } = store;
    const submitted: typeof stored = (tasks) => {
      steps.push(tasks.map(({ taskId }) => taskId));
      return stored.call(store, tasks);
    };
    tampered({ store }, { submit: submitted });
    await submit(session, ...['a', 'b', 'c', 'd', 'e'].map((taskId) => ({ taskId })));
    const waiting = (taskId: string, ...taskIds: string[]) => ({
      taskId,
      after: { taskIds, onFailure: 'fail' as const },
    });
    await submit(session, waiting('f', 'a'), waiting('g', 'a'), waiting('h', 'a', 'b', 'c', 'd'), { taskId: 'i' });
    expect(steps).toEqual([['a', 'b', 'c', 'd'], ['e'], ['f', 'g'], ['h'], ['i']]);
    expect(said.map(([type]) => type)).toEqual(Array.from({ length: 9 }, () => 'task_accepted'));
  });

  it('of a session that has ended meanwhile, or that does not watch, is stored and watched by nobody', async () => {
    const { store, watchers, submit } = await sceneOf();
    const { session, said } = aSession();
    await submit(session, { taskId: 'a', watch: false });
    session.isClosed = true;
    await submit(session, { taskId: 'b' });
    expect(said).toHaveLength(2);
    expect(await store.list({ limit: 1 })).toMatchObject({ total: 2 });
    expect([...watchers.all()]).toEqual([]);
  });

  it('of a task that is there already is told how that has ended', async () => {
    const { watchers, submit, end, clock } = await sceneOf();
    const { session, said } = aSession();
    await submit(session, { taskId: 'a', key: 'same', watch: false });
    await end('completed', bytesOf('done'));
    await submit(session, { taskId: 'b', key: 'same' });
    await clock.runSoon();
    expect(said.slice(1)).toEqual([
      ['task_accepted', 'a'],
      ['task_settled', 'a'],
    ]);
    expect([...watchers.all()]).toEqual([]);
  });

  it('of a task that is there already, and ends while this is answered, is told so', async () => {
    const { store, submit, end, clock } = await sceneOf();
    const { session, said } = aSession();
    await submit(session, { taskId: 'a', watch: false });
    const { submit: stored } = store;
    tampered(
      { store },
      {
        async submit(tasks) {
          const verdicts = await stored.call(store, tasks);
          await end('completed');
          return verdicts;
        },
      },
    );
    await submit(session, { taskId: 'a' });
    await clock.runSoon();
    expect(said.slice(1)).toEqual([
      ['task_accepted', 'a'],
      ['task_settled', 'a'],
    ]);
  });

  it('of a task that fails at once with what it depends on is told so', async () => {
    const { submit, end, clock } = await sceneOf();
    const { session, said } = aSession();
    await submit(session, { taskId: 'a', attempts: 1, watch: false });
    await end('failed');
    await submit(session, { taskId: 'b', after: { taskIds: ['a'], onFailure: 'fail' } });
    await clock.runSoon();
    expect(said.slice(1)).toEqual([
      ['task_accepted', 'b'],
      ['task_settled', 'DEPENDENCY_FAILED'],
    ]);
  });
});

describe('who watches a task', () => {
  it('is told of all that there is to tell, and of nothing else', async () => {
    const { store, submit, end, intake } = await sceneOf();
    const { session, outcomes } = aSession();
    await submit(session, { taskId: 'done', watch: false });
    await end('completed', bytesOf('done'));
    await submit(session, { taskId: 'failed', attempts: 1, watch: false });
    await end('failed');
    await submit(session, { taskId: 'cancelled', watch: false });
    await store.cancel(['cancelled']);
    await intake.watch(session, ['done', 'failed', 'cancelled', 'never']);
    expect(outcomes).toStrictEqual([
      { taskId: 'done', status: 'completed', result: bytesOf('done'), node: 'n', attempts: 1, queuedMs: 0, runMs: 5 },
      {
        ...{
          taskId: 'failed',
          status: 'failed',
          error: expect.objectContaining({ code: 'HANDLER_FAILED' }),
          node: 'n',
        },
        ...{ attempts: 1, queuedMs: 0, runMs: 5 },
      },
      {
        ...{ taskId: 'cancelled', status: 'cancelled', error: expect.objectContaining({ code: 'TASK_CANCELLED' }) },
        ...{ attempts: 0, queuedMs: 0, runMs: 0 },
      },
      {
        ...{ taskId: 'never', status: 'failed', error: expect.objectContaining({ code: 'TASK_UNKNOWN' }) },
        ...{ attempts: 0, queuedMs: 0, runMs: 0 },
      },
    ]);
  });

  it('is told that nobody knows a task that is forgotten while its outcome is read, not of a result that is none', async () => {
    const { store, submit, end, intake } = await sceneOf();
    const { session, said } = aSession();
    await submit(session, { taskId: 'a', watch: false }, { taskId: 'b', watch: false });
    await end('completed');
    await end('completed', bytesOf('done'));
    const { result } = store;
    tampered(
      { store },
      {
        async result(taskId) {
          if (taskId === 'b') await store.purge(-1, 9);
          return result.call(store, taskId);
        },
      },
    );
    await intake.watch(session, ['a', 'b']);
    expect(said.slice(2)).toEqual([
      ['task_settled', 'a'],
      ['task_settled', 'TASK_UNKNOWN'],
    ]);
  });

  it('is told when it has less to acknowledge, of what the store has then', async () => {
    const { intake, submit, end, watchers } = await sceneOf();
    const { session, said, state } = aSession();
    await submit(session, { taskId: 'a' });
    state.isLaden = true;
    await end('completed', bytesOf('done'));
    intake.settled({ taskId: 'a', status: 'failed', attempts: 1, queuedMs: 0, runMs: 0 });
    await intake.watch(session, ['other']);
    expect(said).toEqual([['task_accepted', 'a']]);
    expect([...watchers.all()]).toEqual(['a', 'other']);
    state.isLaden = false;
    await session.catchUp();
    expect(said.slice(1)).toEqual([
      ['task_settled', 'a'],
      ['task_settled', 'TASK_UNKNOWN'],
    ]);
    expect([...watchers.all()]).toEqual([]);
  });

  it('is told as soon as the store can be read, and while nobody watches it is not asked', async () => {
    const { clock, store, intake, submit, end, failures, watchers, waiting } = await sceneOf();
    const { session, said } = aSession();
    await submit(session, { taskId: 'a' }, { taskId: 'b' });
    await intake.watch(session, ['a']);
    expect(waiting).toEqual(['a']);
    await end('completed', bytesOf('done'));
    const { get } = store;
    const asked: string[] = [];
    let isReadable = false;
    tampered(
      { store },
      {
        get(taskId) {
          asked.push(taskId);
          return isReadable ? get.call(store, taskId) : Promise.reject(new Error('gone'));
        },
      },
    );
    intake.tellSettled(['a', 'nobody']);
    await clock.advance(350);
    expect([asked, failures.length]).toEqual([['a', 'a', 'a', 'a'], 4]);
    isReadable = true;
    await clock.advance(100);
    expect(said.slice(2)).toEqual([['task_settled', 'a']]);
    watchers.drop(session);
    intake.tellSettled(['a', 'b']);
    await clock.advance(1_000);
    expect(asked).toHaveLength(5);
  });

  it('has none of several tasks told of when they are more than it may watch', async () => {
    const { intake, submit, watchers } = await sceneOf({ watchMax: 3 });
    const { session } = aSession();
    await submit(session, { taskId: 'a' }, { taskId: 'b', watch: false });
    await expect(intake.watch(session, ['b', 'c', 'd'])).rejects.toMatchObject({ code: 'RATE_EXCEEDED' });
    expect([...watchers.all()]).toEqual(['a']);
  });

  it('has no part in a task that waits still, of which it asked and which it has left', async () => {
    const { intake, submit, watchers, waiting } = await sceneOf();
    const { session } = aSession();
    await submit(session, { taskId: 'a' });
    watchers.drop(session);
    await intake.tellIfSettled('a');
    expect(waiting).toEqual([]);
  });
});

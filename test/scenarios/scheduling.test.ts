/** Order, limits and places, through the door that clients use: what runs when, where, and how soon again. */
import { describe, expect, it, vi } from 'vitest';
import { WorkClasses } from '../../src/actors/gateway/dispatch/work-classes.ts';
import { defineHandler } from '../../src/actors/node/runner.ts';
import type { Store } from '../../src/actors/store/store.ts';
import { type StrategyName, strategies } from '../../src/machines/policies/placement/index.ts';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';
import { keepingLog } from '../support/isolates.ts';
import { MemoryPeer } from '../support/memory-peer.ts';
import { type PuppetRun, Puppets } from '../support/puppets.ts';

/** Lets each attempt end as soon as it has begun, until so many have. Returns them in the order in which they ran. */
async function runAll(cluster: TestCluster, puppets: Puppets, count: number): Promise<PuppetRun[]> {
  const endAt = cluster.clock.now() + 3_600_000;
  while (puppets.runs.filter((run) => run.isOver).length < count && cluster.clock.now() < endAt) {
    for (const run of puppets.running) run.finish();
    await cluster.advance(10);
  }
  return puppets.runs;
}

/** How many tasks each claim gets from now on. */
function claimsOf({ store }: TestCluster): number[] {
  const claim = store.claim.bind(store);
  const claimed: number[] = [];
  Object.assign(store, {
    claim: async (...given: Parameters<Store['claim']>) => {
      const found = await claim(...given);
      claimed.push(found?.length ?? 0);
      return found;
    },
  });
  return claimed;
}

describe('the order of tasks', () => {
  it('#40 lets low priorities age: the last runs although first ones keep coming', async () => {
    await using cluster = await createTestCluster({ limits: { agingMs: 1_000 } });
    const puppets = new Puppets();
    await cluster.node('n', { maxTasks: 1, handlers: [puppets.on('n')] });
    const client = await cluster.client();
    client.submit(puppets.task, 'busy');
    await cluster.until(() => puppets.running.length === 1);
    const last = client.submit(puppets.task, 'last', { priority: 10 });
    await cluster.until(last.accepted());
    const submittedAt = cluster.clock.now();
    let isDone = false;
    last.outcome().then(
      () => {
        isDone = true;
      },
      () => {},
    );
    // Ten more urgent ones a second, as many as the node can do.
    while (!isDone && cluster.clock.now() - submittedAt < 60_000) {
      client.submit(puppets.task, 'first', { priority: 1 });
      for (const run of puppets.running) run.finish();
      await cluster.advance(100);
    }
    expect(isDone).toBe(true);
    // Nine levels are worth nine times agingMs, and no more.
    const waitedMs = cluster.clock.now() - submittedAt;
    expect(waitedMs).toBeGreaterThan(8_000);
    expect(waitedMs).toBeLessThan(12_000);
  });

  it.each([0, 11, Number.NaN, 1.5, -1])('#40 refuses the priority %d, and says what there is', async (priority) => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const handle = client.submit('job', null, { priority });
    await expect(cluster.until(handle.accepted())).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining('priority'),
    });
  });

  it('is fair: one user’s thousand do not stand before another’s one', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    const client = await cluster.client();
    const many = Array.from({ length: 1_000 }, (_, count) =>
      client.submit(puppets.task, `alice-${count}`, { fairKey: 'alice' }),
    );
    await cluster.until(Promise.all(many.map((handle) => handle.accepted())));
    await cluster.until(client.submit(puppets.task, 'bob', { fairKey: 'bob' }).accepted());
    await cluster.node('n', { maxTasks: 1, handlers: [puppets.on('n')] });
    const runs = await runAll(cluster, puppets, 10);
    expect(runs.slice(0, 3).map((run) => run.input)).toContain('bob');
  });

  it('is that of what is claimed together: what can go to one node only goes there first (#51)', async () => {
    await using cluster = await createTestCluster();
    const [plain, rare] = [new Puppets('plain'), new Puppets('rare')];
    await cluster.node('versatile', {
      maxTasks: 1,
      capabilities: ['memory'],
      handlers: [plain.on('versatile'), rare.on('versatile')],
    });
    await cluster.node('simple', { maxTasks: 1, handlers: [plain.on('simple')] });
    const client = await cluster.client();
    for (const type of ['plain', 'rare']) await cluster.until(client.order({ what: 'type.pause', type }));
    await cluster.until(client.submit(plain.task, 'generic').accepted());
    await cluster.until(client.submit(rare.task, 'special', { needs: ['memory'] }).accepted());
    for (const type of ['plain', 'rare']) await cluster.until(client.order({ what: 'type.resume', type }));
    await cluster.until(() => plain.running.length + rare.running.length === 2);
    expect([plain.only.node, rare.only.node]).toEqual(['simple', 'versatile']);
  });

  it('is that of their priorities where they share a resource, whatever node some would rather have', async () => {
    await using cluster = await createTestCluster();
    const [render, train] = [new Puppets('render'), new Puppets('train')];
    await cluster.node('n', { maxTasks: 5, resources: { gpu: 1 }, handlers: [render.on('n'), train.on('n')] });
    await cluster.node('m', { maxTasks: 5, handlers: [render.on('m')] });
    const client = await cluster.client();
    const resources = { gpu: 1 };
    for (let count = 0; count < 5; count += 1) {
      client.submit(render.task, `render-${count}`, { resources, prefer: 'n', priority: 10 });
    }
    await cluster.until(() => render.running.length === 1);
    await cluster.until(client.submit(train.task, 'train', { resources, priority: 1 }).accepted());
    render.only.finish();
    await cluster.until(() => render.running.length + train.running.length === 1);
    expect([...render.running, ...train.running].map(({ input }) => input)).toEqual(['train']);
  });

  it('is not asked for beyond the room there is for it: free slots that cannot do it claim nothing', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('able', { maxTasks: 1, handlers: [puppets.on('able')] });
    await cluster.node('idle', { maxTasks: 10, handlers: [new Puppets('other').on('idle')] });
    const client = await cluster.client();
    // Of classes of their own, each of which may have the one slot.
    for (let count = 0; count < 6; count += 1) {
      client.submit(puppets.task, count, { limit: { key: `user-${count}`, perMinute: 1 } });
    }
    for (let count = 0; count < 6; count += 1) {
      await cluster.until(() => puppets.running.length === 1, 1_000);
      puppets.only.finish();
      await cluster.settle();
    }
    expect(puppets.runs.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it.each(Object.keys(strategies))(
    'does not let generic work eat versatile nodes, by any strategy: %s (#51)',
    async (strategy) => {
      await using cluster = await createTestCluster({ gateway: { strategy: strategy as StrategyName } });
      const [plain, rare] = [new Puppets('plain'), new Puppets('rare')];
      await cluster.node('a-versatile', {
        maxTasks: 2,
        capabilities: ['memory'],
        handlers: [plain.on('a-versatile'), rare.on('a-versatile')],
      });
      await cluster.node('b-simple', { maxTasks: 4, handlers: [plain.on('b-simple')] });
      const client = await cluster.client();
      for (let count = 1; count <= 5; count += 1) {
        client.submit(plain.task, `generic-${count}`);
        await cluster.until(() => plain.running.length === count);
      }
      client.submit(rare.task, 'special', { needs: ['memory'] });
      await cluster.until(() => rare.running.length === 1, 1_000);
    },
  );
});

describe('a limit that tasks share', () => {
  it('holds how many run at once, across types and nodes, and never leaves room unused', async () => {
    await using cluster = await createTestCluster();
    const puppets = [new Puppets('one'), new Puppets('two')];
    for (const id of ['a', 'b']) await cluster.node(id, { maxTasks: 10, handlers: puppets.map((each) => each.on(id)) });
    const client = await cluster.client();
    const limit = { key: 'openai', concurrency: 4 };
    for (let count = 0; count < 20; count += 1) for (const { task } of puppets) client.submit(task, count, { limit });
    const running = (): PuppetRun[] => puppets.flatMap((each) => each.running);
    let done = 0;
    while (done < 40) {
      await cluster.until(() => running().length === Math.min(4, 40 - done));
      await cluster.advance(100);
      expect(running().length).toBeLessThanOrEqual(4);
      running()[0]?.finish();
      done += 1;
      await cluster.settle();
    }
  });

  it('holds how many start in any minute', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('n', { maxTasks: 50, handlers: [puppets.on('n')] });
    const client = await cluster.client();
    for (let count = 0; count < 9; count += 1)
      client.submit(puppets.task, count, { limit: { key: 'api', perMinute: 3 } });
    const starts: number[] = [];
    const startedAt = cluster.clock.now();
    while (starts.length < 9 && cluster.clock.now() - startedAt < 300_000) {
      await cluster.advance(500);
      while (starts.length < puppets.runs.length) starts.push(cluster.clock.now() - startedAt);
      for (const run of puppets.running) run.finish();
    }
    for (const [index, at] of starts.entries()) {
      if (index >= 3) expect(at - (starts[index - 3] ?? 0)).toBeGreaterThanOrEqual(59_500);
    }
    expect(starts.at(-1)).toBeLessThan(130_000);
  });

  it.each([1, 2])(
    'lets the next one start when a minute has passed, and not with the next sweep: %i gateways',
    async (gateways) => {
      await using cluster = await createTestCluster({ gateways, limits: { sweepMs: 25_000 } });
      const puppets = new Puppets();
      const others = new Puppets('other');
      for (const id of ['n', 'm']) await cluster.node(id, { maxTasks: 9, handlers: [puppets.on(id), others.on(id)] });
      const client = await cluster.client();
      const limit = { key: 'api', perMinute: 2 };
      for (const count of [0, 1, 2]) client.submit(puppets.task, count, { limit });
      await cluster.settle();
      await cluster.advance(7_000);
      client.submit(others.task, 3, { limit });
      const all = () => [...puppets.runs, ...others.runs];
      const first = cluster.clock.now() - 7_000;
      expect(all().length).toBe(2);
      await cluster.advance(first + 59_900 - cluster.clock.now());
      expect(all().length).toBe(2);
      await cluster.advance(200);
      expect(all().length).toBe(4);
      // Of two that have begun at about the same time, both have made room; and so on for who comes then.
      for (const count of [4, 5]) client.submit(puppets.task, count, { limit });
      await cluster.advance(59_500);
      expect(all().length).toBe(4);
      await cluster.advance(600);
      expect(all().length).toBe(6);
    },
  );
});

describe('a strategy', () => {
  it.each([
    [
      'throws',
      () => {
        throw new Error('no idea');
      },
      'it threw Error: no idea',
    ],
    ['names nobody', () => 'nobody', 'it chose nobody, which is none of the candidates'],
    ['answers with a promise', async () => 'n', 'it chose [object Promise], which is none of the candidates'],
  ])('of the app that %s is logged once, and the tasks are placed all the same', async (_, wrong, error) => {
    const { log, logged } = keepingLog();
    await using cluster = await createTestCluster({
      log,
      gateway: { strategies: { mine: wrong as () => string }, strategy: 'mine' },
    });
    await cluster.node('n', { handlers: [defineHandler({ type: 'job' }, () => null)] });
    const client = await cluster.client();
    for (let task = 0; task < 3; task += 1) await cluster.until(client.submit('job').result());
    const failed = logged.filter(({ event }) => event === 'strategy.failed');
    expect(failed).toEqual([{ event: 'strategy.failed', fields: { strategy: 'mine', error } }]);
  });

  it('of the app that is no function is refused by its name', async () => {
    const gateway = { strategies: { mine: {} as never } };
    await expect(createTestCluster({ gateway })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: 'strategies.mine is [object Object], must be a function',
    });
  });

  it('#50 #76 is chosen by an option, for all types or for one, an app’s own among them; one there is not is refused', async () => {
    const asked: string[] = [];
    const mine =
      (name: string) =>
      (candidates: readonly { nodeId: string }[]): string | undefined => {
        asked.push(name);
        return candidates.at(-1)?.nodeId;
      };
    await using cluster = await createTestCluster({
      gateway: {
        strategies: { 'for-all': mine('for-all'), 'for-one': mine('for-one') },
        strategy: 'for-all',
        strategyByType: { special: 'for-one', 'round-one': 'round-robin' },
      },
    });
    const puppets = ['job', 'special', 'round-one'].map((type) => new Puppets(type));
    for (const id of ['a', 'b', 'c']) await cluster.node(id, { handlers: puppets.map((each) => each.on(id)) });
    const client = await cluster.client();
    const placed: Record<string, string> = {};
    for (const { task } of puppets) {
      client.submit(task, null);
      await cluster.until(() => puppets.flatMap((each) => each.running).length > Object.keys(placed).length);
      for (const run of puppets.flatMap((each) => each.running)) placed[run.taskId] = run.node;
    }
    expect(asked).toEqual(['for-all', 'for-one']);
    expect(Object.values(placed).slice(0, 2)).toEqual(['c', 'c']);
    await expect(createTestCluster({ gateway: { strategyByType: { job: 'fastest' } } })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(/'fastest' is not a strategy; there are round-robin, .*power-of-two/),
    });
  });
});

describe('a task whose node is gone', () => {
  it('is placed again within the resume window when the node was killed, and without anybody asking', async () => {
    const seen: { event: string; nodeId?: string; to?: string }[] = [];
    const note = (event: string, fields: object = {}): void => void seen.push({ ...fields, event });
    const log = { debug() {}, info: note, warn() {}, error() {} };
    await using cluster = await createTestCluster({ log });
    const puppets = new Puppets();
    for (const id of ['a', 'b']) await cluster.node(id, { maxTasks: 1, handlers: [puppets.on(id)] });
    const client = await cluster.client();
    client.submit(puppets.task, null);
    await cluster.until(() => puppets.running.length === 1);
    const first = puppets.only.node;
    cluster.kill(first);
    const killedAt = cluster.clock.now();
    const before = seen.length;
    await cluster.until(() => puppets.runs.length === 2);
    // resumeWindowMs is 3 s; a lost node’s tasks wait for no backoff.
    expect(cluster.clock.now() - killedAt).toBeLessThanOrEqual(3_200);
    expect(puppets.runs[1]).toMatchObject({ attempt: 2 });
    expect(puppets.runs[1]?.node).not.toBe(first);
    const changes = seen.slice(before).filter(({ event, nodeId }) => event === 'node.changed' && nodeId === first);
    expect(changes.map(({ to }) => to)).toEqual(['unhealthy', 'offline']);
  });

  it('#13 is placed again after offlineAfterMs when the node fell silent, though nobody reads its state', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    const mute = await MemoryPeer.join(cluster, 'a-mute', { maxTasks: 1 });
    const client = await cluster.client();
    const handle = client.submit(puppets.task, null);
    await cluster.advance(100);
    const { taskId, attempt } = mute.last('task_assign');
    mute.say('task_started', { taskId, attempt });
    await cluster.settle();
    await cluster.node('b', { maxTasks: 1, handlers: [puppets.on('b')] });
    const silentSince = cluster.clock.now();
    await cluster.until(() => puppets.running.length === 1);
    const passedMs = cluster.clock.now() - silentSince;
    expect(passedMs).toBeGreaterThan(29_000);
    expect(passedMs).toBeLessThanOrEqual(30_500);
    puppets.only.finish();
    expect(await cluster.until(handle.outcome())).toMatchObject({ status: 'completed', node: 'b', attempts: 2 });
  });
});

describe('a task that is assigned', () => {
  it('#30 is back in the queue when its node does not take it, at no cost, and runs elsewhere', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    const client = await cluster.client();
    const unwilling = await MemoryPeer.join(cluster, 'unwilling', { maxTasks: 1 });
    const handle = client.submit(puppets.task, null);
    await cluster.advance(100);
    const { taskId, attempt } = unwilling.last('task_assign');
    unwilling.say('task_reject', { taskId, attempt, code: 'NODE_DRAINING', message: 'not now' });
    await cluster.settle();
    expect((await cluster.until(client.task(taskId))).task).toMatchObject({ failures: 0, crashes: 0, attempts: 0 });
    unwilling.hangUp();
    await cluster.node('willing', { handlers: [puppets.on('willing')] });
    await cluster.until(() => puppets.running.length === 1);
    puppets.only.finish();
    expect(await cluster.until(handle.outcome())).toMatchObject({ status: 'completed', node: 'willing', attempts: 1 });
  });

  it('#28 is marked as started once its node says so, and not before', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const node = await MemoryPeer.join(cluster, 'n', { maxTasks: 1 });
    const { taskId } = client.submit('job');
    await cluster.advance(100);
    const { attempt } = node.last('task_assign');
    const asked = async () => (await cluster.until(client.task(taskId))).task;
    expect(await asked()).toMatchObject({ status: 'assigned', node: 'n', attempts: 0 });
    expect(await asked()).not.toHaveProperty('startedAt');
    node.say('task_started', { taskId, attempt });
    await cluster.settle();
    expect(await asked()).toMatchObject({ status: 'running', attempts: 1, startedAt: cluster.clock.wallTime() });
    const { history } = await cluster.until(client.task(taskId));
    expect(history.map(({ event }) => event)).toEqual([
      'task.submitted',
      'task.claimed',
      'task.assigned',
      'attempt.started',
    ]);
  });
});

describe('a task after one that has failed already', () => {
  it('is told to have failed at once, however long its gateway has run', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const first = client.submit('job', null);
    await cluster.until(first.cancel());
    await cluster.advance(60_000);
    const after = client.submit('job', null, { after: [first.taskId] });
    expect((await cluster.until(after.outcome(), 1_000)).error).toMatchObject({ code: 'DEPENDENCY_FAILED' });
  });
});

describe('what a queue is asked for beside running tasks', () => {
  it('#44 is there: delay, key, dependencies, progress, cancel, pause, dead letters, retention, drain', async () => {
    await using cluster = await createTestCluster({ limits: { settledTasksMax: 6, retryBaseMs: 10 } });
    const puppets = new Puppets();
    await cluster.node('n', { maxTasks: 5, handlers: [puppets.on('n')] });
    const client = await cluster.client();
    const ended = (taskId: string) => cluster.until(client.task(taskId)).then(({ task }) => task.status);

    const first = client.submit(puppets.task, 'first', { key: 'k' });
    const same = client.submit(puppets.task, 'again', { key: 'k' });
    const later = client.submit(puppets.task, 'later', { delayMs: 5_000 });
    await cluster.until(Promise.all([first, same, later].map((handle) => handle.accepted())));
    expect(same.taskId).toBe(first.taskId);
    const after = client.submit(puppets.task, 'after', { after: [first.taskId] });
    await cluster.until(() => puppets.running.length === 1);
    const reports = first.progress[Symbol.asyncIterator]();
    const report = reports.next();
    await cluster.until(puppets.only.progress({ percent: 50 }));
    expect(await cluster.until(report)).toMatchObject({ value: { percent: 50 } });
    puppets.only.finish('one');
    expect(await cluster.until(same.result())).toBe('one');

    await cluster.until(() => puppets.running.length === 1);
    expect(puppets.only.input).toBe('after');
    expect(await cluster.until(after.cancel())).toBe('cancelling');
    expect(await cluster.until(after.outcome())).toMatchObject({ status: 'cancelled' });

    await cluster.until(client.order({ what: 'type.pause', type: 'job' }));
    await cluster.advance(10_000);
    expect(puppets.running).toEqual([]);
    await cluster.until(client.order({ what: 'type.resume', type: 'job' }));
    await cluster.until(() => puppets.running.length === 1);
    expect(puppets.only.input).toBe('later');
    puppets.only.finish();
    await cluster.until(later.outcome());

    const dead = client.submit(puppets.task, 'dead', { attempts: 1 });
    await cluster.until(() => puppets.running.length === 1);
    puppets.only.fail(new Error('no'));
    await cluster.until(dead.outcome());
    expect((await cluster.until(client.tasks({ status: ['failed'] }))).items).toMatchObject([{ taskId: dead.taskId }]);
    expect(await cluster.until(client.order({ what: 'task.retry', taskId: dead.taskId }))).toBe('pending');
    await cluster.until(() => puppets.running.length === 1);
    puppets.only.finish();
    await cluster.until(async () => (await ended(dead.taskId)) === 'completed');

    for (let count = 0; count < 6; count += 1) {
      const handle = client.submit(puppets.task, count);
      await cluster.until(() => puppets.running.length === 1);
      puppets.only.finish();
      await cluster.until(handle.outcome());
    }
    await expect(cluster.until(client.task(first.taskId))).rejects.toMatchObject({ code: 'TASK_UNKNOWN' });

    client.submit(puppets.task, 'at the end');
    await cluster.until(() => puppets.running.length === 1);
    const drained = cluster.gateway.drain();
    await cluster.advance(100);
    puppets.only.finish();
    await cluster.until(drained);
    expect(cluster.gateway.status).toBe('stopped');
  });
});

describe('a delay', () => {
  it('of nothing is none, and of less than that is refused', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('n', { handlers: [puppets.on('n')] });
    const client = await cluster.client();
    const now = client.submit(puppets.task, 'now', { delayMs: 0 });
    await cluster.until(() => puppets.runs.length === 1, 1_000);
    puppets.only.finish('done');
    expect(await cluster.until(now.result())).toBe('done');
    const before = client.submit(puppets.task, 'before', { delayMs: -1 });
    await expect(cluster.until(before.accepted())).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });
});

describe('classes of tasks that nobody can do', () => {
  it('are forgotten when their tasks have gone: no claim looks at them any more', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('n', { maxTasks: 5, handlers: [puppets.on('n')] });
    const client = await cluster.client();
    const gone = Array.from({ length: 200 }, (_, n) => client.submit('job', n, { ttlMs: 500, node: `gone-${n}` }));
    await cluster.until(Promise.all(gone.map((handle) => handle.outcome())), 20_000);
    const stays = client.submit('job', null, { node: 'comes-later' });
    await cluster.advance(5_000);
    const looked = vi.spyOn(WorkClasses.prototype, 'of');
    const handle = client.submit(puppets.task, 'x');
    await cluster.until(() => puppets.runs.length === 1);
    const classes = new Set(looked.mock.calls.map(([queue]) => queue)).size;
    looked.mockRestore();
    expect(classes).toBeLessThan(5);
    puppets.only.finish();
    await cluster.until(handle.outcome());
    // What still waits is not forgotten with them.
    const late = await MemoryPeer.join(cluster, 'comes-later', { taskTypes: ['job'] });
    await cluster.until(() => late.of('task_assign').length === 1);
    expect(late.last('task_assign').taskId).toBe(stays.taskId);
  });
});

describe('what comes in one turn', () => {
  it('of thousands of slots is claimed a thousand at a time, and nobody waits for all of it', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    const client = await cluster.client();
    const submitted = Array.from({ length: 2_500 }, (_, n) => client.submit(puppets.task, n, { watch: false }));
    await cluster.until(Promise.all(submitted.map((handle) => handle.accepted())));
    const claimed = claimsOf(cluster);
    await cluster.node('large', { maxTasks: 2_600, handlers: [puppets.on('large')] });
    await cluster.until(() => puppets.runs.length === 2_500);
    expect(claimed).toEqual([1_000, 1_000, 500]);
    for (const run of puppets.running) run.finish();
  });

  it('is claimed together, from however many nodes it comes, and no node is said to be free in between', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    for (let index = 0; index < 20; index += 1) {
      await cluster.node(`n-${index}`, { maxTasks: 1, handlers: [puppets.on(`n-${index}`)] });
    }
    const client = await cluster.client();
    for (let index = 0; index < 40; index += 1) client.submit(puppets.task, index);
    await cluster.until(() => puppets.running.length === 20);
    const claimed = claimsOf(cluster);
    for (const run of puppets.running) run.finish();
    await cluster.until(() => puppets.runs.length === 40);
    expect(claimed).toEqual([20]);
    expect((await cluster.gateway.stats()).nodes['busy']).toBe(20);
  });
});

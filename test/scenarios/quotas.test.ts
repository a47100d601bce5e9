/** One client that wants too much is refused, by name of the limit and with a time to come back; no other notices. */
import { describe, expect, it } from 'vitest';
import type { TaskHandle } from '../../src/actors/client/handle.ts';
import { defineHandler } from '../../src/actors/node/runner.ts';
import { defineTask } from '../../src/actors/task-definition.ts';
import { PincerError } from '../../src/protocol/failure.ts';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';
import { MemoryPeer } from '../support/memory-peer.ts';
import { Puppets } from '../support/puppets.ts';

const echoes = defineHandler({ type: 'echo' }, ({ input }) => input);

interface Acceptance {
  accepted(): Promise<unknown>;
}

/** What became of submits: how many were accepted, and what the others were refused with. */
async function verdicts(cluster: TestCluster, handles: readonly Acceptance[]) {
  const settled = await cluster.until(Promise.allSettled(handles.map((handle) => handle.accepted())));
  const refusals = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as PincerError] : []));
  return { accepted: settled.length - refusals.length, refusals };
}

describe('a client that submits faster than it may', () => {
  it('is refused what is too much and told when to come back, and is then let in', async () => {
    await using cluster = await createTestCluster({ limits: { submitsPerSecondMax: 10 } });
    await cluster.node('node-1', { maxTasks: 50, handlers: [echoes] });
    const client = await cluster.client('hasty');
    const submit = (count: number) => Array.from({ length: count }, (_, n) => client.submit('echo', n));
    const { accepted, refusals } = await verdicts(cluster, submit(15));
    expect([accepted, refusals.length]).toEqual([10, 5]);
    for (const refusal of refusals) {
      expect(refusal).toBeInstanceOf(PincerError);
      expect(refusal).toMatchObject({ code: 'RATE_EXCEEDED', retryable: true });
      expect(refusal.message).toMatch(/'hasty' submitted more than 10 tasks in a second \(submitsPerSecondMax\)/);
      expect(refusal.retryAfterMs).toBeGreaterThan(0);
    }
    await cluster.advance(refusals[0]?.retryAfterMs ?? Number.NaN);
    expect(await cluster.until(client.submit('echo', 'later').result())).toBe('later');
    await cluster.advance(1_000);
    expect(await verdicts(cluster, submit(10))).toEqual({ accepted: 10, refusals: [] });
  });

  it('may keep at it: what it is refused is not stored, and takes no turn of another client', async () => {
    await using cluster = await createTestCluster({ limits: { submitsPerSecondMax: 20, waitingTasksMax: 60 } });
    const [greedy, modest] = [await cluster.client('greedy'), await cluster.client('modest')];
    const flood = Array.from({ length: 500 }, (_, n) => greedy.submit('echo', n, { watch: false }));
    const few = Array.from({ length: 20 }, (_, n) => modest.submit('echo', n));
    expect((await verdicts(cluster, few)).accepted).toBe(20);
    const { accepted, refusals } = await verdicts(cluster, flood);
    expect([accepted, new Set(refusals.map(({ code }) => code))]).toEqual([20, new Set(['RATE_EXCEEDED'])]);
    await cluster.node('node-1', { maxTasks: 50, handlers: [echoes] });
    const results = await cluster.until(Promise.all(few.map((handle) => handle.result())));
    expect(results).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect((await cluster.store.list({ limit: 100 })).total).toBe(40);
  });
});

describe('a client with more unsettled tasks than it may have', () => {
  it('is refused the next ones by name of the limit, on every gateway, until one has settled; others go on', async () => {
    await using cluster = await createTestCluster({ gateways: 2, limits: { clientTasksMax: 3 } });
    const [greedy, modest] = [await cluster.client('greedy'), await cluster.client('modest')];
    const submit = (client: typeof greedy, count: number) =>
      Array.from({ length: count }, (_, n) => client.submit('echo', n));
    const first = submit(greedy, 5);
    const { accepted, refusals } = await verdicts(cluster, first);
    expect([accepted, refusals.length]).toEqual([3, 2]);
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({ code: 'QUEUE_FULL', retryable: true, retryAfterMs: 1_000 });
      expect(refusal.message).toBe('client greedy has 3 tasks that have not settled, and clientTasksMax is 3');
    }
    expect((await verdicts(cluster, submit(modest, 3))).accepted).toBe(3);
    const elsewhere = await cluster.client('greedy', { via: [2] });
    expect((await verdicts(cluster, submit(elsewhere, 1))).accepted).toBe(0);
    await cluster.node('node-1', { maxTasks: 9, handlers: [echoes] });
    await cluster.until(Promise.allSettled(first.map((handle) => handle.result())));
    expect((await verdicts(cluster, submit(elsewhere, 3))).accepted).toBe(3);
  });
});

describe('a client that follows more tasks than it may', () => {
  it('is refused by the gateway, whatever it has set itself, until one has ended; another has its own room', async () => {
    await using cluster = await createTestCluster({ limits: { watchMax: 3 } });
    const puppets = new Puppets();
    await cluster.node('node-1', { maxTasks: 9, handlers: [puppets.on('node-1')] });
    const greedy = await cluster.client('greedy', { limits: { watchMax: 100 } });
    const modest = await cluster.client('modest');
    const submit = (client: typeof greedy) => client.submit(puppets.task, null);
    const flood = await verdicts(
      cluster,
      [1, 2, 3, 4, 5].map(() => submit(greedy)),
    );
    expect(flood.accepted).toBe(3);
    const error = { code: 'RATE_EXCEEDED', retryable: true, retryAfterMs: expect.any(Number) as number };
    expect(flood.refusals).toEqual([expect.objectContaining(error), expect.objectContaining(error)]);
    expect(flood.refusals[0]?.message).toContain('(watchMax)');
    expect(
      await verdicts(
        cluster,
        [1, 2, 3].map(() => submit(modest)),
      ),
    ).toEqual({ accepted: 3, refusals: [] });
    puppets.running[0]?.finish();
    await cluster.settle();
    await cluster.advance(100);
    expect((await verdicts(cluster, [submit(greedy)])).accepted).toBe(1);
  });

  it('is told so also of what it follows without having submitted it, at once and after a reconnect', async () => {
    await using cluster = await createTestCluster({ limits: { watchMax: 3 } });
    const modest = await cluster.client('modest');
    const ids = await Promise.all(
      [1, 2, 3].map(async (n) => (await cluster.until(modest.submit('echo', n).accepted())).taskId),
    );
    const { taskId } = await cluster.until((await cluster.client('other')).submit('echo', 4).accepted());
    const greedy = await cluster.client('greedy', { limits: { watchMax: 100 } });
    const followed = ids.map((id) => greedy.follow(id));
    const refused = { code: 'RATE_EXCEEDED', message: expect.stringContaining('(watchMax)') as string };
    await expect(cluster.until(greedy.follow(taskId).outcome(), 1_000)).rejects.toMatchObject(refused);
    // Of those it follows, none is the worse for it.
    await cluster.until(modest.cancel(ids[0] ?? ''));
    expect(await cluster.until(followed[0]?.outcome() ?? Promise.reject(), 1_000)).toMatchObject({
      status: 'cancelled',
    });
    // While it has no session it follows more than it may: of those that it asks for together, it may have none.
    cluster.network.partition('greedy');
    cluster.network.cut('greedy');
    const more = [greedy.follow(ids[0] ?? ''), greedy.follow(taskId)];
    const ends = [...followed.slice(1), ...more].map((handle) => handle.outcome());
    const told = Promise.allSettled(ends);
    await cluster.advance(60_000);
    cluster.network.heal();
    const codes = (await cluster.until(told, 30_000)).map((end) =>
      end.status === 'rejected' ? end.reason.code : null,
    );
    expect(codes).toEqual(Array(4).fill('RATE_EXCEEDED'));
  });

  it('is refused also while the store takes its time: what it has not decided on counts', async () => {
    await using cluster = await createTestCluster({ limits: { watchMax: 3 } });
    const store = cluster.store.submit.bind(cluster.store);
    cluster.store.submit = async (tasks) => {
      await new Promise<void>((resolve) => void cluster.clock.schedule(1_000, resolve));
      return store(tasks);
    };
    const client = await cluster.client('greedy', { limits: { watchMax: 100 } });
    const first = [1, 2, 3].map((n) => client.submit('echo', n));
    await cluster.settle();
    const { accepted, refusals } = await verdicts(
      cluster,
      [4, 5].map((n) => client.submit('echo', n)),
    );
    expect([accepted, refusals.map(({ code }) => code)]).toEqual([0, ['RATE_EXCEEDED', 'RATE_EXCEEDED']]);
    expect((await verdicts(cluster, first)).accepted).toBe(3);
    expect((await cluster.store.list({ limit: 10 })).total).toBe(3);
  });
});

describe('a peer that reads but acknowledges nothing', () => {
  const large = defineTask('large');

  it('is told more of large outcomes and answers only as it acknowledges them, and all in the end', async () => {
    await using cluster = await createTestCluster({ limits: { unacknowledgedBytesMax: 20_000 } });
    await cluster.node('node-1', { maxTasks: 10, handlers: [defineHandler(large, () => 'x'.repeat(4_000))] });
    const submitter = await cluster.client('submitter');
    const submit = (): TaskHandle[] => Array.from({ length: 20 }, () => submitter.submit(large, null));
    const early = submit();
    await cluster.until(Promise.all(early));
    const reader = await MemoryPeer.join(cluster, 'reader', { nodeType: 'client', maxTasks: 0 });
    reader.acknowledges = false;
    reader.say('task_watch', { taskIds: early.map(({ taskId }) => taskId) });
    await cluster.settle();
    expect(reader.of('task_settled')).toHaveLength(5);
    const late = submit();
    reader.say('task_watch', { taskIds: late.map(({ taskId }) => taskId) });
    reader.say('query', { what: 'task', taskId: early[0]?.taskId ?? '' });
    await cluster.until(Promise.all(late));
    expect(reader.of('task_settled')).toHaveLength(5);
    expect(reader.of('answer')).toHaveLength(0);
    const said = submitter.messages.send('reader', 'one more', { reliable: true });
    await expect(cluster.until(said)).rejects.toMatchObject({ code: 'SLOW_CONSUMER' });
    expect(await cluster.until(submitter.messages.broadcast('to all', { reliable: true }))).toBe(1);
    reader.acknowledges = true;
    reader.say('ack', { received: reader.heard.findLast(({ id }) => id !== undefined)?.id ?? 0 });
    await cluster.until(() => reader.of('task_settled').length === 40, 10_000);
    const told = reader.of('task_settled').map(({ taskId, status }) => [taskId, status]);
    expect(new Map(told as [string, string][])).toEqual(
      new Map([...early, ...late].map(({ taskId }) => [taskId, 'completed'])),
    );
    expect(reader.of('answer')).toHaveLength(1);
    await cluster.until(submitter.messages.send('reader', 'now', { reliable: true }));
  });

  it('if it is a node, is given no more work until it does', async () => {
    await using cluster = await createTestCluster({ limits: { unacknowledgedBytesMax: 20_000 } });
    const node = await MemoryPeer.join(cluster, 'node-1', { maxTasks: 50 });
    node.acknowledges = false;
    const client = await cluster.client();
    for (let n = 0; n < 20; n += 1) client.submit('large', 'x'.repeat(4_000), { timeoutMs: 600_000 });
    await cluster.settle();
    const given = node.of('task_assign').length;
    expect(given).toBeLessThan(20);
    node.acknowledges = true;
    node.say('ack', { received: node.heard.findLast(({ id }) => id !== undefined)?.id ?? 0 });
    await cluster.until(() => node.of('task_assign').length === 20, 10_000);
  });
});

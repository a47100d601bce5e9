/** Tasks on their way through a whole cluster: order, placement, retries, and what a submitter is told. */
import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/actors/node/runner.ts';
import { defineTask } from '../../src/actors/task-definition.ts';
import { PincerError } from '../../src/protocol/failure.ts';
import { createTestCluster } from '../../src/testing/cluster.ts';
import { MemoryPeer } from '../support/memory-peer.ts';
import { Puppets } from '../support/puppets.ts';

const double = defineTask('double');
const doubles = defineHandler(double, ({ input }) => (input as number) * 2);

describe('a task', () => {
  it('goes from client to node and back, and its result can be asked for afterwards (#32)', async () => {
    await using cluster = await createTestCluster();
    await cluster.node('node-1', { handlers: [doubles] });
    const client = await cluster.client();
    const handle = client.submit(double, 21);
    const settled = await cluster.until(handle.outcome());
    expect(settled).toMatchObject({ status: 'completed', result: 42, node: 'node-1', attempts: 1 });
    expect(await cluster.until(client.task(handle.taskId))).toMatchObject({
      result: 42,
      task: { status: 'completed' },
    });
    const events = (await cluster.store.history(handle.taskId)).map(({ event }) => event);
    expect(events).toEqual(['task.submitted', 'task.claimed', 'task.assigned', 'attempt.started', 'task.completed']);
  });

  it('waits without a tick: it is placed at the moment it and a slot are both there (#46)', async () => {
    await using cluster = await createTestCluster();
    await cluster.node('node-1', { maxTasks: 1, handlers: [doubles] });
    const client = await cluster.client();
    const before = cluster.clock.now();
    const handles = [1, 2, 3, 4].map((n) => client.submit(double, n));
    let settled = 0;
    for (const handle of handles) {
      void handle.outcome().then(() => {
        settled += 1;
      });
    }
    await cluster.settle();
    expect({ settled, passedMs: cluster.clock.now() - before }).toEqual({ settled: 4, passedMs: 0 });
  });

  it('runs beside others on one node, and each completes (#31)', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('node-1', { maxTasks: 3, handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    const handles = ['a', 'b', 'c'].map((input) => client.submit(puppets.task, input));
    await cluster.settle();
    expect(puppets.running.map(({ input }) => input)).toEqual(['a', 'b', 'c']);
    for (const run of puppets.running.toReversed()) run.finish(`${run.input as string}!`);
    expect(await cluster.until(Promise.all(handles.map((handle) => handle.result())))).toEqual(['a!', 'b!', 'c!']);
  });
});

describe('the order of tasks', () => {
  it('is by priority, and by arrival within one priority', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const puppets = new Puppets();
    const wanted = [5, 1, 9, 1, 5, 9].map((priority, index) => ({ priority, index }));
    for (const { priority, index } of wanted) void client.submit(puppets.task, `${priority}-${index}`, { priority });
    await cluster.settle();
    await cluster.node('node-1', { maxTasks: 1, handlers: [puppets.on('node-1')] });
    await cluster.until(async () => {
      for (const run of puppets.running) run.finish();
      return puppets.runs.length === wanted.length;
    });
    expect(puppets.runs.map(({ input }) => input)).toEqual(['1-1', '1-3', '5-0', '5-4', '9-2', '9-5']);
  });

  it('lets nobody wait behind what no node can do (#38)', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    for (let n = 0; n < 500; n += 1) void client.submit('other', n, { priority: 1, needs: ['gpu'], watch: false });
    await cluster.node('node-1', { handlers: [doubles] });
    const handle = client.submit(double, 4, { priority: 10 });
    expect(await cluster.until(handle.result(), 1_000)).toBe(8);
    expect(
      (await cluster.until(client.why((await cluster.until(client.tasks({ type: 'other' }))).items[0]?.taskId ?? '')))
        .summary,
    ).toMatch(/none of 1 node can ever do/);
  });

  it('gives agent work to agents that have a handler for it, and to nobody else (#41 #42)', async () => {
    await using cluster = await createTestCluster();
    const [wrong, right] = [new Puppets(double), new Puppets(double)];
    await cluster.node('channel-1', { type: 'channel', handlers: [wrong.on('channel-1')] });
    await cluster.node('node-1', { handlers: [] });
    const client = await cluster.client();
    const handle = client.submit(double, 1);
    await cluster.advance(5_000);
    expect(wrong.runs).toEqual([]);
    expect((await cluster.until(client.why(handle.taskId))).nodes.map(({ reason }) => reason)).toEqual([
      'is a channel, not an agent',
      "has no handler for 'double'",
    ]);
    await cluster.node('node-2', { handlers: [right.on('node-2')] });
    await cluster.settle();
    right.only.finish();
    await cluster.until(handle.result());
  });
});

describe('a failed attempt', () => {
  it('is followed by another on another node where there is one (#37)', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    for (const id of ['node-1', 'node-2']) await cluster.node(id, { handlers: [puppets.on(id)] });
    const client = await cluster.client();
    const handle = client.submit(puppets.task, null);
    await cluster.settle();
    const first = puppets.only.node;
    puppets.only.fail(new Error('not today'));
    await cluster.until(() => puppets.running.length === 1);
    expect(puppets.only).toMatchObject({ attempt: 2 });
    expect(puppets.only.node).not.toBe(first);
    puppets.only.finish('yes');
    expect(await cluster.until(handle.outcome())).toMatchObject({ result: 'yes', attempts: 2 });
  });

  it('is followed by another on the same node if it is the only one, and the last error is told (#77)', async () => {
    await using cluster = await createTestCluster();
    let calls = 0;
    const fails = defineHandler(double, () => {
      calls += 1;
      throw new Error(`failure ${calls}`);
    });
    await cluster.node('node-1', { handlers: [fails] });
    const client = await cluster.client();
    const settled = await cluster.until(client.submit(double, 1).outcome());
    expect(settled).toMatchObject({ status: 'failed', attempts: 3 });
    expect(settled.error).toMatchObject({ code: 'HANDLER_FAILED', message: 'failure 3' });
    expect(calls).toBe(3);
  });

  it('that cannot succeed ends the task at once, and its node is as healthy as before (#78)', async () => {
    await using cluster = await createTestCluster();
    const refuses = defineHandler(double, () => {
      throw Object.assign(new Error('no such account'), { retryable: false });
    });
    for (const id of ['node-1', 'node-2', 'node-3']) await cluster.node(id, { handlers: [refuses] });
    const client = await cluster.client();
    const settled = await cluster.until(client.submit(double, 1).outcome());
    expect(settled).toMatchObject({ status: 'failed', attempts: 1 });
    expect(settled.error).toMatchObject({ code: 'HANDLER_REFUSED', message: 'no such account', retryable: false });
    const statuses = (await cluster.until(client.nodes())).map(({ status }) => status);
    expect(statuses).toEqual(['online', 'online', 'online']);
  });
});

describe('a submit', () => {
  it('with the same id or key is the same task, however often it is said', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('node-1', { handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    const first = client.submit(puppets.task, 1, { taskId: 'one' });
    const second = client.submit(puppets.task, 1, { taskId: 'one' });
    const keyed = client.submit(puppets.task, 2, { key: 'k' });
    const again = client.submit(puppets.task, 2, { key: 'k' });
    await cluster.settle();
    expect(puppets.running.map(({ input }) => input)).toEqual([1, 2]);
    expect(await cluster.until(second.accepted())).toEqual({ taskId: 'one', created: false });
    expect((await cluster.until(again.accepted())).taskId).toBe(keyed.taskId);
    for (const run of puppets.running) run.finish(run.input);
    const results = [first, second, keyed, again].map((handle) => handle.result());
    expect(await cluster.until(Promise.all(results))).toEqual([1, 1, 2, 2]);
  });

  it('beyond what may wait is refused with a time to come back (#39)', async () => {
    await using cluster = await createTestCluster({ limits: { waitingTasksMax: 3 } });
    const client = await cluster.client();
    const handles = [1, 2, 3, 4].map((n) => client.submit(double, n));
    for (const handle of handles.slice(0, 3)) await cluster.until(handle.accepted());
    const refusal = await cluster.until(handles[3]?.accepted().catch((error: unknown) => error) ?? Promise.resolve());
    expect(refusal).toBeInstanceOf(PincerError);
    expect(refusal).toMatchObject({ code: 'QUEUE_FULL', retryable: true, retryAfterMs: expect.any(Number) as number });
  });
});

describe('progress', () => {
  it('arrives in order, and a slow reader holds at most what it may', async () => {
    await using cluster = await createTestCluster({ limits: { progressWaitingMax: 4 } });
    const puppets = new Puppets();
    await cluster.node('node-1', { handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    const handle = client.submit(puppets.task, null);
    const [quick, slow] = [handle.progress[Symbol.asyncIterator](), handle.progress[Symbol.asyncIterator]()];
    await cluster.settle();
    const got: unknown[] = [];
    for (let n = 1; n <= 10; n += 1) {
      await puppets.only.progress(n);
      got.push((await cluster.until(quick.next())).value);
    }
    puppets.only.finish();
    await cluster.until(handle.result());
    expect(got).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const late: unknown[] = [];
    for (let next = await slow.next(); next.done !== true; next = await slow.next()) late.push(next.value);
    expect(late).toEqual([7, 8, 9, 10]);
  });

  it('is there for the first who reads it, also of a task that was over before its acceptance was waited for', async () => {
    await using cluster = await createTestCluster({ limits: { progressWaitingMax: 3 } });
    const talks = defineHandler(defineTask('talk'), async ({ progress }) => {
      for (let n = 1; n <= 5; n += 1) await progress(n);
      return 'said';
    });
    await cluster.node('node-1', { handlers: [talks] });
    const client = await cluster.client();
    const handle = client.submit('talk', null);
    await cluster.until(handle.accepted());
    await cluster.until(handle.outcome());
    const read = async (): Promise<unknown[]> => {
      const reports: unknown[] = [];
      for await (const report of handle.progress) reports.push(report);
      return reports;
    };
    expect(await cluster.until(read())).toEqual([3, 4, 5]);
    expect(await cluster.until(read())).toEqual([]);
  });

  it('that is not msgpack is left out, whether it is read at once or later', async () => {
    await using cluster = await createTestCluster();
    const peer = await MemoryPeer.join(cluster, 'node-x');
    const client = await cluster.client();
    const handle = client.submit('anything', null);
    await cluster.settle();
    const ref = { taskId: handle.taskId, attempt: 1 };
    const say = async (byte: number): Promise<void> => {
      peer.say('task_progress', { ...ref, payload: new Uint8Array([byte]) });
      await cluster.settle();
    };
    await say(0xc1);
    await say(1);
    const reports = handle.progress[Symbol.asyncIterator]();
    await say(0xc1);
    await say(2);
    expect([await reports.next(), await reports.next()]).toMatchObject([{ value: 1 }, { value: 2 }]);
    expect(client.isConnected).toBe(true);
  });
});

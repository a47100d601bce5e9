/** Clients that submit much, lose their link, read slowly or ask for more than fits. */
import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/actors/client/client.ts';
import { defineHandler } from '../../src/actors/node/runner.ts';
import { defineTask } from '../../src/actors/task-definition.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import type { MessageType } from '../../src/protocol/message.ts';
import type { Log } from '../../src/protocol/ports.ts';
import { createTestCluster } from '../../src/testing/cluster.ts';
import { heldOf } from '../support/garbage.ts';
import { tampered } from '../support/gateways.ts';
import { MemoryPeer } from '../support/memory-peer.ts';
import { Puppets } from '../support/puppets.ts';

const echo = defineTask('echo');
const echoes = defineHandler(echo, ({ input }) => input);

function aSignal(): { abort: () => void; signal: AbortSignal } {
  const controller = new AbortController();
  return { abort: () => controller.abort(), signal: controller.signal };
}
const SILENT: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe('a client', () => {
  it('submits 20 000 tasks at once in a window, and gets every result', async () => {
    await using cluster = await createTestCluster({ limits: { submitsUnderWayMax: 2_000 } });
    await cluster.node('node-1', { maxTasks: 500, handlers: [echoes] });
    const client = await cluster.client();
    const handles = Array.from({ length: 20_000 }, (_, n) => client.submit(echo, n));
    const results = await cluster.until(Promise.all(handles.map((handle) => handle.result())));
    expect(results).toEqual(Array.from({ length: 20_000 }, (_, n) => n));
    expect((await cluster.gateway.stats()).counters['liveTasks']).toBe(0);
  }, 120_000);

  it('of its gateway’s own process is held by it no longer than until it stops', async () => {
    await using cluster = await createTestCluster();
    const visit = async (): Promise<WeakRef<object>> => {
      const client = cluster.gateway.client();
      await cluster.until(client.ready());
      await cluster.until(client.stop());
      return new WeakRef(client);
    };
    const clients = [await visit(), await visit(), await visit()];
    expect(await heldOf(clients)).toBe(0);
  });

  it('says that it has stopped, and what it was refused with', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    await cluster.until(client.stop());
    expect(await client.stopped).toBeNull();
    const older = await cluster.client('named');
    const newer = await cluster.client('named');
    expect(await cluster.until(older.stopped)).toMatchObject({ code: 'SUPERSEDED' });
    await cluster.until(older.stop());
    expect(await older.stopped).toMatchObject({ code: 'SUPERSEDED' });
    await cluster.until(newer.stop());
  });

  it('submits a batch by submitting in a loop: one call of the store, in order, and each task has its own verdict', async () => {
    await using cluster = await createTestCluster();
    await cluster.node('node-1', { maxTasks: 100, handlers: [echoes] });
    const client = await cluster.client();
    await cluster.until(client.order({ what: 'type.drain', type: 'closed' }));
    const batches: string[][] = [];
    const submit = cluster.store.submit.bind(cluster.store);
    cluster.store.submit = (tasks) => {
      batches.push(tasks.map((task) => task.taskId));
      return submit(tasks);
    };
    const handles = Array.from({ length: 200 }, (_, n) => client.submit(n === 50 ? 'closed' : 'echo', n));
    const ends = await cluster.until(Promise.allSettled(handles.map((handle) => handle.result())));
    expect(batches).toEqual([handles.filter((_, n) => n !== 50).map((handle) => handle.taskId)]);
    expect(ends[50]).toMatchObject({ status: 'rejected', reason: { code: 'TYPE_DRAINING' } });
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(199);
  });

  it('sends and gets more at once than a link may hold, over one link', async () => {
    const ups: string[] = [];
    const log = { ...SILENT, info: (event: string) => void (event === 'link.up' && ups.push(event)) };
    const limits = { frameBytesTarget: 512, sendBytesLow: 1_024, sendBytesHigh: 4_096, sendBytesMax: 16_384 };
    await using cluster = await createTestCluster({ limits });
    await cluster.node('node-1', { maxTasks: 100, handlers: [echoes] });
    const input = 'x'.repeat(1_000);
    const client = await cluster.client('client', { log });
    const handles = Array.from({ length: 200 }, () => client.submit(echo, input));
    const results = await cluster.until(Promise.all(handles.map((handle) => handle.result())));
    expect(results).toEqual(handles.map(() => input));
    // And of what has ended, all at once again.
    const other = await cluster.client('other', { log });
    const followed = handles.map(({ taskId }) => other.follow(taskId).result());
    expect(await cluster.until(Promise.all(followed))).toHaveLength(200);
    expect(ups).toHaveLength(2);
  });

  it('is refused what does not fit into one frame, and goes on', async () => {
    await using cluster = await createTestCluster();
    await cluster.node('node-1', { handlers: [echoes], labels: { zone: 'attic' } });
    const client = await cluster.client();
    const many = (value: unknown, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`name-${n}`, value]));
    const input = new Uint8Array(700_000);
    const refused = [
      client.submit(echo, input, { labels: many('v'.repeat(250), 1_200) as Record<string, string> }),
      client.submit(echo, null, { resources: many(1, 66_000) as Record<string, number> }),
    ].map((handle) => handle.accepted());
    expect(await cluster.until(Promise.allSettled(refused))).toMatchObject([
      { reason: { code: 'OPTION_INVALID', message: expect.stringContaining('too much for one message: they take') } },
      { reason: { code: 'OPTION_INVALID', message: expect.stringContaining('more than 65536 values') } },
    ]);
    const fits = client.submit(echo, input, { labels: { zone: 'attic' } });
    expect(await cluster.until(fits.result())).toHaveLength(700_000);
  });

  it('follows no more tasks than it may watch, and all of them nevertheless', async () => {
    await using cluster = await createTestCluster({ limits: { watchMax: 10 } });
    await cluster.node('node-1', { handlers: [echoes] });
    const client = await cluster.client();
    const handles = Array.from({ length: 200 }, (_, n) => client.submit(echo, n));
    const results = await cluster.until(Promise.all(handles.map((handle) => handle.result())), 30_000);
    expect(results).toHaveLength(200);
  });

  it('keeps room for the outcome of what it submits, whatever it follows meanwhile', async () => {
    await using cluster = await createTestCluster({ limits: { watchMax: 2 } });
    const puppets = new Puppets();
    await cluster.node('node-1', { maxTasks: 4, handlers: [puppets.on('node-1')] });
    const submitter = await cluster.client('submitter');
    const other = submitter.submit(puppets.task, 'other', { watch: false });
    await cluster.until(() => puppets.running.length === 1);
    const client = await cluster.client('client');
    const own = [1, 2].map((n) => client.submit(puppets.task, n));
    const followed = client.follow(other.taskId).result();
    await expect(cluster.until(followed)).rejects.toMatchObject({ code: 'RATE_EXCEEDED' });
    await cluster.until(() => puppets.running.length === 3);
    for (const run of puppets.running) run.finish(run.input);
    expect(await cluster.until(Promise.all(own.map((handle) => handle.result())), 10_000)).toEqual([1, 2]);
  });

  it('whose session is lost submits again what was not acknowledged, and watches again what was', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('node-1', { maxTasks: 10, handlers: [puppets.on('node-1')] });
    const client = await cluster.client('client');
    const before = client.submit(puppets.task, 'before');
    await cluster.until(before.accepted());
    cluster.network.partition('client');
    cluster.network.cut('client');
    const meanwhile = client.submit(puppets.task, 'meanwhile');
    await cluster.settle();
    puppets.only.finish('told later');
    await cluster.advance(60_000);
    cluster.network.heal();
    await cluster.until(() => puppets.running.length === 1, 30_000);
    puppets.only.finish('also done');
    expect(await cluster.until(Promise.all([before.result(), meanwhile.result()]))).toEqual([
      'told later',
      'also done',
    ]);
    expect(puppets.runs).toHaveLength(2);
  });

  it('watches all of it again also if the store cannot be read just then', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('node-1', { maxTasks: 10, handlers: [puppets.on('node-1')] });
    const client = await cluster.client('client');
    const handles = [1, 2, 3].map((input) => client.submit(puppets.task, input));
    await cluster.until(() => puppets.running.length === 3);
    await cluster.until(Promise.all(handles.map((handle) => handle.accepted())));
    const untamper = tampered(cluster, { get: () => Promise.reject(new Error('the disk is full')) });
    await cluster.restartGateway();
    await cluster.until(() => client.isConnected, 10_000);
    await cluster.advance(1_000);
    untamper();
    for (const run of puppets.running) run.finish(run.input);
    expect(await cluster.until(Promise.all(handles.map((handle) => handle.result())), 10_000)).toEqual([1, 2, 3]);
  });

  it('goes on watching a task whose second submit is refused after its session was lost', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('node-1', { handlers: [puppets.on('node-1')] });
    const operator = await cluster.client('operator');
    const client = await cluster.client('client');
    const first = client.submit(puppets.task, 1, { taskId: 'one' });
    await cluster.until(first.accepted());
    cluster.network.partition('client');
    cluster.network.cut('client');
    const second = client.submit(puppets.task, 1, { taskId: 'one' });
    await cluster.until(operator.order({ what: 'type.drain', type: puppets.task.type }));
    await cluster.advance(60_000);
    cluster.network.heal();
    await expect(cluster.until(second.result(), 30_000)).rejects.toMatchObject({ code: 'TYPE_DRAINING' });
    puppets.only.finish('told nevertheless');
    expect(await cluster.until(first.result())).toBe('told nevertheless');
  });

  it('is asked nothing and told nothing when it is stopped: what waits is rejected, and the tasks go on', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('node-1', { handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    const handle = client.submit(puppets.task, 1);
    await cluster.settle();
    await cluster.until(client.stop());
    await expect(handle.result()).rejects.toMatchObject({ code: 'STOPPED' });
    await expect(client.submit(puppets.task, 2).accepted()).rejects.toMatchObject({ code: 'STOPPED' });
    const other = await cluster.client();
    const followed = other.follow(handle.taskId);
    await cluster.settle();
    puppets.only.finish('went on');
    expect(await cluster.until(followed.result())).toBe('went on');
  });

  it('listens to the signal of a task until it is over, and of one that it does not follow until it is accepted', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('node-1', { handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    const [{ signal }, { signal: leftSignal }] = [new AbortController(), new AbortController()];
    const listening = (): number[] => [signal, leftSignal].map((each) => getEventListeners(each, 'abort').length);
    const followed = client.submit(puppets.task, 1, { signal });
    const left = client.submit(puppets.task, 2, { signal: leftSignal, watch: false });
    expect(listening()).toEqual([1, 1]);
    await cluster.until(Promise.all([followed.accepted(), left.accepted()]));
    await cluster.settle();
    expect(listening()).toEqual([1, 0]);
    for (const run of puppets.running) run.finish();
    await cluster.until(followed.result());
    await cluster.settle();
    expect(listening()).toEqual([0, 0]);
  });

  it('is told what is larger than it would send itself, over one link', async () => {
    await using cluster = await createTestCluster();
    await cluster.node('node-1', { handlers: [defineHandler(echo, ({ input }) => 'x'.repeat(Number(input)))] });
    const client = await cluster.client('small', { limits: { frameBytesMax: 70_000, payloadBytesMax: 1_000 } });
    const result = await cluster.until(client.submit(echo, 500_000).result(), 5_000);
    expect((result as string).length).toBe(500_000);
    expect((await cluster.gateway.stats()).counters['faults'] ?? 0).toBe(0);
  });

  it('without a gateway waits with its submits, and says why to who has asked anything else for questionMs', async () => {
    await using cluster = await createTestCluster({ limits: { questionMs: 60_000 } });
    const client = await cluster.client();
    cluster.killGateway();
    const submitted = client.submit(echo, 'kept');
    const asked = [client.stats(), client.cancel('any'), client.order({ what: 'type.pause', type: 'echo' })];
    const ends = Promise.allSettled(asked);
    let isOver = false;
    void ends.then(() => {
      isOver = true;
    });
    await cluster.advance(59_000);
    expect(isOver).toBe(false);
    const message = expect.stringMatching(/no gateway within 60000 ms \(questionMs\): nobody listens/);
    const refused = { status: 'rejected', reason: { code: 'GATEWAY_UNREACHABLE', message } };
    expect(await cluster.until(ends, 2_000)).toMatchObject([refused, refused, refused]);
    await cluster.restartGateway();
    await cluster.node('node-1', { handlers: [echoes] });
    // The type was not paused: of what was given up nothing is asked.
    expect(await cluster.until(submitted.result())).toBe('kept');
    expect(await cluster.until(client.stats())).toMatchObject({ gatewayId: expect.any(String) });
  });

  it('before there is a gateway lets go of a submit at once whose signal is aborted, and submits the others', async () => {
    await using cluster = await createTestCluster();
    cluster.killGateway();
    const { clock, random, network } = cluster;
    const client = createClient({ dial: network.dial('gateway'), clock, random, limits: { submitsUnderWayMax: 2 } });
    await cluster.advance(1_000);
    const { abort, signal } = aSignal();
    const handles = [signal, undefined, signal, signal, undefined].map((given, n) =>
      client.submit(echo, n, given === undefined ? {} : { signal: given }),
    );
    abort();
    for (const n of [0, 2, 3]) {
      await expect(handles[n]?.accepted()).rejects.toMatchObject({
        code: 'TASK_CANCELLED',
        message: expect.stringContaining('before a gateway had the task'),
      });
    }
    await cluster.restartGateway();
    await cluster.node('node-1', { handlers: [echoes] });
    for (const n of [1, 4]) expect(await cluster.until(handles[n]?.result() ?? Promise.reject())).toBe(n);
    expect((await cluster.until(client.tasks())).total).toBe(2);
    await cluster.until(client.stop());
  });

  it('that was never connected refuses all that it holds when it is stopped, watched or not', async () => {
    const never = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const client = createClient({ url: never, limits: { submitsUnderWayMax: 2 } });
    const handles = [true, false].flatMap((watch) =>
      Array.from({ length: 5 }, () => client.submit(echo, null, { watch })),
    );
    const said = Promise.allSettled(handles.map((handle) => handle.accepted()));
    await client.stop();
    expect(new Set((await said).map(({ status }) => status))).toEqual(new Set(['rejected']));
  });

  it('gets a page that fits into a frame, and the rest with its cursor', async () => {
    await using cluster = await createTestCluster();
    const fails = defineHandler(echo, () => {
      throw new Error('x'.repeat(1_900));
    });
    await cluster.node('node-1', { maxTasks: 1_000, handlers: [fails] });
    const client = await cluster.client();
    const handles = Array.from({ length: 1_000 }, (_, n) => client.submit(echo, n, { attempts: 1 }));
    await cluster.until(Promise.all(handles.map((handle) => handle.outcome())));
    const seen = new Set<string>();
    let cursor: string | undefined;
    do {
      const page = await cluster.until(client.tasks({ limit: 1_000, ...(cursor === undefined ? {} : { cursor }) }));
      expect(page.total).toBe(1_000);
      for (const { taskId } of page.items) seen.add(taskId);
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(seen.size).toBe(1_000);
    expect(client.isConnected).toBe(true);
  });

  it('hears of a task that it watches together with its outcome, or alone within acceptMs', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('node-1', { handlers: [echoes, puppets.on('node-1')] });
    const peer = await MemoryPeer.join(cluster, 'client-x', { nodeType: 'client' });
    const submit = async (type: string, watch?: boolean): Promise<MessageType[][]> => {
      const before = peer.frames.length;
      const payload = new Uint8Array([9]);
      peer.say('task_submit', { taskId: `of-${type}-${watch}`, type, payload, priority: 5, timeout: 1_000, watch });
      await cluster.settle();
      return peer.frames.slice(before).map((types) => types.filter((each) => each !== 'ack'));
    };
    expect(await submit('echo')).toEqual([['task_accepted', 'task_settled']]);
    expect(await submit(puppets.task.type)).toEqual([]);
    await cluster.advance(defaultLimits.acceptMs);
    expect(peer.frames.at(-1)).toContain('task_accepted');
    // Who does not watch waits for nothing else.
    expect(await submit('nobody-can', false)).toEqual([['task_accepted']]);
  });

  it('that watches in the frame in which it submits is told of the task, not that there is none', async () => {
    await using cluster = await createTestCluster();
    await cluster.node('node-1', { handlers: [echoes] });
    const peer = await MemoryPeer.join(cluster, 'client-x', { nodeType: 'client' });
    const spec = {
      taskId: 'mine',
      type: 'echo',
      payload: new Uint8Array([9]),
      priority: 5,
      timeout: 1_000,
      watch: false,
    };
    peer.sayAll([
      { type: 'task_submit', id: 1, payload: spec },
      { type: 'task_watch', id: 2, payload: { taskIds: ['mine'] } },
    ]);
    await cluster.settle();
    expect(peer.of('task_settled')).toMatchObject([{ taskId: 'mine', status: 'completed' }]);
  });
});

describe('a question that nobody could understand', () => {
  it('is told so to who asked, and to nobody else: no link is closed, nothing else waits', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    const node = await cluster.node('node-1', { maxTasks: 5, handlers: [puppets.on('node-1'), echoes] });
    const client = await cluster.client();
    const running = client.submit(puppets.task, null, { attempts: 1 });
    await cluster.until(() => puppets.runs.length === 1);
    const asked: readonly [string, (calls: typeof client | typeof node.gateway) => Promise<unknown>][] = [
      ['query.taskId', (calls) => calls.task('')],
      ['query.taskId', (calls) => calls.why('a b')],
      ['query.nodeId', (calls) => calls.node('a b')],
      ['task_cancel.taskId', (calls) => calls.cancel('')],
      ['follow: taskId', (calls) => calls.follow('a b').outcome()],
      ['query.filter.limit', (calls) => calls.tasks({ limit: 0 })],
      ['query.filter.status', (calls) => calls.tasks({ status: ['nope' as never] })],
      ['query.limit', (calls) => calls.doctor({ limit: -1 })],
      ['order.scheduleId', (calls) => calls.unschedule('a b')],
      ['order.type', (calls) => calls.order({ what: 'type.pause', type: '' })],
    ];
    for (const calls of [client, node.gateway]) {
      for (const [field, ask] of asked) {
        const end = await cluster.until(
          ask(calls).catch((error: unknown) => error),
          1_000,
        );
        expect(end).toMatchObject({ code: 'OPTION_INVALID', message: expect.stringContaining(field) });
      }
      expect(await cluster.until(calls.submit(echo, 'still here').result())).toBe('still here');
    }
    await expect(cluster.until(client.messages.send('a b', 1))).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await expect(cluster.until(client.messages.subscribe('', () => {}))).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
    puppets.only.finish('done');
    expect(await cluster.until(running.outcome())).toMatchObject({ status: 'completed', attempts: 1 });
    expect((await cluster.gateway.stats()).counters['faults'] ?? 0).toBe(0);
  });
});

describe('a peer that does not acknowledge', () => {
  it('is cut at the limit and begins anew: nothing that it was owed is lost on the way', async () => {
    await using cluster = await createTestCluster({
      limits: { unacknowledgedMax: 20, submitsUnderWayMax: 10, watchMax: 1_000 },
    });
    await cluster.node('node-1', {
      maxTasks: 5,
      limits: { unacknowledgedMax: 1_000, outboxResultsMax: 995 },
      handlers: [echoes],
    });
    const deaf = await MemoryPeer.dial(cluster, 'deaf');
    deaf.acknowledges = false;
    deaf.say('register', {
      protocol: [1, 1],
      nodeId: 'deaf',
      nodeType: 'client',
      incarnation: 'deaf-1',
      capabilities: [],
      maxTasks: 0,
      running: [],
    });
    await cluster.settle();
    for (let n = 0; n < 30; n += 1) {
      deaf.say('task_submit', {
        taskId: `t-${n}`,
        type: 'echo',
        payload: new Uint8Array([n]),
        priority: 5,
        timeout: 1_000,
      });
      await cluster.settle();
    }
    expect(deaf.closed).not.toBeNull();
    const { session } = deaf.last('welcome');
    const again = await MemoryPeer.join(cluster, 'deaf', {
      nodeType: 'client',
      incarnation: 'deaf-1',
      maxTasks: 0,
      resume: { session, received: 0 },
    });
    expect(again.last('welcome')).toMatchObject({ resumed: false });
  });

  it('is replayed what it may have missed, on the link that it has', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('node-1', { handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    const handle = client.submit(puppets.task, 1);
    await cluster.settle();
    // The one frame with the result is lost, the link lives on, and nothing follows that would show the gap.
    cluster.network.setFaults({ drop: 1 });
    puppets.only.finish('said twice');
    await cluster.settle();
    cluster.network.setFaults({});
    expect(await cluster.until(handle.result(), 40_000)).toBe('said twice');
    expect(puppets.runs).toHaveLength(1);
  });
});

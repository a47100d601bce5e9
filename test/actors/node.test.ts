/** A node at its gateway: what it takes, what it refuses, what it says of itself. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createNode } from '../../src/actors/node/node.ts';
import { memoryOutbox, type Result } from '../../src/actors/node/outbox.ts';
import { defineHandler } from '../../src/actors/node/runner.ts';
import { defineTask } from '../../src/actors/task-definition.ts';
import { createSimulatedClock } from '../../src/actors/world/simulated-clock.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import type { Message, Payload } from '../../src/protocol/message.ts';
import { createTestCluster } from '../../src/testing/cluster.ts';
import { decodeFrame, encodeFrame } from '../../src/transport/codec.ts';
import type { Link, LinkEvents } from '../../src/transport/link.ts';
import { encodePayload } from '../../src/transport/payload.ts';
import { keepingLog } from '../support/isolates.ts';
import { Puppets } from '../support/puppets.ts';

/** A node at a gateway that the test plays: what it has heard, and what it says to the node. */
async function atPlayedGateway(options: Partial<Parameters<typeof createNode>[0]> = {}) {
  const heard: Message[] = [];
  let told: LinkEvents | null = null;
  let lastId = 0;
  const say = (messages: readonly object[]): void => {
    const numbered = messages.map((message) => ({ id: ++lastId, ...message }));
    setImmediate(() => told?.onFrame(encodeFrame(numbered)));
  };
  const welcome: Payload<'welcome'> = {
    ...{ protocol: 1, gatewayId: 'gw', session: 's', resumed: false, received: 0, capabilities: [], drop: [] },
    policy: {
      ...{ heartbeatMs: 60_000, offlineAfterMs: 90_000, resumeWindowMs: 3_000 },
      ...{ frameBytesMax: defaultLimits.frameBytesMax, payloadBytesMax: defaultLimits.payloadBytesMax },
    },
  };
  const link = {
    ...{ remoteAddress: 'test', identity: { name: 'test' }, bufferedBytes: 0, isOpen: true },
    ...{ pause() {}, resume() {}, terminate() {} },
    attach(events: LinkEvents) {
      told = events;
    },
    send(frame: Uint8Array) {
      const messages = decodeFrame(frame, defaultLimits) as Message[];
      heard.push(...messages);
      if (messages[0]?.type === 'register')
        setImmediate(() => told?.onFrame(encodeFrame([{ type: 'welcome', payload: welcome }])));
    },
    close(code: number, reason: string) {
      link.isOpen = false;
      setImmediate(() => told?.onClose(code, reason));
    },
  };
  const node = await createNode({ id: 'node-1', ...options, join: async () => link });
  return { node, link, heard, say };
}

describe('a node', () => {
  it('is given work only once it is welcome, and has its handlers by then (#64)', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    const client = await cluster.client();
    void client.submit(puppets.task, 1);
    await cluster.settle();
    const node = await cluster.node('node-1', { handlers: [puppets.on('node-1')] });
    await cluster.settle();
    expect([node.status, puppets.runs.length]).toEqual(['online', 1]);
  });

  it('takes no more than its slots, whatever it is sent (#65)', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    const node = await cluster.node('node-1', { maxTasks: 2, handlers: [puppets.on('node-1', { obeys: false })] });
    const client = await cluster.client();
    for (let n = 0; n < 4; n += 1) void client.submit(puppets.task, n);
    await cluster.settle();
    expect([node.running, puppets.runs.length]).toEqual([2, 2]);
    // Its attempts are lost to it while they run on, deaf: the gateway believes that it has room, the node knows better.
    cluster.network.partition('node-1');
    cluster.network.cut('node-1');
    await cluster.advance(5_000);
    cluster.network.heal();
    await cluster.advance(20_000);
    expect([node.running, puppets.runs.length]).toEqual([2, 2]);
    for (const run of puppets.running) run.finish();
    await cluster.until(() => puppets.running.length === 2);
    expect(node.running).toBe(2);
  });

  it('checks a payload before its handler sees it, and a result before it is sent (#69)', async () => {
    await using cluster = await createTestCluster();
    const strict = defineTask('strict', { input: z.object({ n: z.number() }), output: z.string() });
    let calls = 0;
    const handler = defineHandler(strict, ({ input }) => {
      calls += 1;
      return input.n as unknown as string;
    });
    await cluster.node('node-1', { handlers: [handler] });
    const client = await cluster.client();
    const unfit = await cluster.until(client.submit('strict', { n: 'x' }).outcome());
    expect([unfit.status, unfit.error?.code, unfit.attempts, calls]).toEqual(['failed', 'PAYLOAD_INVALID', 1, 0]);
    const wrong = await cluster.until(client.submit(strict, { n: 1 }).outcome());
    expect([wrong.status, wrong.error?.code, calls]).toEqual(['failed', 'RESULT_INVALID', 1]);
  });

  it('sends no progress that is larger than a payload may be: it fails that attempt, and no neighbour', async () => {
    await using cluster = await createTestCluster({ limits: { payloadBytesMax: 1_000 } });
    const puppets = new Puppets();
    const chatty = defineHandler(defineTask('chatty'), async ({ progress }) => {
      await progress('x'.repeat(997));
      await progress('x'.repeat(998));
    });
    await cluster.node('node-1', { handlers: [puppets.on('node-1'), chatty] });
    const client = await cluster.client();
    const neighbour = client.submit(puppets.task, null);
    const handle = client.submit('chatty', null);
    expect(await cluster.until(handle.outcome())).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: { code: 'PAYLOAD_TOO_LARGE', message: 'the progress has 1001 bytes, more than 1000' },
    });
    puppets.only.finish('well');
    expect(await cluster.until(neighbour.result())).toBe('well');
  });

  it('reports no result that is larger than its gateway takes, which is told no payload that is', async () => {
    const limits = { payloadBytesMax: 80_000, frameBytesMax: 90_000 };
    await using cluster = await createTestCluster({ limits });
    const own = { limits: { payloadBytesMax: 700_000, frameBytesMax: 1_000_000 } };
    const long = defineHandler(defineTask('long'), ({ input }) => 'x'.repeat(Number(input)));
    await cluster.node('node-1', { ...own, handlers: [long] });
    const client = await cluster.client('client', own);
    const ends = [79_000, 100_000, 'x'.repeat(100_000)].map((input) => client.submit('long', input).outcome());
    expect(await cluster.until(Promise.allSettled(ends))).toMatchObject([
      { value: { status: 'completed' } },
      {
        value: {
          status: 'failed',
          error: { code: 'RESULT_TOO_LARGE', message: expect.stringContaining('100005 bytes, more than 80000') },
        },
      },
      {
        reason: {
          code: 'PAYLOAD_TOO_LARGE',
          message: expect.stringContaining('more than the 80000 that the gateway takes'),
        },
      },
    ]);
    await expect(cluster.until(client.messages.send('node-1', 'x'.repeat(100_000)))).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
    });
  });

  it('says nothing that is larger than its gateway takes, also if that comes from an earlier one', async () => {
    const { log, logged } = keepingLog();
    const heard: Message[] = [];
    const gateways: LinkEvents[] = [];
    const taskOf = (id: number, type: string): Message => ({
      ...{ type: 'task_assign', id },
      payload: { taskId: type, attempt: 1, type, payload: encodePayload(null), priority: 5, timeout: 60_000 },
    });
    /** The first gateway takes more than the second one. */
    const join = async (): Promise<Link> => {
      const number = gateways.length;
      const welcome: Payload<'welcome'> = {
        ...{ protocol: 1, gatewayId: 'gw', session: `s${number}`, resumed: false, received: 0 },
        ...{ capabilities: [], drop: [] },
        policy: {
          ...{ heartbeatMs: 60_000, offlineAfterMs: 90_000, resumeWindowMs: 3_000 },
          ...{ frameBytesMax: 2_000, payloadBytesMax: number === 0 ? 1_000 : 100 },
        },
      };
      const tasks = number === 0 ? [taskOf(1, 'long'), taskOf(2, 'chatty')] : [];
      return {
        ...{ remoteAddress: 'test', identity: { name: 'test' }, bufferedBytes: 0, isOpen: true },
        ...{ pause() {}, resume() {}, terminate() {} },
        attach: (events) => void gateways.push(events),
        send(frame) {
          const messages = decodeFrame(frame, defaultLimits) as Message[];
          heard.push(...messages);
          if (messages[0]?.type !== 'register') return;
          setImmediate(() => gateways.at(-1)?.onFrame(encodeFrame([{ type: 'welcome', payload: welcome }, ...tasks])));
        },
        close: (code, reason) => void setImmediate(() => gateways.at(-1)?.onClose(code, reason)),
      };
    };
    const outbox = memoryOutbox();
    await outbox.open({ clock: createSimulatedClock(), log, limits: defaultLimits, onRefusal() {} });
    const left: Result = {
      ...{ taskId: 'left', attempt: 1, status: 'success', duration: 5 },
      result: Buffer.alloc(200),
    };
    outbox.keep('left 1', left, () => {});
    await outbox.close();
    let goOn = (): void => {};
    const told = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const long = defineHandler(defineTask('long'), () => told.then(() => 'x'.repeat(200)));
    const chatty = defineHandler(defineTask('chatty'), ({ progress }) => told.then(() => progress('x'.repeat(200))));
    const limits = { reconnectMinMs: 1, reconnectMaxMs: 2 };
    const node = await createNode({ join, id: 'node-1', outbox, log, limits, handlers: [long, chatty] });
    await expect.poll(() => heard.filter(({ type }) => type === 'task_started')).toHaveLength(2);
    gateways[0]?.onClose(1006, '');
    await expect.poll(() => heard.filter(({ type }) => type === 'register')).toHaveLength(2);
    await expect.poll(() => node.status).toBe('online');
    goOn();
    await expect.poll(() => heard.filter(({ type }) => type === 'task_result')).toHaveLength(4);
    const results = heard.flatMap(({ type, payload }) => (type === 'task_result' ? [payload] : []));
    const tooLarge = (bytes: number, what: string) =>
      expect.stringContaining(`the ${what} has ${bytes} bytes, more than`);
    expect(results.map(({ taskId, error }) => [taskId, error?.code, error?.message])).toEqual([
      ['left', undefined, undefined],
      ['left', 'RESULT_TOO_LARGE', tooLarge(200, 'result')],
      ['long', 'RESULT_TOO_LARGE', tooLarge(202, 'result')],
      ['chatty', 'PAYLOAD_TOO_LARGE', tooLarge(202, 'progress')],
    ]);
    expect(heard.some(({ type }) => type === 'task_progress')).toBe(false);
    expect(logged.filter(({ event }) => event === 'link.up')).toHaveLength(2);
    await node.stop();
  });

  it('takes leave also of a gateway that does not drain what it is sent', async () => {
    const { node, link, heard } = await atPlayedGateway();
    link.bufferedBytes = defaultLimits.sendBytesHigh + 1;
    void node.messages.send('somebody', 'hello').catch(() => {});
    await expect.poll(() => heard.map(({ type }) => type)).toContain('direct');
    await node.stop();
    expect(heard.map(({ type }) => type)).toEqual(['register', 'direct', 'goodbye']);
  });

  it('runs an attempt once, and answers for what it does not run, whatever it is sent', async () => {
    const runs: string[] = [];
    const ends: (() => void)[] = [];
    const slow = defineHandler(defineTask('slow'), ({ taskId }) => {
      runs.push(taskId);
      return new Promise<void>((resolve) => ends.push(resolve));
    });
    const broken = defineHandler(defineTask('broken'), () => {
      throw new Error('no');
    });
    const { node, heard, say } = await atPlayedGateway({ maxTasks: 2, handlers: [slow, broken] });
    const answers = (): unknown[] =>
      heard.flatMap((message) => {
        if (message.type === 'task_started') return [`${message.payload.taskId} started`];
        if (message.type === 'task_reject') return [`${message.payload.taskId} ${message.payload.code}`];
        if (message.type !== 'task_result') return [];
        const { taskId, status, error } = message.payload;
        return [`${taskId} ${status} ${error?.code ?? ''}`.trim()];
      });
    const assign = (taskId: string, type: string, attempt = 1): object => ({
      ...{ type: 'task_assign' },
      payload: { taskId, attempt, type, payload: encodePayload(null), priority: 5, timeout: 60_000 },
    });
    say([assign('t1', 'slow'), assign('t1', 'slow')]);
    await expect.poll(answers).toEqual(['t1 started']);
    say([assign('t1', 'slow'), assign('t2', 'missing'), assign('t3', 'broken')]);
    await expect.poll(answers).toHaveLength(4);
    expect(answers().slice(1)).toEqual(['t2 failed NO_HANDLER', 't3 started', 't3 failed HANDLER_FAILED']);
    say([{ type: 'task_cancel', payload: { taskId: 't4', attempt: 1, reason: 'cancelled' } }, assign('t5', 'slow')]);
    say([assign('t6', 'slow')]);
    await expect.poll(answers).toHaveLength(7);
    expect(answers().slice(4)).toEqual(['t4 cancelled', 't6 NODE_FULL', 't5 started']);
    say([{ type: 'drain', payload: { deadlineMs: 60_000 } }, assign('t7', 'slow')]);
    await expect.poll(answers).toHaveLength(8);
    expect([answers().at(-1), runs]).toEqual(['t7 NODE_DRAINING', ['t1', 't5']]);
    for (const end of ends) end();
    await node.stop();
  });

  it('logs the first progress of an attempt that cannot be sent, and lives on if nobody waits for it', async () => {
    const { log, logged } = keepingLog();
    await using cluster = await createTestCluster();
    const careless = defineHandler(defineTask('careless'), ({ progress }) => {
      void progress(Symbol('one'));
      void progress(Symbol('two'));
      return 'done';
    });
    await cluster.node('node-1', { log, handlers: [careless] });
    const client = await cluster.client();
    const handle = client.submit('careless', null);
    expect(await cluster.until(handle.result())).toBe('done');
    expect(logged.filter(({ event }) => event === 'progress.failed')).toEqual([
      {
        event: 'progress.failed',
        fields: { taskId: handle.taskId, attempt: 1, code: 'PAYLOAD_INVALID', message: 'payload is a symbol' },
      },
    ]);
  });

  it('tells of a handler that it gets later at once, and of one it got while its link was away', async () => {
    await using cluster = await createTestCluster();
    const [now, away] = [new Puppets('now'), new Puppets('away')];
    const node = await cluster.node('node-1', {
      limits: { heartbeatMs: 60_000, suspectAfterMs: 90_000, offlineAfterMs: 90_000 },
    });
    const client = await cluster.client();
    for (const { task } of [now, away]) void client.submit(task, null);
    node.handle(now.task, now.on('node-1').handler as never);
    await cluster.settle();
    expect(now.runs).toHaveLength(1);
    cluster.network.cut('node-1');
    node.handle(away.task, away.on('node-1').handler as never);
    await cluster.until(() => away.runs.length === 1, 2_000);
  });

  it.each(['gpu', 'constructor', 'toString', 'valueOf'])('counts what its attempts take of %s', async (name) => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('node-1', { resources: { [name]: 2 }, handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    for (let n = 0; n < 3; n += 1) void client.submit(puppets.task, n, { resources: { [name]: 1 } });
    await cluster.advance(1_000);
    expect(puppets.runs).toHaveLength(2);
    expect(await cluster.until(client.nodes())).toMatchObject([{ taken: { [name]: 2 } }]);
    puppets.running[0]?.finish();
    await cluster.until(() => puppets.runs.length === 3, 1_000);
  });

  it.each([
    ['labels.__proto__', { labels: JSON.parse('{"__proto__":"attic"}') }],
    ['labels.zone', { labels: { zone: 'x'.repeat(257) } }],
    ['labels.my zone', { labels: { 'my zone': 'attic' } }],
    ['resources.__proto__', { resources: JSON.parse('{"__proto__":2}') }],
    ['resources.gpu', { resources: { gpu: -1 } }],
  ])('is refused with %s, and so is a task: no gateway would read it', async (name, options) => {
    await using cluster = await createTestCluster();
    const refused = { code: 'OPTION_INVALID', message: expect.stringContaining(name) };
    await expect(cluster.node('node-1', options)).rejects.toMatchObject(refused);
    const client = await cluster.client();
    await expect(cluster.until(client.submit('job', null, options).accepted())).rejects.toMatchObject(refused);
  });

  it('keeps its link when its own meter fails, says what that said last, and logs why once', async () => {
    const { log, logged } = keepingLog();
    await using cluster = await createTestCluster();
    let cpu = 0.25;
    const sample = () => ({ cpu, memory: 0.5, lagMs: 1, gpu: 0.75 });
    const node = await cluster.node('node-1', { log, load: { sample, stop() {} } });
    const client = await cluster.client();
    cpu = 1.5;
    await cluster.advance(60_000);
    expect(await cluster.until(client.node('node-1'))).toMatchObject({ load: { cpu: 0.25, memory: 0.5, lagMs: 1 } });
    cpu = 0.75;
    await cluster.advance(60_000);
    expect(await cluster.until(client.node('node-1'))).toMatchObject({ load: { cpu: 0.75 } });
    expect(logged.filter(({ event }) => event === 'load.failed')).toMatchObject([
      { fields: { error: expect.stringContaining('load.cpu is 1.5') } },
    ]);
    expect([node.status, logged.filter(({ event }) => event === 'link.up').length]).toEqual(['online', 1]);
  });

  it('has stopped though what it was given cannot be closed, and logs why', async () => {
    const { log, logged } = keepingLog();
    await using cluster = await createTestCluster();
    const outbox = Object.assign(memoryOutbox(), { close: () => Promise.reject(new Error('EIO: i/o error')) });
    const stop = (): never => {
      throw new Error('no such meter');
    };
    const load = { sample: () => ({ cpu: 0, memory: 0, lagMs: 0 }), stop };
    const node = await cluster.node('node-1', { log, load, outbox });
    await cluster.until(node.stop());
    expect(await node.stopped).toBeNull();
    expect(logged.filter(({ event }) => /\.un/.test(event))).toEqual([
      { event: 'load.unstopped', fields: { error: 'Error: no such meter' } },
      { event: 'outbox.unclosed', fields: { error: 'Error: EIO: i/o error' } },
    ]);
  });

  it('that hangs delays nobody else (#52)', async () => {
    await using cluster = await createTestCluster();
    const [hung, quick] = [new Puppets(), new Puppets()];
    await cluster.node('hung', { maxTasks: 1, handlers: [hung.on('hung', { obeys: false })] });
    await cluster.node('quick', { maxTasks: 1, handlers: [quick.on('quick')] });
    const client = await cluster.client();
    const handles = [1, 2, 3, 4].map((n) => client.submit(hung.task, n));
    await cluster.until(() => {
      for (const run of quick.running) run.finish();
      return quick.runs.length === 3;
    }, 1_000);
    expect(hung.running).toHaveLength(1);
    expect(handles).toHaveLength(4);
  });
});

describe('the options of a node', () => {
  const named = (name: string, value: unknown): object => Object.fromEntries([[name, value]]);
  const many = (count: number): string[] => Array.from({ length: count }, (_, n) => `n${n}`);
  const handlerOf = (type: string) => defineHandler({ type }, () => null);
  const aMeter = (said: object) => ({ sample: () => ({ cpu: 0, memory: 0, lagMs: 0, ...said }), stop() {} });
  const ofOneFrame = 'labels, resources and handlers are too much for one message';

  it.each<[string, object]>([
    ['labels.: labels are texts', { labels: { '': 'x' } }],
    ['labels.a: labels are texts of at most 256 characters', { labels: { a: 5 } }],
    ['labels.a: labels are texts', { labels: { a: 'x'.repeat(257) } }],
    ['labels: labels are texts', { labels: null }],
    ['labels.__proto__ is a name that cannot be sent', { labels: named('__proto__', 'x') }],
    [ofOneFrame, { labels: Object.fromEntries(many(10_000).map((name) => [name, 'x'.repeat(256)])) }],
    [ofOneFrame, { labels: Object.fromEntries(many(70_000).map((name) => [name, ''])) }],
    ['resources.gpu: resources are numbers from 0 to 1e15', { resources: { gpu: -1 } }],
    ['resources.gpu: resources are numbers', { resources: { gpu: Number.NaN } }],
    ['resources.__proto__ is a name that cannot be sent', { resources: named('__proto__', 1) }],
    ['type: must be agent or channel', { type: 'zzz' }],
    ['type: must be agent or channel', { type: 'client' }],
    ['id: must be 1–64 of', { id: 'a b' }],
    ['maxTasks: must be a whole number from 0 to 10000', { maxTasks: -1 }],
    ['capabilities: must be at most 64 names', { capabilities: many(65) }],
    ['capabilities.0: must be at most 64 names', { capabilities: ['x'.repeat(65)] }],
    ["handlers.0: the task type 'a b' must be 1–128 of", { handlers: [handlerOf('a b')] }],
    ['handlers.1024: a node has handlers for at most 1024 task types', { handlers: many(1_025).map(handlerOf) }],
    ['handlers.0 has no task definition', { handlers: [{}] }],
    ["handlers.0: the handler of 'a' must be a function", { handlers: [{ definition: { type: 'a' } }] }],
    ['handlers must be an array', { handlers: 5 }],
    [
      'limits.unacknowledgedMax is 10006, must be at least 10007: maxTasks, which is 7, and limits.outboxResultsMax',
      { maxTasks: 7, limits: { unacknowledgedMax: 10_006 } },
    ],
    ['load.cpu is 55, must be a number from 0 to 1', { load: aMeter({ cpu: 55 }) }],
    ['load.memory is NaN, must be a number from 0 to 1', { load: aMeter({ memory: Number.NaN }) }],
    ['load.lagMs is undefined, must be a number of at least 0', { load: aMeter({ lagMs: undefined }) }],
  ])('are checked before it dials: %s', async (message, wrong) => {
    let dials = 0;
    const join = (): Promise<never> => {
      dials += 1;
      return new Promise(() => {});
    };
    const error = await createNode({ clock: createSimulatedClock(), join, ...wrong }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'OPTION_INVALID', message: expect.stringMatching(/^createNode: /) as string });
    expect(error.message).toContain(`createNode: ${message}`);
    expect(dials).toBe(0);
  });

  it('may not be left out', async () => {
    for (const wrong of [undefined, null, {}, { join: 5 }, { handlers: [{}] }]) {
      await expect(createNode(wrong as never)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    }
  });

  it('are as they were given, whatever becomes of the objects they came in', async () => {
    await using cluster = await createTestCluster();
    const labels: Record<string, string> = { zone: 'attic' };
    await cluster.node('node-1', { labels });
    labels['zone'] = 'x'.repeat(300);
    cluster.network.cut('node-1');
    await cluster.advance(60_000);
    const client = await cluster.client();
    expect(await cluster.until(client.nodes())).toMatchObject([
      { nodeId: 'node-1', status: 'online', labels: { zone: 'attic' } },
    ]);
  });

  it('of a handler that comes later are checked as well', async () => {
    await using cluster = await createTestCluster();
    const node = await cluster.node('node-1');
    const wrong = [{ type: 'a b' }, { type: '' }, { type: 'x'.repeat(129) }, {}, undefined];
    for (const definition of wrong) {
      expect(() => node.handle(definition as never, (() => null) as never)).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringMatching(/^node\.handle/) as string }),
      );
    }
    await cluster.advance(60_000);
    expect(node.status).toBe('online');
  });
});

describe('a cluster', () => {
  it('has every request answered, and acts upon what it is refused (#68)', async () => {
    await using cluster = await createTestCluster({ limits: { nodesMax: 1 } });
    const first = await cluster.node('n1');
    await expect(cluster.until(first.messages.send('nobody', 1))).rejects.toMatchObject({ code: 'NODE_UNKNOWN' });
    // Refused for now, it asks again; what only a person can mend ends it.
    const second = cluster.node('n2');
    let isJoined = false;
    void second.then(() => {
      isJoined = true;
    });
    await cluster.advance(20_000);
    expect(isJoined).toBe(false);
    await cluster.until(first.stop());
    await cluster.until(() => isJoined);
    const client = await cluster.client();
    await cluster.until(client.order({ what: 'node.evict', nodeId: 'n2' }));
    expect(await cluster.until((await second).stopped)).toMatchObject({ code: 'EVICTED' });
  });

  it('runs the same way again from the same seed (#82)', async () => {
    const run = async (seed: number): Promise<string[]> => {
      const told: string[] = [];
      const note = (event: string, fields?: object): void => void told.push(`${event} ${JSON.stringify(fields)}`);
      const log = { debug: note, info: note, warn: note, error: note };
      await using cluster = await createTestCluster({
        seed,
        log,
        faults: { cut: 0.05, delay: { minMs: 1, maxMs: 50 } },
      });
      const puppets = new Puppets();
      for (const id of ['node-1', 'node-2']) await cluster.node(id, { handlers: [puppets.on(id)] });
      const client = await cluster.client();
      for (let n = 0; n < 20; n += 1) void client.submit(puppets.task, n);
      for (let turn = 0; turn < 50; turn += 1) {
        await cluster.advance(100);
        for (const { finish, node, taskId } of puppets.running) {
          told.push(`${cluster.clock.now()} ${taskId} on ${node}`);
          finish();
        }
      }
      return told;
    };
    const [first, again, other] = [await run(7), await run(7), await run(8)];
    expect(first.length).toBeGreaterThan(40);
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });
});

describe('a timeout that is nobody’s', () => {
  it('passes without any node: what is never placed ends when its time is over (#43 #49)', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const handle = client.submit('nobody-can', null, { ttlMs: 5_000 });
    expect(await cluster.until(handle.outcome(), 8_000)).toMatchObject({ status: 'failed', attempts: 0 });
  });
});

/**
 * A gateway spoken to by a peer that knows docs/protocol.md and nothing else: what it must do, what it may not, and that
 * whoever breaks the rules is told so with a code while the others are served on.
 */
import { performance } from 'node:perf_hooks';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../src/actors/client/client.ts';
import { createGateway, type Gateway } from '../../src/actors/gateway/gateway.ts';
import { hostileFrames } from '../support/hostile-frames.ts';
import { type RawMessage, RawPeer } from '../support/raw-peer.ts';

/** Far above what any refusal takes, far below what a stalled decoder takes. */
const REFUSE_MS_MAX = 1_000;
const NIL = new Uint8Array([0xc0]);
const FORTY_TWO = new Uint8Array([42]);

let gateway: Gateway;
let client: Client;
const peers: RawPeer[] = [];
let nodes = 0;

beforeAll(async () => {
  gateway = await createGateway({ limits: { resumeWindowMs: 2_000, suspectAfterMs: 60_000, offlineAfterMs: 90_000 } });
  client = createClient({ url: gateway.url });
  await client.ready();
});

afterEach(async () => {
  for (const peer of peers.splice(0)) {
    if (peer.end === null) peer.say('goodbye', { code: 'STOPPED', message: 'the test is over' });
    await peer.closed();
  }
});

afterAll(async () => {
  await client.stop();
  await gateway.stop();
});

async function dial(): Promise<RawPeer> {
  const peer = await RawPeer.dial(gateway.url);
  peers.push(peer);
  return peer;
}

/** A registered node with one slot, and a type of task that only it can do. */
async function join(claim: object = {}): Promise<{ node: RawPeer; nodeId: string; type: string; welcome: RawMessage }> {
  nodes += 1;
  const [nodeId, type] = [`raw-${nodes}`, `job-${nodes}`];
  const node = await dial();
  const welcome = await node.register(nodeId, { taskTypes: [type], ...claim });
  return { node, nodeId, type, welcome };
}

async function counter(name: string): Promise<number> {
  return (await gateway.stats()).counters[name] ?? 0;
}

/** The gateway does what it is for, with a node that has just come. */
async function serves(): Promise<void> {
  const { node, type } = await join();
  const handle = client.submit(type);
  const { payload } = await node.next('task_assign');
  node.say('task_result', { taskId: payload['taskId'], attempt: 1, status: 'success', result: FORTY_TWO, duration: 1 });
  expect(await handle).toBe(42);
}

describe('a peer that knows only the page', () => {
  it('registers, is given a task, reports on it, and is acknowledged once the outcome is stored', async () => {
    const { node, nodeId, type, welcome } = await join({ capabilities: ['llm'], maxTasks: 2 });
    expect(welcome.payload).toMatchObject({
      protocol: 1,
      resumed: false,
      received: 0,
      capabilities: ['llm'],
      drop: [],
    });

    const handle = client.submit(type, 'do it', { priority: 2, timeoutMs: 9_000 });
    const assign = await node.next('task_assign');
    expect(assign).toMatchObject({ id: 1, payload: { attempt: 1, type, priority: 2, timeout: 9_000 } });
    expect([...(assign.payload['payload'] as Uint8Array)]).toEqual([0xa5, ...Buffer.from('do it')]);
    const ref = { taskId: assign.payload['taskId'], attempt: 1 };
    const progress = (async () => {
      for await (const report of handle.progress) return report;
      return undefined;
    })();
    node.sayAll(
      node.message('ack', { received: 1 }),
      node.message('task_started', ref),
      node.message('task_progress', { ...ref, payload: FORTY_TWO }),
      node.message('task_result', { ...ref, status: 'success', result: FORTY_TWO, duration: 12 }),
    );
    expect(await progress).toBe(42);
    expect(await handle.outcome()).toMatchObject({ status: 'completed', result: 42, node: nodeId, runMs: 12 });
    await node.next('ack', ({ payload }) => payload['received'] === 2);
  });

  it('heartbeats, and is answered with an acknowledgement as a sign of life', async () => {
    const { node, nodeId } = await join();
    node.say('heartbeat', {
      nodeId,
      status: 'healthy',
      load: { cpu: 0.25, memory: 0.5, tasks: 0, lagMs: 3 },
      capabilities: ['vision'],
      maxTasks: 7,
    });
    await node.next('ack');
    expect(await client.node(nodeId)).toMatchObject({ capabilities: ['vision'], maxTasks: 7, load: { cpu: 0.25 } });
  });

  it('submits, watches and asks as a client', async () => {
    const peer = await dial();
    await peer.register('raw-client', { nodeType: 'client', maxTasks: 0 });
    const { node, type } = await join();
    peer.say('task_submit', { taskId: 'raw-task', type, payload: NIL, priority: 5, timeout: 5_000 });
    expect(await peer.next('task_accepted')).toMatchObject({ re: 1, payload: { taskId: 'raw-task', created: true } });
    await node.next('task_assign');
    node.say('task_result', { taskId: 'raw-task', attempt: 1, status: 'failed', duration: 3 });
    node.say('heartbeat', {
      nodeId: (await client.nodes()).find(({ taskTypes }) => taskTypes?.includes(type))?.nodeId,
      status: 'healthy',
      load: { cpu: 0, memory: 0, tasks: 0 },
      capabilities: [],
      maxTasks: 0,
    });
    peer.say('query', { what: 'task', taskId: 'raw-task' });
    expect(await peer.next('answer')).toMatchObject({ re: 2 });
    peer.say('task_cancel', { taskId: 'raw-task' });
    expect(await peer.next('task_cancelling')).toMatchObject({ re: 3, payload: { status: 'cancelled' } });
    expect(await peer.next('task_settled')).toMatchObject({ payload: { taskId: 'raw-task', status: 'cancelled' } });
    peer.say('task_watch', { taskIds: ['raw-task', 'no-such-task'] });
    const settled = [await peer.next('task_settled'), await peer.next('task_settled')];
    expect(settled.map(({ payload }) => payload['status'])).toEqual(['cancelled', 'failed']);
    expect(settled[1]?.payload['error']).toMatchObject({ code: 'TASK_UNKNOWN' });
    peer.say('query', { what: 'node', nodeId: 'no-such-node' });
    expect(await peer.next('error')).toMatchObject({ re: 5, payload: { code: 'NODE_UNKNOWN', retryable: false } });
  });

  it('hands back what it has by unregistering, at no cost to the task', async () => {
    const { node, type } = await join();
    const handle = client.submit(type);
    const { payload } = await node.next('task_assign');
    node.say('task_started', { taskId: payload['taskId'], attempt: 1 });
    node.say('unregister', { reason: 'stopped' });
    expect((await node.closed()).code).toBe(1000);
    const next = await dial();
    await next.register('raw-heir', { taskTypes: [type] });
    expect((await next.next('task_assign')).payload).toMatchObject({ taskId: payload['taskId'], attempt: 2 });
    next.say('task_result', { taskId: payload['taskId'], attempt: 2, status: 'success', duration: 1 });
    await handle;
    expect((await client.task(handle.taskId)).task).toMatchObject({ crashes: 0, failures: 0 });
  });
});

describe('a session', () => {
  it('resumes after a cut: each side says again what the other has not received', async () => {
    const { node, nodeId, type, welcome } = await join();
    const handle = client.submit(type);
    const assign = await node.next('task_assign');
    node.cut();
    await node.closed();
    const again = await dial();
    again.lastId = node.lastId;
    const resume = { session: welcome.payload['session'], received: 0 };
    const resumed = await again.register(nodeId, { taskTypes: [type], resume });
    expect(resumed.payload).toMatchObject({ resumed: true, received: 0, session: resume.session });
    expect(await again.next('task_assign')).toEqual(assign);
    const { taskId } = assign.payload as { taskId: string };
    const result = again.say('task_result', { taskId, attempt: 1, status: 'success', result: FORTY_TWO, duration: 1 });
    expect(await handle).toBe(42);
    const late = await counter('resultsLate');
    again.sayAll(result);
    await again.next('ack');
    expect(await counter('resultsLate')).toBe(late);
  });

  it('is not replayed what was acknowledged in its register', async () => {
    const { node, nodeId, type, welcome } = await join();
    const handle = client.submit(type);
    const { payload } = await node.next('task_assign');
    node.cut();
    await node.closed();
    const again = await dial();
    const resume = { session: welcome.payload['session'], received: 1 };
    await again.register(nodeId, { taskTypes: [type], resume });
    again.say('task_result', { taskId: payload['taskId'], attempt: 1, status: 'success', duration: 1 });
    await handle;
    expect(again.heard.filter(({ type: heard }) => heard === 'task_assign')).toEqual([]);
  });

  it('is closed with 4409 at a gap, and may be resumed', async () => {
    const { node, nodeId, type, welcome } = await join();
    node.lastId = 4;
    node.say('task_started', { taskId: 't', attempt: 1 });
    expect(await node.closed()).toEqual({ code: 4409, reason: expect.stringMatching(/^SESSION_GAP: message 5 came/) });
    const again = await dial();
    const resume = { session: welcome.payload['session'], received: 0 };
    expect((await again.register(nodeId, { taskTypes: [type], resume })).payload).toMatchObject({ resumed: true });
  });

  it('that is over is replaced by a new one: the node keeps what it runs', async () => {
    const { node, nodeId, type } = await join();
    const handle = client.submit(type);
    const { taskId } = (await node.next('task_assign')).payload as { taskId: string };
    node.say('task_started', { taskId, attempt: 1 });
    await expect.poll(async () => (await client.task(taskId)).task.status).toBe('running');
    node.cut();
    await node.closed();
    const again = await dial();
    const running = [
      { taskId, attempt: 1 },
      { taskId: 'long-gone', attempt: 3 },
    ];
    const { payload } = await again.register(nodeId, {
      taskTypes: [type],
      running,
      resume: { session: 'x', received: 9 },
    });
    expect(payload).toMatchObject({ resumed: false, received: 0, drop: [{ taskId: 'long-gone', attempt: 3 }] });
    again.say('task_result', { taskId, attempt: 1, status: 'success', result: FORTY_TWO, duration: 1 });
    expect(await handle).toBe(42);
    expect((await client.task(taskId)).task).toMatchObject({ attempts: 1, crashes: 0 });
  });

  it('belongs to one process: the newest with an id supersedes the older, which must not come back', async () => {
    const { node, nodeId } = await join();
    const second = await dial();
    await second.register(nodeId, { incarnation: 'another' });
    expect((await node.next('goodbye')).payload).toMatchObject({ code: 'SUPERSEDED' });
    expect(await node.closed()).toMatchObject({ code: 4410 });
    expect(await client.node(nodeId)).toMatchObject({ status: 'online', incarnation: 'another' });
  });
});

describe('a result that does not count', () => {
  it('is acknowledged, counted and otherwise ignored: duplicate, late or of another attempt', async () => {
    const { node, type } = await join();
    const before = await counter('resultsLate');
    const handle = client.submit(type);
    const { taskId } = (await node.next('task_assign')).payload as { taskId: string };
    node.say('task_result', { taskId, attempt: 2, status: 'success', result: NIL, duration: 1 });
    node.say('task_result', { taskId, attempt: 1, status: 'success', result: FORTY_TWO, duration: 1 });
    expect(await handle).toBe(42);
    node.say('task_result', { taskId, attempt: 1, status: 'failed', duration: 1 });
    node.say('task_result', { taskId: 'never-was', attempt: 1, status: 'success', result: NIL, duration: 1 });
    await node.next('ack', ({ payload }) => payload['received'] === 4);
    expect(await counter('resultsLate')).toBe(before + 3);
    expect((await client.task(taskId)).result).toBe(42);
    expect((await client.task(taskId)).task).toMatchObject({ status: 'completed', attempts: 1, failures: 0 });
  });

  it('is one of a task that another node holds', async () => {
    const [holder, stranger] = [await join(), await join()];
    const before = await counter('resultsForeign');
    const handle = client.submit(holder.type);
    const { taskId } = (await holder.node.next('task_assign')).payload as { taskId: string };
    stranger.node.say('task_result', { taskId, attempt: 1, status: 'success', result: NIL, duration: 1 });
    await stranger.node.next('ack', ({ payload }) => payload['received'] === 1);
    expect(await counter('resultsForeign')).toBe(before + 1);
    holder.node.say('task_result', { taskId, attempt: 1, status: 'success', result: FORTY_TWO, duration: 1 });
    expect(await handle).toBe(42);
  });
});

describe('a peer that breaks the rules', () => {
  it('is refused with a reject before its session, each with its code', async () => {
    const refusals: [object[], string, number][] = [
      [[{ type: 'heartbeat', payload: {} }], 'MESSAGE_INVALID', 4400],
      [[{ type: 'ack', payload: { received: 0 } }], 'MESSAGE_UNEXPECTED', 4400],
      [[registerOf({ protocol: [2, 7] })], 'PROTOCOL_VERSION', 4406],
      [[registerOf({ nodeId: 'no such id' })], 'MESSAGE_INVALID', 4400],
      [[registerOf({ colour: 'red' })], 'MESSAGE_INVALID', 4400],
    ];
    for (const [messages, failure, code] of refusals) {
      const peer = await dial();
      peer.sayAll(...messages);
      expect(await peer.closed()).toEqual({ code, reason: expect.stringMatching(`^${failure}: `) });
      const isFrameFault = failure === 'MESSAGE_INVALID';
      expect(peer.heard.map(({ type }) => type)).toEqual(isFrameFault ? [] : ['reject']);
      if (!isFrameFault)
        expect(peer.heard[0]?.payload).toMatchObject({ code: failure, hint: expect.stringMatching(/./) });
    }
    await serves();
  });

  it('is closed with 4403 when it speaks for another', async () => {
    const other = await join();
    const forgeries: ((node: RawPeer) => void)[] = [
      (node) => node.say('task_started', { taskId: 't', attempt: 1 }, { from: other.nodeId }),
      (node) =>
        node.say('heartbeat', {
          nodeId: other.nodeId,
          status: 'offline',
          load: { cpu: 0, memory: 0, tasks: 0 },
          capabilities: [],
        }),
    ];
    for (const forge of forgeries) {
      const { node } = await join();
      forge(node);
      expect(await node.closed()).toEqual({ code: 4403, reason: expect.stringMatching(/^IDENTITY_MISMATCH: /) });
      expect(await client.node(other.nodeId)).toMatchObject({ status: 'online' });
    }
    await serves();
  });

  it('is closed with 4400 when it says what is not for it to say now', async () => {
    const said: ((node: RawPeer) => void)[] = [
      (node) => node.say('register', registerOf({}).payload),
      (node) => node.say('welcome', {}),
      (node) => node.say('task_settled', { taskId: 't', status: 'completed', attempts: 1, queuedMs: 0, runMs: 0 }),
      (node) => node.sayAll({ type: 'task_started', payload: { taskId: 't', attempt: 1 } }),
      (node) => node.sayAll({ type: 'ack', id: 1, payload: { received: 0 } }),
      (node) => node.sayAll({ type: 'constructor', payload: {} }),
      (node) => node.sayAll({ type: 'ack', payload: { received: 0 }, note: 'more' }),
      (node) => node.sayText('hello'),
    ];
    for (const say of said) {
      const { node } = await join();
      say(node);
      expect(await node.closed()).toMatchObject({ code: 4400 });
    }
    const peer = await dial();
    await peer.register('raw-client-2', { nodeType: 'client', maxTasks: 0 });
    peer.say('task_result', { taskId: 't', attempt: 1, status: 'success', duration: 1 });
    expect(await peer.closed()).toMatchObject({ code: 4400, reason: expect.stringMatching(/^MESSAGE_UNEXPECTED: /) });
    await serves();
  });
});

describe('a hostile frame over a real socket', () => {
  const slowest = { name: '', ms: 0 };

  it('is refused with a code, at once, and the next task is served', async () => {
    for (const { name, bytes } of hostileFrames()) {
      const peer = await dial();
      const start = performance.now();
      peer.sayBytes(bytes);
      const { code } = await peer.closed();
      const ms = performance.now() - start;
      if (ms > slowest.ms) Object.assign(slowest, { name, ms });
      expect([4400, 4413, 1009], name).toContain(code);
      expect(ms, name).toBeLessThan(REFUSE_MS_MAX);
      peers.length = 0;
    }
    await serves();
  });

  it('leaves a registered node’s gateway as it was, too', async () => {
    const before = await counter('fault.FRAME_INVALID');
    const frames = hostileFrames().filter((_, index) => index % 9 === 0);
    for (const { name, bytes } of frames) {
      const { node } = await join();
      node.sayBytes(bytes);
      expect([4400, 4413, 1009], name).toContain((await node.closed()).code);
    }
    expect(await counter('fault.FRAME_INVALID')).toBeGreaterThan(before);
    await serves();
  });

  afterAll(() => console.info(`slowest refusal of a hostile frame: ${slowest.ms.toFixed(1)} ms (${slowest.name})`));
});

function registerOf(claim: object): { type: string; payload: object } {
  const honest = { protocol: [1, 1], nodeId: 'raw-x', nodeType: 'agent', incarnation: 'x-1' };
  return { type: 'register', payload: { ...honest, capabilities: [], maxTasks: 1, running: [], ...claim } };
}

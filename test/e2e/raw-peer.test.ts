/**
 * A gateway spoken to by a peer that knows docs/protocol.md and nothing else: what it may rely on, across links and
 * sessions, and what becomes of results that do not count.
 */
import { performance } from 'node:perf_hooks';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../src/actors/client/client.ts';
import { createGateway } from '../../src/actors/gateway/gateway.ts';
import type { Gateway } from '../../src/actors/gateway/gateway-options.ts';
import { type RawMessage, RawPeer } from '../support/raw-peer.ts';

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

describe('a peer that knows only the page', () => {
  it('registers, is given a task, reports on it, and is acknowledged once the outcome is stored (#1 #6)', async () => {
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

  it('heartbeats, and is answered with an acknowledgement as a sign of life, all over its one link (#21)', async () => {
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

  it('is told to stop, to leave and why not, each in answer to what it concerns (#2)', async () => {
    await using brief = await createGateway({ limits: { drainMs: 5_000 } });
    await using asker = createClient({ url: brief.url });
    const peer = await RawPeer.dial(brief.url);
    await peer.register('raw-brief', { taskTypes: ['job'] });

    const handle = asker.submit('job');
    const { payload: assigned } = await peer.next('task_assign');
    const ref = { taskId: assigned['taskId'], attempt: 1 };
    peer.say('task_started', ref);
    await handle.cancel();
    expect(await peer.next('task_cancel')).toMatchObject({ payload: ref });
    peer.say('task_result', { ...ref, status: 'cancelled', duration: 1 });
    expect(await handle.outcome()).toMatchObject({ status: 'cancelled' });
    await peer.next('ack');

    const asked = peer.say('query', { what: 'task', taskId: 'nobody' }) as { id: number };
    expect(await peer.next('error')).toMatchObject({ re: asked.id, payload: { code: 'TASK_UNKNOWN' } });
    const again = peer.say('query', { what: 'stats' }) as { id: number };
    expect(await peer.next('answer')).toMatchObject({ re: again.id, payload: { status: 'serving' } });

    await asker.order({ what: 'node.drain', nodeId: 'raw-brief', stop: true });
    expect(await peer.next('drain')).toMatchObject({ payload: { deadlineMs: 5_000 } });
    void brief.stop();
    expect(await peer.next('goodbye')).toMatchObject({ payload: { code: 'GATEWAY_DRAINING' } });
    await peer.closed();
  });

  it('that has nothing to do hears from the gateway when it says so much', async () => {
    await using idle = await createGateway({ limits: { heartbeatMs: 40 } });
    const peer = await RawPeer.dial(idle.url);
    await peer.register('raw-idle', { nodeType: 'client', maxTasks: 0 });
    const before = performance.now();
    await expect.poll(() => performance.now() - before).toBeGreaterThan(40);
    peer.ack();
    expect(await peer.next('ack')).toMatchObject({ payload: { received: 0 } });
    peer.cut();
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

  it('that is new knows of no cancellation: the node is told again', async () => {
    const { node, nodeId, type } = await join();
    const handle = client.submit(type);
    const { taskId } = (await node.next('task_assign')).payload as { taskId: string };
    node.say('task_started', { taskId, attempt: 1 });
    await expect.poll(async () => (await client.task(taskId)).task.status).toBe('running');
    node.cut();
    await node.closed();
    expect(await handle.cancel()).toBe('cancelling');
    const again = await dial();
    await again.register(nodeId, { taskTypes: [type], running: [{ taskId, attempt: 1 }] });
    expect((await again.next('task_cancel')).payload).toEqual({ taskId, attempt: 1, reason: 'cancelled' });
    again.say('task_result', { taskId, attempt: 1, status: 'cancelled', duration: 1 });
    expect(await handle.outcome()).toMatchObject({ status: 'cancelled' });
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

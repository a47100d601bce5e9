/**
 * A peer that breaks the rules, by mistake or on purpose, over a real socket: it is told so with a code, at once, and the
 * gateway serves the next task as if nothing had been.
 */
import { performance } from 'node:perf_hooks';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../src/actors/client/client.ts';
import { createGateway } from '../../src/actors/gateway/gateway.ts';
import type { Gateway } from '../../src/actors/gateway/gateway-options.ts';
import { hostileFrames } from '../support/hostile-frames.ts';
import { RawPeer } from '../support/raw-peer.ts';

/** Far above what any refusal takes, also on a machine that is busy; far below the minutes that a stalled decoder takes. */
const REFUSE_MS_MAX = 5_000;
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
async function join(claim: object = {}): Promise<{ node: RawPeer; nodeId: string; type: string; welcome: object }> {
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

describe('a peer that breaks the rules', () => {
  it('is refused with a reject before its session, each with its code (#3)', async () => {
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

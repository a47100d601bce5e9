/** Looking on at the charts of a gateway and of a node while they run: by xstate’s inspection, and with Stately’s own client of it. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createWebSocketInspector } from '@statelyai/inspect';
import { describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import type { InspectionEvent } from 'xstate';
import { createGateway } from '../../src/actors/gateway/gateway.ts';
import { createNode } from '../../src/actors/node/node.ts';
import { defineTask } from '../../src/actors/task-definition.ts';
import { charts } from '../../src/inspect.ts';
import { createTestCluster } from '../../src/testing/cluster.ts';
import { Puppets } from '../support/puppets.ts';

/** What was told, as lines: that an actor is there, and where it is after an event. */
class Onlooker {
  readonly lines: string[] = [];

  readonly next = (event: InspectionEvent): void => {
    const { id } = event.actorRef as { id?: string };
    if (event.type === '@xstate.actor') this.lines.push(`${id} is there`);
    if (event.type !== '@xstate.snapshot') return;
    const { value, status } = event.snapshot as { value?: unknown; status: string };
    this.lines.push(`${id}: ${event.event.type} → ${String(value ?? status)}`);
  };

  of(id: string): string[] {
    return this.lines.filter((line) => line.startsWith(`${id}: `) || line === `${id} is there`);
  }

  /** The states in which an actor was, without those in which it stayed. */
  statesOf(id: string): string[] {
    const states = this.of(id).map((line) => line.split(' → ')[1] ?? 'new');
    return states.filter((state, at) => state !== states[at - 1]);
  }
}

describe.each(['compiled', 'interpreted'] as const)('an inspector of charts that are %s', (mode) => {
  it('is told who is there when it begins, and of every step from then on', async () => {
    await using cluster = await createTestCluster({ charts: mode });
    const puppets = new Puppets();
    const node = await cluster.node('n1', { handlers: [puppets.on('n1')] });
    const client = await cluster.client();
    const first = client.submit(puppets.task, null, { taskId: 'first' });
    await cluster.settle();
    const [ofGateway, ofNode] = [new Onlooker(), new Onlooker()];
    cluster.gateway.inspect(ofGateway);
    node.inspect(ofNode);
    expect(ofGateway.of('gateway')).toEqual(['gateway is there', 'gateway: xstate.init → serving']);
    expect(ofGateway.of('n1')).toEqual(['n1 is there', 'n1: xstate.init → online']);
    expect(ofGateway.statesOf('first')).toEqual(['new', 'running']);
    expect(ofNode.statesOf('node')).toEqual(['new', 'online']);
    expect(ofNode.statesOf('first 1')).toEqual(['new', 'running']);
    puppets.only.finish();
    await cluster.until(first.outcome());
    const second = client.submit(puppets.task, null, { taskId: 'second' });
    await cluster.settle();
    puppets.only.finish();
    await cluster.until(second.outcome());
    await cluster.advance(100);
    expect(ofGateway.statesOf('first')).toEqual(['new', 'running', 'settling', 'completed']);
    expect(ofGateway.statesOf('second')).toEqual(['new', 'pending', 'assigned', 'running', 'settling', 'completed']);
    expect(ofNode.statesOf('second 1')).toEqual(['new', 'received', 'running', 'reporting', 'settled']);
  });

  it('is told of so many under one parent, and of the next when one has ended', async () => {
    await using cluster = await createTestCluster({ charts: mode, limits: { inspectedMax: 2 } });
    const puppets = new Puppets();
    await cluster.node('n1', { handlers: [puppets.on('n1')] });
    const client = await cluster.client();
    const onlooker = new Onlooker();
    cluster.gateway.inspect(onlooker);
    const handles = ['a', 'b', 'c'].map((taskId) => client.submit(puppets.task, null, { taskId }));
    await cluster.settle();
    for (const run of puppets.running) run.finish();
    await cluster.until(Promise.all(handles.map((handle) => handle.outcome())));
    const last = client.submit(puppets.task, null, { taskId: 'd' });
    await cluster.settle();
    puppets.only.finish();
    await cluster.until(last.outcome());
    expect(onlooker.statesOf('a').at(-1)).toBe('completed');
    expect(onlooker.of('c')).toEqual([]);
    expect(onlooker.statesOf('d').at(-1)).toBe('completed');
  });
});

describe('an inspector', () => {
  it('is told nothing once it has unsubscribed', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    const onlooker = new Onlooker();
    const { unsubscribe } = cluster.gateway.inspect(onlooker);
    unsubscribe();
    unsubscribe();
    const told = onlooker.lines.length;
    expect(told).toBeGreaterThan(0);
    await cluster.node('n1', { handlers: [puppets.on('n1')] });
    expect(onlooker.lines).toHaveLength(told);
  });

  it('that throws is told no more, which is logged, and harms nobody', async () => {
    const errors: unknown[] = [];
    const log = { debug() {}, info() {}, warn() {}, error: (event: string) => errors.push(event) };
    await using cluster = await createTestCluster({ log });
    let told = 0;
    cluster.gateway.inspect((event) => {
      told += 1;
      if ((event.actorRef as { id?: string }).id === 'task-1') throw new Error('the page is gone');
    });
    const puppets = new Puppets();
    await cluster.node('n1', { handlers: [puppets.on('n1')] });
    const client = await cluster.client();
    const handle = client.submit(puppets.task, null, { taskId: 'task-1' });
    await cluster.settle();
    puppets.only.finish('all the same');
    expect(await cluster.until(handle)).toBe('all the same');
    const before = told;
    await cluster.node('n2');
    expect({ told, errors }).toEqual({ told: before, errors: ['inspect.failed'] });
  });

  it('must be one', async () => {
    await using cluster = await createTestCluster();
    for (const inspector of [undefined, null, {}, 'stately']) {
      expect(() => cluster.gateway.inspect(inspector as never)).toThrow(/^inspect: the inspector is neither/);
    }
  });
});

describe('the inspector of Stately', () => {
  it('gets the chart of every actor, where it is, and nothing of what tasks carry', async () => {
    await using page = await openPage();
    const secret = 'sesame-sesame-sesame';
    await using gateway = await createGateway({ token: secret });
    const inspector = createWebSocketInspector({ url: page.url });
    await once(page.server, 'connection');
    gateway.inspect(inspector.inspect);
    const echo = defineTask('echo');
    await using node = await createNode({ join: gateway.url, token: secret, id: 'n1' });
    node.inspect(inspector.inspect);
    node.handle(echo, ({ input }) => input);
    expect(await gateway.client().submit(echo, 'the payload', { taskId: 'task-1' })).toBe('the payload');
    await expect.poll(() => page.statesOf('task-1')).toContain('completed');
    await expect.poll(() => page.statesOf('task-1 1')).toContain('settled');
    for (const [name, chart] of [
      ['gateway', charts.gateway],
      ['scheduler', charts.scheduler],
      ['n1', charts.node],
      ['task-1', charts.task],
      ['task-1 1', charts.attempt],
      ['link', charts.link],
    ] as const) {
      expect(new Set(Object.keys(page.definitionOf(name).states))).toEqual(
        new Set(Object.keys(chart.config.states ?? {})),
      );
    }
    expect(page.frames.join()).not.toMatch(/the payload|sesame/);
    inspector.stop();
  });
});

interface Frame {
  readonly type: string;
  readonly sessionId: string;
  readonly name?: string;
  readonly definition?: string;
  readonly snapshot?: { readonly value?: string };
}

/** What the page of the inspector would be sent. */
async function openPage() {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const frames: string[] = [];
  server.on('connection', (socket) => {
    socket.on('message', (text) => frames.push(String(text)));
  });
  const all = (): Frame[] => frames.map((text) => JSON.parse(text) as Frame);
  const actorOf = (name: string): Frame | undefined =>
    all().find((frame) => frame.type === '@xstate.actor' && frame.name === name);
  return {
    server,
    frames,
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    statesOf(name: string): (string | undefined)[] {
      const sessionId = actorOf(name)?.sessionId;
      return all()
        .filter((frame) => frame.type === '@xstate.snapshot' && frame.sessionId === sessionId)
        .map(({ snapshot }) => snapshot?.value);
    },
    definitionOf: (name: string) => JSON.parse(actorOf(name)?.definition ?? '{"states":{}}') as { states: object },
    async [Symbol.asyncDispose]() {
      for (const socket of server.clients) socket.terminate();
      server.close();
      await once(server, 'close');
    },
  };
}

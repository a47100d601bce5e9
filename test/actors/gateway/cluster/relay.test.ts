/** What gateways tell each other of tasks that run on one and are watched on another; the bus is played by the test. */
import { describe, expect, it } from 'vitest';
import { Relay } from '../../../../src/actors/gateway/cluster/relay.ts';
import type { Session } from '../../../../src/actors/gateway/sessions/session.ts';
import { Watchers } from '../../../../src/actors/gateway/tasks/watchers.ts';
import type { TaskRecord } from '../../../../src/actors/store/store.ts';
import { createSimulatedClock } from '../../../../src/actors/world/simulated-clock.ts';
import { createWorld } from '../../../../src/actors/world/world.ts';
import type { Limits } from '../../../../src/protocol/limits.ts';

interface Scene {
  readonly relay: Relay;
  readonly watchers: Watchers;
  readonly others: Set<string>;
  /** Tasks that are held here. */
  readonly held: Set<string>;
  /** What was told, `gateway kind tasks`. */
  told(): string[];
  /** What was looked up in the store. */
  looked(): string[];
  readonly cancelled: string[];
  readonly failures: unknown[];
  hear(kind: string, body: unknown, from?: string): void;
  advance(ms: number): Promise<void>;
}

function sceneOf(limits: Partial<Limits> = {}, tellIfSettled: () => Promise<void> = async () => {}): Scene {
  const clock = createSimulatedClock();
  const world = createWorld({ clock, limits }, { clock, random: () => 0.5, ids: () => 'id' });
  const handlers = new Map<string, (body: unknown, from: string) => void>();
  const others = new Set(['b', 'c']);
  const held = new Set<string>();
  const told: string[] = [];
  const looked: string[] = [];
  const cancelled: string[] = [];
  const failures: unknown[] = [];
  const watchers = new Watchers(world.limits);
  const relay = new Relay(world, {
    bus: {
      others,
      on: (kind: string, handler: () => void) => handlers.set(kind, handler),
      tell: (to: string, kind: string, body: { taskId?: string }) => told.push(`${to} ${kind} ${body.taskId ?? body}`),
    } as never,
    tasks: {
      recordOf: (taskId: string) => (held.has(taskId) ? {} : undefined),
      tell: (taskId: string) => cancelled.push(taskId),
      flush: () => {},
    } as never,
    watchers,
    gatewayId: () => 'own',
    tellIfSettled: (taskId) => {
      looked.push(taskId);
      return tellIfSettled();
    },
    onStoreFailed: (error) => void failures.push(error),
  });
  return {
    ...{ relay, watchers, others, held, cancelled, failures },
    told: () => told.splice(0),
    looked: () => looked.splice(0),
    hear: (kind, body, from = 'b') => handlers.get(kind)?.(body, from),
    advance: (ms) => clock.advance(ms),
  };
}

function aSession(): { session: Session; said: unknown[] } {
  const said: unknown[] = [];
  return { said, session: { peerId: 'peer', send: (...all: unknown[]) => void said.push(all) } as unknown as Session };
}

const report = (taskId: string) => ({ taskId, attempt: 1, payload: new Uint8Array(1) });
const record = (taskId: string, owner: string | null) => ({ taskId, owner }) as TaskRecord;

describe('the end of a task', () => {
  it('is told to the gateway that took its submit and to those that asked, once each and together', async () => {
    const { relay, told, hear, advance } = sceneOf();
    hear('watch', ['t1', 't2'], 'c');
    hear('watch', ['t1'], 'b');
    for (const taskId of ['t1', 't2', 't3']) relay.settled(taskId, 'b');
    relay.settled('t4', 'own');
    relay.settled('t5', null);
    expect(told()).toEqual([]);
    await advance(0);
    expect(told()).toEqual(['c settled t1,t2', 'b settled t1,t2,t3']);
    // Whoever asked for it has been told: of another task of this id nobody has asked.
    relay.settled('t1', null);
    await advance(0);
    expect(told()).toEqual([]);
    // And what was told is told once.
    relay.settled('t6', 'b');
    relay.want(record('t7', 'c'));
    await advance(0);
    expect(told()).toEqual(['b settled t6', 'c watch t7']);
    relay.want(record('t8', 'c'));
    await advance(0);
    expect(told()).toEqual(['c watch t8']);
  });

  it('is told in notes of no more than a list may hold', async () => {
    const { relay, told, advance } = sceneOf({ listMax: 2 });
    for (const taskId of ['t1', 't2', 't3', 't4', 't5']) relay.settled(taskId, 'b');
    await advance(0);
    expect(told()).toEqual(['b settled t1,t2', 'b settled t3,t4', 'b settled t5']);
  });

  it('is told to nobody while there is no other gateway', async () => {
    const { relay, told, others, hear, advance } = sceneOf();
    hear('watch', ['t1']);
    others.clear();
    relay.progress(report('t1'), 'b');
    relay.settled('t1', 'b');
    await advance(0);
    expect(told()).toEqual([]);
  });

  it('that another gateway tells of is looked up if somebody watches here', () => {
    const { watchers, looked, hear } = sceneOf();
    watchers.add('t1', aSession().session);
    hear('settled', ['t1', 't2', 3]);
    hear('settled', 'nonsense');
    expect(looked()).toEqual(['t1']);
  });
});

describe('progress', () => {
  it('is passed on to those that asked and to the origin, unless that has said that nobody listens there', () => {
    const { relay, told, hear } = sceneOf();
    relay.progress(report('t1'), 'own');
    relay.progress(report('t1'), null);
    relay.progress(report('t1'), 'gone');
    expect(told()).toEqual([]);
    hear('watch', ['t1'], 'c');
    relay.progress(report('t1'), 'b');
    expect(told()).toEqual(['c progress t1', 'b progress t1']);
    hear('deaf', ['t1'], 'b');
    relay.progress(report('t1'), 'b');
    expect(told()).toEqual(['c progress t1']);
    hear('deaf', ['t1'], 'c');
    relay.progress(report('t1'), 'b');
    expect(told()).toEqual([]);
    // Somebody listens there again.
    hear('watch', ['t1'], 'b');
    relay.progress(report('t1'), 'b');
    expect(told()).toEqual(['b progress t1']);
  });

  it('is passed on so often in a second, and what is more is counted', async () => {
    const { relay, told, advance } = sceneOf({ relayedPerSecondMax: 2 });
    for (let n = 0; n < 5; n += 1) relay.progress(report('t1'), 'b');
    expect([told().length, relay.progressDropped]).toEqual([2, 3]);
    await advance(500);
    for (let n = 0; n < 2; n += 1) relay.progress(report('t1'), 'b');
    expect([told().length, relay.progressDropped]).toEqual([1, 4]);
  });

  it('of another gateway is told to who listens here; if nobody does, that gateway is told so', () => {
    const { watchers, told, hear } = sceneOf();
    const { session, said } = aSession();
    watchers.add('t1', session);
    hear('progress', report('t1'), 'c');
    expect([said, told()]).toEqual([[['task_progress', report('t1')]], []]);
    hear('progress', report('t2'), 'c');
    expect([said.length, told()]).toEqual([1, ['c deaf t2']]);
  });
});

describe('a task that another gateway has', () => {
  it('is asked after there, if that gateway is there and is not this one', async () => {
    const { relay, told, advance } = sceneOf();
    for (const owner of ['b', 'own', 'gone', null]) relay.want(record(`of-${owner}`, owner));
    await advance(0);
    expect(told()).toEqual(['b watch of-b']);
  });

  it('is cancelled there, and here when another gateway says so', () => {
    const { relay, told, hear, cancelled } = sceneOf();
    relay.cancel(record('t1', 'b'));
    relay.cancel(record('t2', null));
    expect(told()).toEqual(['b cancel t1']);
    hear('cancel', ['t3', 't4']);
    expect(cancelled).toEqual(['t3', 't4']);
  });

  it('is asked after in the store now and then while it is watched here, whatever the store says', async () => {
    const { relay, watchers, held, looked, failures, advance } = sceneOf({ watchPollMs: 1_000 }, () =>
      Promise.reject(new Error('gone')),
    );
    const { session } = aSession();
    const taskIds = Array.from({ length: 250 }, (_, n) => `t${n}`);
    for (const taskId of taskIds) watchers.add(taskId, session);
    held.add('t0');
    relay.watch();
    await advance(999);
    expect(looked()).toEqual([]);
    await advance(1);
    expect(looked()).toEqual(taskIds.slice(1));
    await advance(1_000);
    expect([looked().length, failures.length]).toEqual([249, 498]);
  });

  it('is asked after no more once no other gateway has been there for two rounds, and again when one comes', async () => {
    const { relay, watchers, others, looked, advance } = sceneOf({ watchPollMs: 1_000 });
    watchers.add('t1', aSession().session);
    others.clear();
    relay.watch();
    await advance(2_000);
    expect(looked()).toEqual(['t1', 't1']);
    await advance(3_000);
    expect(looked()).toEqual([]);
    others.add('b');
    await advance(1_000);
    others.clear();
    await advance(2_000);
    expect(looked()).toEqual(['t1', 't1', 't1']);
  });

  it('makes room for one that is asked for later, when there are more than may be watched', async () => {
    const { relay, told, hear, advance } = sceneOf({ watchMax: 2 });
    hear('watch', ['t1', 't2', 't1', 't3']);
    for (const taskId of ['t1', 't2', 't3']) relay.settled(taskId, null);
    await advance(0);
    expect(told()).toEqual(['b settled t2,t3']);
  });
});

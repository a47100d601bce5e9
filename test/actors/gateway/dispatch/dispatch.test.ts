/** What is claimed, for whom and when, and what becomes of it; the store is the one in memory, which a test may get between. */
import { describe, expect, it } from 'vitest';
import { startActor } from '../../../../src/actors/charts/start-actor.ts';
import { Dispatch } from '../../../../src/actors/gateway/dispatch/dispatch.ts';
import { type Node, Nodes } from '../../../../src/actors/gateway/nodes/nodes.ts';
import type { Session } from '../../../../src/actors/gateway/sessions/session.ts';
import { createMemoryStore } from '../../../../src/actors/store/memory/memory-store.ts';
import type { Claimed, NewTask, Want } from '../../../../src/actors/store/store.ts';
import { createSimulatedClock } from '../../../../src/actors/world/simulated-clock.ts';
import { createWorld } from '../../../../src/actors/world/world.ts';
import { gatewayMachine } from '../../../../src/machines/gateway.ts';
import type { Candidate, Placement } from '../../../../src/machines/policies/placement/placement.ts';
import { classOf, type Requirement } from '../../../../src/machines/policies/requirement-class.ts';
import type { Limits } from '../../../../src/protocol/limits.ts';
import type { Payload } from '../../../../src/protocol/message.ts';
import { aTask } from '../../../conformance/store-fixture.ts';
import { tampered } from '../../../support/gateways.ts';

const SWEEP_MS = 1_000;

interface Asked {
  readonly wants: readonly Want[];
  readonly room: number;
}

/** A dispatch, its nodes and its store. Work and nodes are heard of as in a gateway. */
async function sceneOf(limits: Partial<Limits> = {}) {
  const clock = createSimulatedClock();
  const ids = () => 'id';
  const world = createWorld({ clock, limits: { sweepMs: SWEEP_MS, ...limits } }, { clock, random: () => 0.5, ids });
  const store = createMemoryStore({ clock, ids, limits: world.limits });
  await store.open();
  const gateway = await store.join('home', 3_600_000);
  const parent = startActor(gatewayMachine, { charts: world.charts, id: 'gateway', onCommand() {}, onError() {} });
  const placed: string[] = [];
  const lots: number[] = [];
  const asked: Asked[] = [];
  const offered: { readonly from: string[]; readonly placement: Placement }[] = [];
  const failures: unknown[] = [];
  const lease = { isHeld: true, fenced: 0 };
  const { claim } = store;
  tampered(
    { store },
    {
      claim(by, wants, room) {
        asked.push({ wants, room });
        return claim.call(store, by, wants, room);
      },
    },
  );
  const nodes: Nodes = new Nodes(world, {
    parent,
    owner: { onChanged: () => dispatch.roomChanged(), onLost() {} },
  });
  const dispatch: Dispatch = new Dispatch(world, {
    ...{ parent, store, nodes, gatewayId: () => gateway },
    strategy: () => (candidates: readonly Candidate[], placement: Placement) => {
      offered.push({ from: candidates.map(({ nodeId }) => nodeId), placement });
      return candidates[0]?.nodeId;
    },
    owner: {
      place: ({ record }, nodeId) => void placed.push(`${record.taskId} on ${nodeId}`),
      onPlaced: () => void lots.push(placed.length),
      mayClaim: () => lease.isHeld,
      onFenced: () => {
        lease.fenced += 1;
      },
      onStoreFailed: (error) => void failures.push(error),
    },
  });
  store.onReady((queues) => dispatch.hear(queues));
  const node = async (
    nodeId: string,
    { maxTasks = 1, can = [], ...claimed }: Partial<Payload<'register'>> & { can?: readonly string[] } = {},
  ): Promise<Node> => {
    const session = { isFull: false, remoteAddress: '' } as Session;
    const register = { nodeId, incarnation: '1', nodeType: 'agent', maxTasks, ...claimed } as Payload<'register'>;
    const attached = nodes.attach(session, register, can);
    await clock.runSoon();
    return attached;
  };
  /** What is submitted together is heard of together. */
  const submit = async (...tasks: (Partial<NewTask> & { ask?: Partial<Requirement> })[]): Promise<void> => {
    await store.submit(
      tasks.map(({ ask = {}, type = 'echo', ...task }) =>
        aTask({ type, queue: classOf({ type, needs: [], ...ask }), ...task }),
      ),
    );
    await clock.runSoon();
  };
  const named = (...taskIds: string[]) => taskIds.map((taskId) => ({ taskId }));
  const statusOf = async (taskId: string) => (await store.get(taskId))?.status;
  /** The attempt of a task that runs here is over. */
  const end = async (on: Node, taskId: string, attempt = 1): Promise<void> => {
    await store.complete([{ taskId, attempt, status: 'completed', runMs: 0 }]);
    nodes.free(on, { taskId, attempt });
    dispatch.catchUp(true);
    await clock.runSoon();
  };
  /** Does something once the store has claimed, and before it is heard what. */
  const afterClaim = (job: (claimed: readonly Claimed[] | null) => unknown) => {
    const { claim: before } = store;
    const restore = tampered(
      { store },
      {
        async claim(...given) {
          restore();
          const claimed = await before.apply(store, given);
          await job(claimed);
          return claimed;
        },
      },
    );
  };
  return {
    ...{ clock, world, store, gateway, nodes, dispatch, placed, lots, asked, offered, failures, lease },
    ...{ node, submit, named, statusOf, end, afterClaim },
  };
}

describe('a dispatch', () => {
  it('claims what there is room for and no more, and the rest as slots are freed', async () => {
    const { node, submit, named, placed, asked, dispatch, end, lots } = await sceneOf();
    const worker = await node('n', { maxTasks: 2 });
    await submit(...named('a', 'b', 'c'));
    expect(asked).toEqual([{ wants: [{ queue: 'echo ', limit: 2 }], room: 2 }]);
    expect([placed, lots]).toEqual([['a on n', 'b on n'], [2]]);
    expect([dispatch.status, worker.status, worker.slots.size]).toEqual(['saturated', 'busy', 2]);
    await end(worker, 'a');
    expect(placed).toEqual(['a on n', 'b on n', 'c on n']);
    expect(asked.at(-1)).toEqual({ wants: [{ queue: 'echo ', limit: 1 }], room: 1 });
    expect([worker.placedSinceReport, worker.lastTurn]).toEqual([3, 3]);
  });

  it('asks once for all that is heard of in one turn', async () => {
    const { node, dispatch, store, clock, asked, placed } = await sceneOf();
    await node('n', { maxTasks: 9 });
    void store.submit([aTask({ taskId: 'a' }), aTask({ taskId: 'b', type: 'other', queue: 'other ' })]);
    dispatch.hear(['echo ']);
    dispatch.hear(['other ']);
    await clock.runSoon();
    expect(asked.map(({ wants }) => wants.map(({ queue }) => queue))).toEqual([['echo ', 'other ']]);
    expect(placed).toHaveLength(2);
  });

  it('does not ask again of a class that was empty, until it is heard of', async () => {
    const { node, submit, named, end, asked, dispatch } = await sceneOf();
    const worker = await node('n', { maxTasks: 2 });
    await submit(...named('a'));
    expect([asked.length, dispatch.status]).toEqual([1, 'idle']);
    await end(worker, 'a');
    dispatch.roomChanged();
    await submit(...named('b'));
    expect(asked).toHaveLength(2);
  });

  it('asks again of a class that was heard of while the store said that it was empty', async () => {
    const { node, submit, named, afterClaim, store, asked, placed } = await sceneOf();
    await node('n', { maxTasks: 9 });
    afterClaim(() => store.submit([aTask({ taskId: 'late' })]));
    await submit(...named('a'));
    expect(placed).toEqual(['a on n', 'late on n']);
    expect(asked).toHaveLength(2);
  });

  it('asks again when the total was what ran out, though no class gave what it was asked for', async () => {
    const { node, submit, named, placed, end } = await sceneOf();
    const worker = await node('n', { maxTasks: 2 });
    await submit(...named('a', 'b'), { taskId: 'c', type: 'other' }, { taskId: 'd', type: 'other' });
    expect(placed).toHaveLength(2);
    for (const taskId of placed.map((each) => each.split(' ')[0] as string)) await end(worker, taskId);
    expect(placed.toSorted()).toEqual(['a on n', 'b on n', 'c on n', 'd on n']);
  });

  it('never claims what no node could do, and does as soon as one comes', async () => {
    const { node, submit, asked, placed, dispatch } = await sceneOf();
    await node('n');
    await submit({ taskId: 'a', ask: { needs: ['gpu'] } });
    expect([asked, dispatch.status]).toEqual([[], 'starved']);
    await node('m', { can: ['gpu'] });
    expect([placed, asked.length]).toEqual([['a on m'], 1]);
  });

  it('waits for those that could do it and are full, but not for those that are gone', async () => {
    const { node, nodes, submit, named, dispatch, clock } = await sceneOf();
    const worker = await node('n');
    await submit(...named('a', 'b'));
    expect(dispatch.status).toBe('saturated');
    nodes.tell(worker, { type: 'session.closed' });
    await clock.runSoon();
    expect(worker.status).toBe('offline');
    expect(dispatch.status).toBe('starved');
  });

  it('does not count the slots of nodes that nothing that waits can use', async () => {
    const { node, submit, named, asked, placed } = await sceneOf();
    await node('n', { maxTasks: 1, can: ['gpu'], resources: { gpu: 1 } });
    await node('m', { maxTasks: 8, taskTypes: ['other'] });
    await node('o', { maxTasks: 8, can: ['gpu'], resources: { gpu: 0.5 } });
    await submit(...named('a', 'b').map((task) => ({ ...task, ask: { needs: ['gpu'], resources: { gpu: 1 } } })));
    expect(asked).toMatchObject([{ wants: [{ limit: 1 }], room: 1 }]);
    expect(placed).toEqual(['a on n']);
  });

  it('does not count the slots of nodes whose resources are taken', async () => {
    const { node, submit, named, asked, placed, statusOf } = await sceneOf();
    const ask = { resources: { gpu: 1 } };
    await node('n', { maxTasks: 8, resources: { gpu: 1 } });
    await submit({ taskId: 'a', ask });
    await node('m', { maxTasks: 2, resources: { gpu: 1 } });
    await submit(...named('b', 'c').map((task) => ({ ...task, ask })), { taskId: 'd', ask });
    expect(asked.at(-1)).toMatchObject({ wants: [{ limit: 1 }], room: 2 });
    expect([placed, await statusOf('c')]).toEqual([['a on n', 'b on m'], 'pending']);
  });

  it('never takes a node with room that cannot do the work for those that could and are full', async () => {
    const { node, submit, named, placed, dispatch } = await sceneOf();
    for (const nodeId of ['n', 'm']) await node(nodeId, { can: ['gpu'] });
    await node('other', { maxTasks: 9 });
    await submit(...named('a', 'b', 'c', 'd').map((task) => ({ ...task, ask: { needs: ['gpu'] } })));
    await submit({ taskId: 'e', ask: { needs: ['gpu'] } });
    expect([placed, dispatch.status]).toEqual([['a on n', 'b on m'], 'saturated']);
  });

  it('claims of a class what all its nodes have room for, and in all what they have, whichever class it is for', async () => {
    const { node, submit, named, asked } = await sceneOf();
    await node('n', { maxTasks: 2 });
    await node('m', { maxTasks: 3, taskTypes: ['echo'] });
    await submit(...named('a'), { taskId: 'b', type: 'other' });
    expect(asked[0]).toEqual({
      wants: [
        { queue: 'echo ', limit: 5 },
        { queue: 'other ', limit: 2 },
      ],
      room: 5,
    });
  });

  it('places nothing more once it drains or has stopped, and nothing of what it had asked for when it was stopped', async () => {
    const { node, submit, named, dispatch, placed, afterClaim, asked } = await sceneOf();
    await node('n', { maxTasks: 9 });
    afterClaim(() => dispatch.stop());
    await submit(...named('a'));
    expect([placed, dispatch.status]).toEqual([[], 'stopped']);
    await submit(...named('b'));
    expect(asked).toHaveLength(1);
    const other = await sceneOf();
    await other.node('n');
    other.dispatch.drain();
    await other.submit(...named('a'));
    expect([other.asked, other.dispatch.status]).toEqual([[], 'draining']);
  });

  it('tells whether a claim is on its way, and has the nodes told of their slots when it is back, failed or not', async () => {
    const { node, submit, named, dispatch, afterClaim } = await sceneOf();
    const worker = await node('n');
    const seen: boolean[] = [];
    afterClaim(() => {
      seen.push(dispatch.isClaiming);
      throw new Error('gone');
    });
    // Which is what its chart was told last, and is not so.
    worker.wasFull = true;
    await submit(...named('a'));
    expect([seen, dispatch.isClaiming, worker.wasFull]).toEqual([[true], false, false]);
  });
});

describe('what was claimed', () => {
  it('goes back at no cost when its node has gone meanwhile, and is placed when there is another', async () => {
    const { node, nodes, submit, named, afterClaim, placed, store, statusOf } = await sceneOf();
    const worker = await node('n', { maxTasks: 2 });
    afterClaim(() => nodes.tell(worker, { type: 'session.closed' }));
    await submit(...named('a', 'b'));
    expect([placed, await statusOf('a'), await statusOf('b')]).toEqual([[], 'pending', 'pending']);
    expect(await store.get('a')).toMatchObject({ attempt: 1, failures: 0, crashes: 0, attemptsStarted: 0 });
    await node('m', { maxTasks: 2 });
    expect(placed).toEqual(['a on m', 'b on m']);
  });

  it('goes back for as much as there is no room for any more', async () => {
    const { node, nodes, submit, named, afterClaim, placed, statusOf } = await sceneOf();
    const worker = await node('n', { maxTasks: 2 });
    afterClaim(() => nodes.take(worker, { taskId: 'other', attempt: 1 }));
    await submit(...named('a', 'b'));
    expect([placed, await statusOf('b')]).toEqual([['a on n'], 'pending']);
  });

  it('has a log when the store does not take it back', async () => {
    const { node, nodes, submit, named, afterClaim, failures, store } = await sceneOf();
    const worker = await node('n');
    afterClaim(() => nodes.tell(worker, { type: 'session.closed' }));
    tampered({ store }, { release: () => Promise.reject(new Error('gone')) });
    await submit(...named('a'));
    expect(failures.map(String)).toEqual(['Error: gone']);
  });

  it('shares what a node has: an attempt takes its part at once', async () => {
    const { node, submit, named, placed, end } = await sceneOf();
    const worker = await node('n', { maxTasks: 9, resources: { gpu: 1 } });
    const ask = { resources: { gpu: 0.5 } };
    await submit(...named('a', 'b', 'c').map((task) => ({ ...task, ask })));
    expect(placed).toEqual(['a on n', 'b on n']);
    await end(worker, 'b');
    expect(placed.slice(2)).toEqual(['c on n']);
  });

  it('is placed in the order of the line where it takes of what nodes have, else the choosiest first', async () => {
    const { node, submit, placed } = await sceneOf();
    await submit(
      { taskId: 'any' },
      { taskId: 'fond', prefer: 'm' },
      { taskId: 'choosy', type: 'picky', ask: { needs: ['gpu'] } },
    );
    await node('m', { maxTasks: 0, can: ['gpu'] });
    const last = await node('n', { maxTasks: 0 });
    expect(placed).toEqual([]);
    last.maxTasks = 0;
    await node('m', { maxTasks: 3, can: ['gpu'] });
    expect(placed).toEqual(['choosy on m', 'fond on m', 'any on m']);
  });
});

describe('the node of a task', () => {
  it('is the one that it prefers if that has room, else another', async () => {
    const { node, submit, placed, offered } = await sceneOf();
    await node('n', { maxTasks: 2 });
    await node('m');
    await submit({ taskId: 'a', prefer: 'm' });
    await submit({ taskId: 'b', prefer: 'm' });
    expect([placed, offered.length]).toEqual([['a on m', 'b on n'], 1]);
  });

  it('is another than the one that has failed it, where there is one', async () => {
    const { node, submit, named, placed, nodes, store, gateway, clock } = await sceneOf();
    const worker = await node('n', { maxTasks: 2 });
    await submit(...named('a'));
    const fail = async (attempt: number, on: Node) => {
      const release = { taskId: 'a', attempt, costs: 'failure' as const, delayMs: 0, node: on.nodeId };
      nodes.free(on, { taskId: 'a', attempt });
      await store.release(gateway, [release]);
      await clock.runSoon();
    };
    await fail(1, worker);
    expect(placed).toEqual(['a on n', 'a on n']);
    await node('m');
    await fail(2, worker);
    expect(placed.slice(2)).toEqual(['a on m']);
  });

  it('is chosen of those that can do least more than it asks for, but for a task that belongs near others of its key', async () => {
    const { node, submit, offered } = await sceneOf();
    await node('able', { can: ['gpu'] });
    await node('plain', { maxTasks: 2 });
    await submit({ taskId: 'a' });
    await submit({ taskId: 'b', affinityKey: 'key' });
    expect(offered.map(({ from }) => from)).toEqual([['plain'], ['able', 'plain']]);
    expect(offered.map(({ placement }) => [placement.taskId, placement.affinityKey, placement.turn])).toEqual([
      ['a', null, 0],
      ['b', 'key', 1],
    ]);
  });

  it('has had its new attempt counted when the next one of the same lot is placed', async () => {
    const { node, submit, named, placed, lots } = await sceneOf();
    await node('n', { maxTasks: 1 });
    await node('m', { maxTasks: 2 });
    await node('o', { maxTasks: 1 });
    await submit(...named('a', 'b', 'c', 'd', 'e'));
    expect([placed, lots]).toEqual([['a on n', 'b on m', 'c on m', 'd on o'], [4]]);
  });
});

describe('a gateway that cannot be sure of its claim on work', () => {
  it('claims nothing, and looks again with every sweep', async () => {
    const { node, submit, named, lease, asked, clock, placed, dispatch } = await sceneOf();
    lease.isHeld = false;
    await node('n');
    await submit(...named('a'));
    await clock.advance(5 * SWEEP_MS);
    expect([asked, dispatch.status]).toEqual([[], 'saturated']);
    lease.isHeld = true;
    await clock.advance(SWEEP_MS - 1);
    expect(placed).toEqual([]);
    await clock.advance(1);
    expect(placed).toEqual(['a on n']);
  });

  it('waits once, however many claims have failed meanwhile', async () => {
    const { node, submit, named, lease, clock } = await sceneOf();
    lease.isHeld = false;
    await node('n');
    const before = clock.pending;
    for (const taskId of ['a', 'b', 'c']) await submit(...named(taskId));
    expect(clock.pending).toBe(before + 1);
  });

  it('gives back what it was given so late that others may take it for dead, and asks again with the next sweep', async () => {
    const { node, submit, named, lease, afterClaim, placed, statusOf, clock } = await sceneOf();
    await node('n');
    afterClaim(() => {
      lease.isHeld = false;
    });
    await submit(...named('a'));
    expect([placed, await statusOf('a')]).toEqual([[], 'pending']);
    lease.isHeld = true;
    await clock.advance(SWEEP_MS);
    expect(placed).toEqual(['a on n']);
  });

  it('is told that its claim has lapsed, and asks again when it has another', async () => {
    const { node, submit, named, lease, store, placed, dispatch, clock, failures } = await sceneOf();
    await node('n');
    const restore = tampered({ store }, { claim: async () => null });
    await submit(...named('a'));
    expect([lease.fenced, placed, failures, dispatch.status]).toEqual([1, [], [], 'saturated']);
    restore();
    dispatch.roomChanged();
    await clock.runSoon();
    expect(placed).toEqual(['a on n']);
  });

  it('says that the store has failed, and asks again with the next sweep', async () => {
    const { node, submit, named, failures, store, placed, dispatch, clock } = await sceneOf();
    await node('n');
    const restore = tampered({ store }, { claim: () => Promise.reject(new Error('gone')) });
    await submit(...named('a'));
    expect([failures.map(String), dispatch.status]).toEqual([['Error: gone'], 'saturated']);
    expect(dispatch.claims).toEqual({ begun: 1, answered: 1 });
    restore();
    await clock.advance(SWEEP_MS);
    expect(placed).toEqual(['a on n']);
  });

  it('does not ask a store that has failed with every message, but once when room is heard of', async () => {
    const { node, submit, named, store, dispatch, clock } = await sceneOf();
    await node('n');
    tampered({ store }, { claim: () => Promise.reject(new Error('gone')) });
    await submit(...named('a'));
    for (let message = 0; message < 3; message += 1) dispatch.catchUp(false);
    await clock.runSoon();
    expect(dispatch.claims.begun).toBe(1);
    for (let change = 0; change < 3; change += 1) dispatch.roomChanged();
    await clock.runSoon();
    expect(dispatch.claims.begun).toBe(2);
    dispatch.roomChanged();
    await clock.runSoon();
    expect(dispatch.claims.begun).toBe(3);
  });
});

describe('a paused type', () => {
  it('is not claimed, while others are, and is when it is resumed', async () => {
    const { node, submit, named, dispatch, placed, clock } = await sceneOf();
    await node('n', { maxTasks: 9 });
    dispatch.pause('echo');
    dispatch.pause('almost');
    await submit(...named('a'), { taskId: 'b', type: 'other' });
    expect([placed, dispatch.paused(), dispatch.isPaused('echo')]).toEqual([['b on n'], ['almost', 'echo'], true]);
    dispatch.resume('echo');
    await clock.runSoon();
    expect([placed, dispatch.isPaused('echo')]).toEqual([['b on n', 'a on n'], false]);
  });
});

describe('a look at the store', () => {
  it('hears of the classes that have tasks, and forgets the others but for those heard of meanwhile', async () => {
    const { submit, named, dispatch, store, clock, node, asked, placed } = await sceneOf();
    await submit(...named('a'), { taskId: 'b', type: 'gone' });
    await store.cancel(['b']);
    const { stats } = store;
    tampered(
      { store },
      {
        async stats() {
          const found = await stats.call(store);
          dispatch.hear(['meanwhile ']);
          return { ...found, ready: new Map([...found.ready, ['unheard ', 1]]) };
        },
      },
    );
    await dispatch.look();
    await node('n', { maxTasks: 9 });
    expect(asked[0]?.wants.map(({ queue }) => queue)).toEqual(['echo ', 'meanwhile ', 'unheard ']);
    expect(placed).toEqual(['a on n']);
    await clock.runSoon();
  });

  it('that fails leaves all as it was', async () => {
    const { submit, named, dispatch, store, node, placed } = await sceneOf();
    await submit(...named('a'));
    tampered({ store }, { stats: () => Promise.reject(new Error('gone')) });
    await expect(dispatch.look()).rejects.toThrow('gone');
    await node('n');
    expect(placed).toEqual(['a on n']);
  });

  it('is due once more than 64 classes are waited for', async () => {
    const { dispatch } = await sceneOf();
    const classes = Array.from({ length: 65 }, (_, index) => `type-${index} `);
    dispatch.hear(classes.slice(1));
    expect(dispatch.isCrowded).toBe(false);
    dispatch.hear(classes);
    expect(dispatch.isCrowded).toBe(true);
  });
});

describe('a class that its limit holds back', () => {
  const limited = { ask: { limitKey: 'key' }, limit: { key: 'key', perMinute: 1 } };

  it('is asked for again the moment that its rate opens, with all the others of that limit', async () => {
    const { node, submit, placed, clock, asked } = await sceneOf();
    await node('n', { maxTasks: 9 });
    await submit({ taskId: 'a', ...limited });
    await submit({ taskId: 'b', ...limited }, { taskId: 'c', type: 'other', ...limited });
    expect(placed).toEqual(['a on n']);
    const before = asked.length;
    await clock.advance(59_999);
    expect([placed.length, asked.length]).toEqual([1, before]);
    await clock.advance(1);
    expect(placed).toHaveLength(2);
    await clock.advance(60_000);
    expect(placed).toHaveLength(3);
  });
});

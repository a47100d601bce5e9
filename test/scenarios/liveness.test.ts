/** What nodes say of themselves, true or not, and what the gateway makes of it: slots are counted here, not believed. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Payload } from '../../src/protocol/message.ts';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';
import { MemoryPeer } from '../support/memory-peer.ts';
import { Puppets } from '../support/puppets.ts';

type Beat = Partial<Payload<'heartbeat'>> & { lagMs?: number; tasks?: number };

function beat(peer: MemoryPeer, { lagMs = 0, tasks = 0, ...rest }: Beat = {}): void {
  const load = { cpu: 0, memory: 0, tasks, lagMs };
  peer.say('heartbeat', { nodeId: peer.id, status: 'healthy', load, capabilities: [], ...rest });
}

async function statusOf(cluster: TestCluster, nodeId: string): Promise<string> {
  const client = await cluster.client();
  const { status } = await cluster.until(client.node(nodeId));
  await cluster.until(client.stop());
  return status;
}

describe('a node', () => {
  it('that registers without load is served before its first heartbeat (#9)', async () => {
    await using cluster = await createTestCluster();
    const peer = await MemoryPeer.join(cluster, 'node-1');
    const client = await cluster.client();
    void client.submit('job', null);
    await cluster.settle();
    expect(peer.of('task_assign')).toHaveLength(1);
  });

  it('that beats before it registers is refused, with the reason', async () => {
    await using cluster = await createTestCluster();
    const peer = await MemoryPeer.dial(cluster, 'node-1');
    beat(peer);
    await cluster.settle();
    expect(peer.last('reject')).toMatchObject({ code: 'MESSAGE_UNEXPECTED' });
    expect(peer.closed).toMatchObject({ code: 4400 });
  });

  it('that says offline gets no new work and keeps what it has (#8)', async () => {
    await using cluster = await createTestCluster();
    const peer = await MemoryPeer.join(cluster, 'node-1', { maxTasks: 2 });
    const client = await cluster.client();
    const handle = client.submit('job', 1);
    await cluster.settle();
    beat(peer, { status: 'offline' });
    await cluster.settle();
    expect(await statusOf(cluster, 'node-1')).toBe('draining');
    void client.submit('job', 2);
    await cluster.settle();
    expect(peer.of('task_assign')).toHaveLength(1);
    const { taskId } = peer.last('task_assign');
    peer.say('task_result', { taskId, attempt: 1, status: 'success', result: new Uint8Array([7]), duration: 1 });
    expect(await cluster.until(handle.result())).toBe(7);
  });

  it('whose event loop lags is busy, not dead, and online again when it does not (#11 #19)', async () => {
    await using cluster = await createTestCluster();
    const peer = await MemoryPeer.join(cluster, 'node-1', { maxTasks: 2 });
    const client = await cluster.client();
    beat(peer, { lagMs: 4_000 });
    await cluster.settle();
    expect(await statusOf(cluster, 'node-1')).toBe('busy');
    const handle = client.submit('job', 1);
    await cluster.settle();
    expect(peer.of('task_assign')).toEqual([]);
    expect((await cluster.until(client.why(handle.taskId))).nodes[0]?.reason).toMatch(/lags/);
    beat(peer);
    await cluster.settle();
    expect(peer.of('task_assign')).toHaveLength(1);
  });

  it('that says busy gets no new work, whatever else it runs, until it says otherwise, and is asked why by that word', async () => {
    await using cluster = await createTestCluster();
    const peer = await MemoryPeer.join(cluster, 'node-1', { maxTasks: 3 });
    const client = await cluster.client();
    void client.submit('job', 1);
    await cluster.settle();
    beat(peer, { status: 'busy', tasks: 1 });
    await cluster.settle();
    const handle = client.submit('job', 2);
    await cluster.settle();
    expect(peer.of('task_assign')).toHaveLength(1);
    const { nodes } = await cluster.until(client.why(handle.taskId));
    expect(nodes).toEqual([{ nodeId: 'node-1', fits: false, reason: 'is busy: it says so itself' }]);
    beat(peer, { tasks: 1 });
    await cluster.settle();
    expect(peer.of('task_assign')).toHaveLength(2);
  });

  it('that says busy with all its slots taken gets work as soon as the gateway knows one to be free', async () => {
    await using cluster = await createTestCluster();
    const peer = await MemoryPeer.join(cluster, 'node-1', { maxTasks: 1 });
    const client = await cluster.client();
    for (let n = 0; n < 2; n += 1) void client.submit('job', n);
    await cluster.settle();
    beat(peer, { status: 'busy', tasks: 1 });
    await cluster.settle();
    const { taskId } = peer.last('task_assign');
    peer.say('task_result', { taskId, attempt: 1, status: 'success', duration: 1 });
    await cluster.settle();
    expect(peer.of('task_assign')).toHaveLength(2);
  });

  it('that is about to leave is shown as such, and one that was drained as drained, whatever it says', async () => {
    await using cluster = await createTestCluster();
    const peers = [await MemoryPeer.join(cluster, 'node-1'), await MemoryPeer.join(cluster, 'node-2')];
    const client = await cluster.client();
    await cluster.until(client.order({ what: 'node.drain', nodeId: 'node-2', stop: true }));
    for (const peer of peers) beat(peer, { status: 'offline' });
    await cluster.settle();
    const nodes = await cluster.until(client.nodes());
    expect(nodes.map(({ status, reason }) => [status, reason])).toEqual([
      ['draining', 'it is about to leave'],
      ['draining', 'drained by an operator'],
    ]);
  });

  it('can change its slots and handlers with a heartbeat, and the work follows (#12)', async () => {
    await using cluster = await createTestCluster();
    const peer = await MemoryPeer.join(cluster, 'node-1', { maxTasks: 0, taskTypes: ['other'] });
    const client = await cluster.client();
    for (let n = 0; n < 3; n += 1) void client.submit('job', n);
    await cluster.settle();
    expect(peer.of('task_assign')).toEqual([]);
    beat(peer, { maxTasks: 2, taskTypes: ['job'] });
    await cluster.settle();
    expect(peer.of('task_assign')).toHaveLength(2);
  });

  it('that lies about its load is given no more than its slots (#47 #48)', async () => {
    await using cluster = await createTestCluster();
    const peer = await MemoryPeer.join(cluster, 'node-1', { maxTasks: 3 });
    const client = await cluster.client();
    for (let n = 0; n < 24; n += 1) void client.submit('job', n, { watch: false });
    for (let n = 0; n < 8; n += 1) {
      beat(peer, { tasks: 0 });
      await cluster.settle();
    }
    expect(peer.of('task_assign')).toHaveLength(3);
  });

  it('without slots is never given work (#20)', async () => {
    await using cluster = await createTestCluster();
    const peer = await MemoryPeer.join(cluster, 'node-1', { maxTasks: 0 });
    const client = await cluster.client();
    void client.submit('job', null);
    beat(peer, { tasks: 0, maxTasks: 0 });
    await cluster.advance(5_000);
    expect(peer.of('task_assign')).toEqual([]);
  });

  it('that names another in its heartbeat is put out (#4)', async () => {
    await using cluster = await createTestCluster();
    const peer = await MemoryPeer.join(cluster, 'node-1');
    beat(peer, { nodeId: 'node-2' });
    await cluster.settle();
    expect(peer.last('goodbye')).toMatchObject({ code: 'IDENTITY_MISMATCH' });
    expect(peer.closed).toMatchObject({ code: 4403 });
  });

  it('that drains finishes what runs, takes nothing new, and leaves (#66)', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    const node = await cluster.node('node-1', { maxTasks: 2, handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    const first = client.submit(puppets.task, 1);
    await cluster.settle();
    const drained = node.drain();
    await cluster.settle();
    const waits = client.submit(puppets.task, 2);
    await cluster.advance(3_000);
    expect([puppets.runs.length, await statusOf(cluster, 'node-1')]).toEqual([1, 'draining']);
    puppets.only.finish('done');
    await cluster.until(drained);
    expect(await cluster.until(first.outcome())).toMatchObject({ status: 'completed', attempts: 1 });
    expect([node.status, await statusOf(cluster, 'node-1')]).toEqual(['stopped', 'offline']);
    expect((await cluster.store.get(waits.taskId))?.status).toBe('pending');
  });

  it('that cannot finish in time hands back what it has, at no cost to the task', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    const node = await cluster.node('node-1', { handlers: [puppets.on('node-1', { obeys: false })] });
    const client = await cluster.client();
    const handle = client.submit(puppets.task, 1, { attempts: 1 });
    await cluster.settle();
    await cluster.until(node.drain(), 40_000);
    await cluster.node('node-2', { handlers: [puppets.on('node-2')] });
    await cluster.until(() => puppets.runs.length === 2);
    puppets.runs[1]?.finish('elsewhere');
    expect(await cluster.until(handle.result())).toBe('elsewhere');
    expect(await cluster.store.get(handle.taskId)).toMatchObject({ failures: 0, crashes: 0 });
  });

  it('and an idle client stay connected for ever: each hears of the other now and then', async () => {
    const downs: string[] = [];
    const log = { debug() {}, info: (event: string) => void downs.push(event), warn() {}, error() {} };
    await using cluster = await createTestCluster({ log });
    await cluster.node('node-1');
    await cluster.client();
    await cluster.advance(600_000);
    expect(downs.filter((event) => event === 'link.down')).toEqual([]);
    expect(await statusOf(cluster, 'node-1')).toBe('online');
  });
});

/** One thing that a node of the property does. */
type Move = 'submit' | 'start' | 'finish' | 'fail' | 'reject' | 'ended twice' | 'lie' | 'cancel' | 'shrink' | 'wait';
const MOVES: readonly Move[] = [
  'submit',
  'submit',
  'start',
  'finish',
  'fail',
  'reject',
  'ended twice',
  'lie',
  'cancel',
  'shrink',
  'wait',
];

describe('a node whose name another process takes', () => {
  it('is what the new one says, and nothing of what the old one was', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const join = (incarnation: string, claim: object) => MemoryPeer.join(cluster, 'node', { incarnation, ...claim });
    const view = async () => (await cluster.until(client.nodes()))[0];
    await join('first', { taskTypes: ['job'], labels: { room: 'attic' }, resources: { gpu: 1 } });
    await join('second', { nodeType: 'channel', taskTypes: ['channel-deliver:web'] });
    expect(await view()).toMatchObject({ type: 'channel', incarnation: 'second', taskTypes: ['channel-deliver:web'] });
    const third = await join('third', {});
    const seen = await view();
    expect(seen).toMatchObject({ type: 'agent', incarnation: 'third' });
    expect(Object.keys(seen ?? {})).not.toEqual(expect.arrayContaining(['taskTypes']));
    client.submit('anything', null);
    await cluster.until(() => third.of('task_assign').length === 1, 1_000);
  });
});

const STOPPING = {
  ...{ nodeId: 'node', status: 'offline' as const, capabilities: [], load: { cpu: 0, memory: 0, tasks: 0 } },
};

describe('a node that was about to stop', () => {
  it.each(['dies', 'is still there'])('works again as another process, also if it %s when that comes', async (how) => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const old = await MemoryPeer.join(cluster, 'node');
    old.say('heartbeat', STOPPING);
    await cluster.settle();
    expect((await cluster.until(client.nodes()))[0]?.status).toBe('draining');
    if (how === 'dies') old.hangUp();
    await cluster.settle();
    const young = await MemoryPeer.join(cluster, 'node', { incarnation: 'node-2' });
    expect((await cluster.until(client.nodes()))[0]?.status).toBe('online');
    client.submit('job', null);
    await cluster.until(() => young.of('task_assign').length === 1, 1_000);
  });

  it('goes on stopping as the same process over a new session', async () => {
    await using cluster = await createTestCluster();
    const client = await cluster.client();
    const old = await MemoryPeer.join(cluster, 'node');
    old.say('heartbeat', STOPPING);
    await cluster.settle();
    old.hangUp();
    await cluster.settle();
    await MemoryPeer.join(cluster, 'node');
    expect((await cluster.until(client.nodes()))[0]?.status).toBe('draining');
  });
});

describe('whatever a node says, in whatever order', () => {
  it('never holds more attempts than it has slots, and has them all free when it is done', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...MOVES), { minLength: 5, maxLength: 60 }), async (moves) => {
        await using cluster = await createTestCluster();
        const peer = await MemoryPeer.join(cluster, 'node-1', { maxTasks: 3 });
        const client = await cluster.client();
        const open = new Map<string, { taskId: string; attempt: number }>();
        let slots = 3;
        let known = 0;
        const take = async (): Promise<void> => {
          await cluster.settle();
          const assigned = peer.of('task_assign');
          for (const { taskId, attempt } of assigned.slice(known))
            open.set(`${taskId} ${attempt}`, { taskId, attempt });
          if (assigned.length > known) expect(open.size).toBeLessThanOrEqual(slots);
          known = assigned.length;
        };
        const end = (status: 'success' | 'failed'): void => {
          const [first] = open;
          if (first === undefined) return;
          open.delete(first[0]);
          peer.say('task_result', { ...first[1], status, result: new Uint8Array([1]), duration: 1 });
        };
        const acts: Record<Move, () => void | Promise<void>> = {
          submit: () => void client.submit('job', null, { watch: false }),
          start: () =>
            [...open.values()].slice(0, 1).forEach((ref) => {
              peer.say('task_started', ref);
            }),
          finish: () => end('success'),
          fail: () => end('failed'),
          reject() {
            const [first] = open;
            if (first === undefined) return;
            open.delete(first[0]);
            peer.say('task_reject', { ...first[1], code: 'NODE_FULL', message: 'no' });
          },
          'ended twice': () => peer.say('task_ended', { taskId: 'nobody', attempt: 1 }),
          lie: () => beat(peer, { tasks: 0, status: 'healthy' }),
          cancel: async () => {
            const [first] = open.values();
            if (first !== undefined) void client.cancel(first.taskId).catch(() => {});
          },
          shrink() {
            slots = slots === 3 ? 2 : 3;
            beat(peer, { tasks: 0, maxTasks: slots });
          },
          wait: async () => {
            await cluster.advance(1_000);
            beat(peer);
          },
        };
        for (const move of moves) {
          await acts[move]();
          await take();
        }
        for (let turn = 0; open.size > 0 && turn < 500; turn += 1) {
          end('success');
          await cluster.advance(200);
          beat(peer);
          await take();
        }
        await cluster.advance(2_000);
        await take();
        const { tasks } = await cluster.until(client.node('node-1'));
        expect(tasks).toBe(open.size);
      }),
      { numRuns: 60 },
    );
  });
});

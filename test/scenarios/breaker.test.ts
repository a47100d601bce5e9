/** Nodes that fault: given a rest, tried again with one attempt; and nodes that have bad tasks, which are left in peace. */
import { describe, expect, it } from 'vitest';
import { PincerError } from '../../src/protocol/failure.ts';
import type { NodeView } from '../../src/protocol/node.ts';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';
import { MemoryPeer } from '../support/memory-peer.ts';
import { Puppets } from '../support/puppets.ts';

const LIMITS = { breakerFaultsMax: 3, breakerRestMs: 5_000 };

/** A node that rejects what it gets, until it is told to behave. Counts what it is given. */
async function refuser(cluster: TestCluster, id: string) {
  const peer = await MemoryPeer.join(cluster, id, { maxTasks: 3 });
  const state = { isWell: false, given: 0, answered: 0 };
  const answer = (): void => {
    const assigned = peer.of('task_assign');
    for (const { taskId, attempt } of assigned.slice(state.answered)) {
      state.given += 1;
      if (state.isWell) peer.say('task_result', { taskId, attempt, status: 'success', duration: 1 });
      else peer.say('task_reject', { taskId, attempt, code: 'NODE_FULL', message: 'no room, whatever you think' });
    }
    state.answered = assigned.length;
  };
  return { peer, state, answer };
}

describe('a node that rejects what it is given', () => {
  it('gets a rest, says so, is tried with one attempt, and is back when that goes well', async () => {
    await using cluster = await createTestCluster({ limits: LIMITS });
    const client = await cluster.client();
    const { state, answer, peer } = await refuser(cluster, 'sick');
    const view = (): Promise<NodeView> => client.node('sick');
    const step = async (): Promise<void> => {
      answer();
      peer.say('ack', { received: 0 });
      await cluster.advance(100);
    };
    const handles = [1, 2, 3].map((count) => client.submit('job', count));
    for (let count = 0; count < 40 && (await cluster.until(view())).breaker === undefined; count += 1) await step();
    expect(await cluster.until(view())).toMatchObject({
      status: 'unhealthy',
      breaker: 'open',
      reason: expect.stringMatching(
        /^breaker open: 3 faults in a row, the last NODE_FULL, .*; tries one attempt in \d+ ms$/,
      ),
    });
    const why = await cluster.until(client.why(handles[0]?.taskId ?? ''));
    expect(why.nodes).toEqual([
      { nodeId: 'sick', fits: false, reason: expect.stringContaining('is unhealthy: breaker open') },
    ]);

    // Nothing while it rests; then one of the three, which fails too; the second rest is twice as long.
    const before = state.given;
    for (let count = 0; count < 40; count += 1) await step();
    expect(state.given).toBe(before);
    for (let count = 0; count < 25; count += 1) await step();
    expect(state.given).toBe(before + 1);
    expect(await cluster.until(view())).toMatchObject({
      reason: expect.stringContaining('the attempt on trial failed too'),
    });

    state.isWell = true;
    for (let count = 0; count < 130 && state.given < before + 4; count += 1) await step();
    for (const handle of handles) expect(await cluster.until(handle.outcome())).toMatchObject({ status: 'completed' });
    const well = await cluster.until(view());
    expect([well.status, 'faults' in well, 'breaker' in well]).toEqual(['online', false, false]);
  });

  it('does not keep its tasks: another node does them', async () => {
    await using cluster = await createTestCluster({ limits: LIMITS });
    const client = await cluster.client();
    const puppets = new Puppets();
    const { answer } = await refuser(cluster, 'a-sick');
    await cluster.node('well', { maxTasks: 1, handlers: [puppets.on('well')] });
    const handles = Array.from({ length: 6 }, (_, count) => client.submit(puppets.task, count));
    for (let count = 0; count < 200 && puppets.runs.length < 6; count += 1) {
      answer();
      for (const run of puppets.running) run.finish();
      await cluster.advance(100);
    }
    for (const run of puppets.running) run.finish();
    for (const handle of handles) expect(await cluster.until(handle.outcome())).toMatchObject({ node: 'well' });
    expect(await cluster.until(client.node('a-sick'))).toMatchObject({ breaker: 'open' });
  });

  it('is taken to be well when an operator says so', async () => {
    await using cluster = await createTestCluster({ limits: { ...LIMITS, breakerFaultsMax: 1 } });
    const client = await cluster.client();
    const { answer } = await refuser(cluster, 'sick');
    client.submit('job');
    await cluster.advance(100);
    answer();
    await cluster.settle();
    expect(await cluster.until(client.node('sick'))).toMatchObject({ status: 'unhealthy', breaker: 'open' });
    expect(await cluster.until(client.order({ what: 'node.resume', nodeId: 'sick' }))).toBe('online');
  });
});

describe('a node whose process dies again and again', () => {
  /** Lives of one process after the other, each of which dies with what it was given. */
  async function lives(cluster: TestCluster, count: number): Promise<void> {
    for (let life = 1; life <= count; life += 1) {
      const peer = await MemoryPeer.join(cluster, 'loop', { incarnation: `life-${life}`, maxTasks: 1 });
      await cluster.advance(200);
      peer.hangUp();
      await cluster.advance(4_000);
    }
  }

  it('gets a rest once it has done so under different tasks', async () => {
    await using cluster = await createTestCluster({ limits: { ...LIMITS, crashesMax: 2 } });
    const client = await cluster.client();
    for (let count = 0; count < 6; count += 1) client.submit('job', count);
    await lives(cluster, 6);
    await MemoryPeer.join(cluster, 'loop', { incarnation: 'life-7' });
    expect(await cluster.until(client.node('loop'))).toMatchObject({
      status: 'unhealthy',
      breaker: 'open',
      reason: expect.stringContaining('NODE_LOST'),
    });
  });

  it('#78 is not marked by the one task that does it, which ends as failed', async () => {
    await using cluster = await createTestCluster({ limits: { ...LIMITS, breakerFaultsMax: 2 } });
    const client = await cluster.client();
    const poison = client.submit('poison');
    await lives(cluster, 6);
    expect(await cluster.until(poison.outcome())).toMatchObject({ status: 'failed', error: { code: 'NODE_LOST' } });
    expect((await cluster.until(client.task(poison.taskId))).task).toMatchObject({ crashes: 5, failures: 0 });
    await MemoryPeer.join(cluster, 'loop', { incarnation: 'life-7' });
    const view = await cluster.until(client.node('loop'));
    expect([view.status, 'breaker' in view]).toEqual(['online', false]);
  });
});

describe('a node that runs poison', () => {
  it('#78 stays online however many attempts fail there, time out there, or say what they like', async () => {
    await using cluster = await createTestCluster({ limits: { ...LIMITS, breakerFaultsMax: 1, retryBaseMs: 10 } });
    const client = await cluster.client();
    const puppets = new Puppets();
    await cluster.node('only', { maxTasks: 2, handlers: [puppets.on('only')] });
    // A handler may throw an error that is called as our own faults are.
    const codes = ['BOOM', 'NODE_FULL', 'UNDELIVERED', 'NODE_LOST'];
    const statuses = new Set<string>();
    for (const code of codes) {
      const handle = client.submit(puppets.task, code, { attempts: 2, timeoutMs: 1_000 });
      for (let attempt = 1; attempt <= 2; attempt += 1) {
        await cluster.until(() => puppets.running.length === 1);
        if (code !== 'BOOM') puppets.only.fail(new PincerError(code, 'no', { retryable: true }));
        else await cluster.advance(1_500);
        await cluster.settle();
        statuses.add((await cluster.until(client.node('only'))).status);
      }
      expect(await cluster.until(handle.outcome())).toMatchObject({ status: 'failed', attempts: 2 });
    }
    expect([...statuses]).toEqual(['online']);
    expect(await cluster.until(client.node('only'))).not.toHaveProperty('faults');
  });
});

describe('a node that does not answer', () => {
  it('gets a rest after assignments that nobody took up, at no cost to their tasks', async () => {
    await using cluster = await createTestCluster({ limits: { ...LIMITS, breakerFaultsMax: 2 } });
    const client = await cluster.client();
    const peer = await MemoryPeer.join(cluster, 'mute', { maxTasks: 1 });
    const handle = client.submit('job');
    for (let count = 0; count < 300; count += 1) {
      peer.say('ack', { received: 0 });
      const [cancelled] = peer.of('task_cancel').slice(-1);
      if (cancelled?.attempt !== undefined)
        peer.say('task_ended', { taskId: handle.taskId, attempt: cancelled.attempt });
      await cluster.advance(200);
      if ((await cluster.until(client.node('mute'))).breaker === 'open') break;
    }
    expect(await cluster.until(client.node('mute'))).toMatchObject({
      breaker: 'open',
      reason: expect.stringContaining('did not answer an assignment within 10000 ms'),
    });
    expect((await cluster.until(client.task(handle.taskId))).task).toMatchObject({ failures: 0, crashes: 0 });
  });
});

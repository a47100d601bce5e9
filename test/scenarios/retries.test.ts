/** How long a task waits between its attempts, and what it survives meanwhile. */
import { describe, expect, it } from 'vitest';
import { PincerError } from '../../src/protocol/failure.ts';
import { createTestCluster } from '../../src/testing/cluster.ts';
import { Puppets } from '../support/puppets.ts';

describe('a task that fails again and again', () => {
  it('#79 waits ever longer up to a cap, spread at random, until its deadline', async () => {
    const spans: number[][] = [];
    for (let seed = 1; seed <= 12; seed += 1) {
      await using cluster = await createTestCluster({
        seed,
        limits: { retryBaseMs: 1_000, retryMaxMs: 4_000, sweepMs: 100 },
      });
      const puppets = new Puppets();
      await cluster.node('only', { handlers: [puppets.on('only')] });
      const client = await cluster.client();
      const handle = client.submit(puppets.task, null, { attempts: 6, deadlineMs: 600_000 });
      const waits: number[] = [];
      for (let attempt = 1; attempt <= 6; attempt += 1) {
        const failedAt = cluster.clock.now();
        await cluster.until(() => puppets.running.length === 1);
        if (attempt > 1) waits.push(cluster.clock.now() - failedAt);
        puppets.only.fail(new Error('again'));
        await cluster.settle();
      }
      expect(await cluster.until(handle.outcome())).toMatchObject({ status: 'failed', attempts: 6 });
      spans.push(waits);
    }
    // Full jitter: anything up to the bound. A turn of the sweep and of the simulation comes on top.
    const slackMs = 250;
    const bounds = [1_000, 2_000, 4_000, 4_000, 4_000];
    const columns = bounds.map((_, column) => spans.map((waits) => waits[column] ?? Number.NaN));
    for (const [column, waits] of columns.entries()) {
      expect(Math.max(...waits)).toBeLessThanOrEqual((bounds[column] ?? 0) + slackMs);
      expect(new Set(waits).size).toBeGreaterThan(4);
    }
    expect(Math.max(...(columns[2] ?? []))).toBeGreaterThan(2_000);
  });

  it('#79 does not wait beyond its deadline', async () => {
    await using cluster = await createTestCluster({ limits: { retryBaseMs: 60_000, retryMaxMs: 60_000 } });
    const puppets = new Puppets();
    await cluster.node('only', { handlers: [puppets.on('only')] });
    const client = await cluster.client();
    const handle = client.submit(puppets.task, null, { deadlineMs: 3_000 });
    await cluster.until(() => puppets.running.length === 1);
    puppets.only.fail(new Error('again'));
    const endAt = cluster.clock.now() + 3_000;
    expect(await cluster.until(handle.outcome())).toMatchObject({ error: { code: 'DEADLINE_PASSED' } });
    // Looked for once a second (sweepMs).
    expect(cluster.clock.now()).toBeLessThanOrEqual(endAt + 1_200);
  });

  it('fails by its deadline, and not by its timeout, when that stops its last attempt', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('only', { maxTasks: 3, handlers: [puppets.on('only')] });
    const client = await cluster.client();
    const codes: unknown[] = [];
    for (const options of [{ deadlineMs: 3_000 }, { timeoutMs: 3_000 }, { timeoutMs: 3_000, deadlineMs: 60_000 }]) {
      const handle = client.submit(puppets.task, null, { attempts: 1, ...options });
      const { error, runMs } = await cluster.until(handle.outcome());
      expect(runMs).toBeLessThan(3_100);
      codes.push(error?.code, (await cluster.until(client.task(handle.taskId))).task.error?.code);
    }
    const timedOut = Array.from({ length: 4 }, () => 'TASK_TIMED_OUT');
    expect(codes).toEqual(['DEADLINE_PASSED', 'DEADLINE_PASSED', ...timedOut]);
  });

  it('#79 keeps its wait and its count when the gateway is killed meanwhile', async () => {
    await using cluster = await createTestCluster({ limits: { retryBaseMs: 60_000, retryMaxMs: 60_000 } });
    const puppets = new Puppets();
    await cluster.node('only', { handlers: [puppets.on('only')] });
    const client = await cluster.client();
    const handle = client.submit(puppets.task, null, { attempts: 2 });
    await cluster.until(() => puppets.running.length === 1);
    const failedAt = cluster.clock.now();
    puppets.only.fail(new Error('once'));
    await cluster.settle();
    const { dueInMs } = (await cluster.store.get(handle.taskId)) ?? {};
    await cluster.restartGateway();
    await cluster.until(() => puppets.running.length === 1);
    expect(cluster.clock.now() - failedAt).toBeGreaterThanOrEqual(dueInMs ?? Number.NaN);
    puppets.only.fail(new Error('twice'));
    expect(await cluster.until(handle.outcome())).toMatchObject({ status: 'failed', attempts: 2 });
  });
});

describe('an attempt that fails with what cannot be sent as it is', () => {
  it.each([
    ['a message too long', new PincerError('RESULT_INVALID', 'x'.repeat(5_000)), 'RESULT_INVALID'],
    ['a code that is none', new PincerError('not a code', 'no'), 'HANDLER_REFUSED'],
  ])('fails all the same, and its node keeps its link: %s', async (_, error, code) => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    const node = await cluster.node('only', { handlers: [puppets.on('only')] });
    const client = await cluster.client();
    const handle = client.submit(puppets.task, null);
    await cluster.until(() => puppets.runs.length === 1);
    puppets.only.fail(error);
    expect((await cluster.until(handle.outcome(), 5_000)).error?.code).toBe(code);
    expect([node.status, puppets.runs.length]).toEqual(['online', 1]);
  });
});

describe('failures, timeouts and crashes', () => {
  it('are counted apart', async () => {
    await using cluster = await createTestCluster({ limits: { retryBaseMs: 10 } });
    const puppets = new Puppets();
    for (const id of ['a', 'b']) await cluster.node(id, { maxTasks: 1, handlers: [puppets.on(id)] });
    const client = await cluster.client();
    const { taskId } = client.submit(puppets.task, null, { attempts: 10, timeoutMs: 5_000 });
    const runs = (count: number): Promise<boolean> =>
      cluster.until(() => puppets.runs.length === count).then(() => true);
    await runs(1);
    puppets.only.fail(new Error('no'));
    await runs(2);
    await cluster.advance(5_500);
    await runs(3);
    await cluster.advance(5_500);
    await runs(4);
    cluster.kill(puppets.runs[3]?.node ?? '');
    await runs(5);
    const { task, timeouts } = await cluster.until(client.task(taskId));
    expect({ failures: task.failures, timeouts, crashes: task.crashes }).toEqual({
      failures: 3,
      timeouts: 2,
      crashes: 1,
    });
  });
});

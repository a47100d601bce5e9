import { describe, expect, it } from 'vitest';
import { Isolations } from '../../../src/actors/node/isolations.ts';
import type { Ended, Run } from '../../../src/actors/node/runner.ts';
import { createSimulatedClock } from '../../../src/actors/world/simulated-clock.ts';
import { silentLog } from '../../../src/actors/world/world.ts';
import { type Call, defineHandler, defineTask } from '../../../src/index.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { createTestCluster } from '../../../src/testing.ts';
import { encodePayload } from '../../../src/transport/payload.ts';

const job = defineTask('job', { retry: { attempts: 1 } });
const ended: Ended = { result: Uint8Array.of(1) };

function aRun(): Run {
  const { signal } = new AbortController();
  const payload = encodePayload(null);
  return {
    taskId: 't',
    attempt: 1,
    payload,
    signal,
    limits: defaultLimits,
    onStarted() {},
    onProgress: async () => {},
    onProgressFailed() {},
  };
}

describe('a node', () => {
  it('opens each kind of isolation once, when it first needs it, and stops what it has opened', async () => {
    const isolations = new Isolations({ clock: createSimulatedClock(), log: silentLog, limits: defaultLimits });
    const seen: string[] = [];
    const isolatedBy = (type: string, key: string) => ({
      definition: defineTask(type),
      isolation: {
        key,
        open: () => {
          seen.push(`open ${key}`);
          const run = async (taskType: string): Promise<Ended> => {
            seen.push(`run ${taskType} in ${key}`);
            return ended;
          };
          return { run, stop: async () => void seen.push(`stop ${key}`) };
        },
      },
    });
    for (const [type, key] of [
      ['a', 'threads'],
      ['b', 'threads'],
      ['c', 'processes'],
    ] as const) {
      expect(await isolations.run(isolatedBy(type, key), aRun())).toBe(ended);
    }
    await isolations.run(
      defineHandler(job, () => 1),
      aRun(),
    );
    await isolations.stop();
    expect(seen).toEqual([
      'open threads',
      'run a in threads',
      'run b in threads',
      'open processes',
      'run c in processes',
      'stop threads',
      'stop processes',
    ]);
  });

  it('shows an inline handler that ignores its signal as overdue, and keeps its slot until it ends (#63)', async () => {
    await using cluster = await createTestCluster();
    let finish = (): void => {};
    const deaf = defineHandler(job, () => new Promise<void>((resolve) => (finish = resolve)));
    const node = await cluster.node('n1', { handlers: [deaf], maxTasks: 1 });
    const client = await cluster.client();
    const task = client.submit(job, null, { timeoutMs: 1_000 });
    expect(await cluster.until(task.outcome())).toMatchObject({ status: 'failed', error: { code: 'TASK_TIMED_OUT' } });
    const overdue = [{ taskId: task.taskId, attempt: 1 }];
    expect(await cluster.until(client.node('n1'))).toMatchObject({ status: 'busy', tasks: 1, overdue });
    await cluster.advance(60_000);
    expect(await cluster.until(client.node('n1'))).toMatchObject({ status: 'busy', tasks: 1, overdue });
    expect(node.running).toBe(1);
    finish();
    await cluster.settle();
    await cluster.advance(100);
    expect(await cluster.until(client.node('n1'))).toMatchObject({ status: 'online', tasks: 0, overdue: [] });
  });

  it('fails the attempt of an inline handler that throws what cannot even be read', async () => {
    await using cluster = await createTestCluster();
    const unreadable = (_: Call): never => {
      throw Object.create(null);
    };
    await cluster.node('n1', { handlers: [defineHandler(job, unreadable)] });
    const client = await cluster.client();
    const outcome = await cluster.until(client.submit(job, null).outcome());
    expect(outcome).toMatchObject({
      status: 'failed',
      error: { code: 'HANDLER_FAILED', message: expect.stringContaining('cannot be read') },
    });
  });
});

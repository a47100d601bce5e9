/** A client and a gateway of different versions. */
import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/actors/client/client.ts';
import { defineHandler } from '../../src/actors/node/runner.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';
import { decodeFrame, encodeFrame } from '../../src/transport/codec.ts';
import type { Dial } from '../../src/transport/link.ts';

/** A gateway of a later version: each answer, and each map in it, has a field that this version does not know. */
function laterVersion(cluster: TestCluster): Dial {
  const dial = cluster.network.dial('gateway', { name: 'older' });
  return async (signal) => {
    const link = await dial(signal);
    const attach = link.attach.bind(link);
    link.attach = (events) =>
      attach({
        ...events,
        onFrame: (frame) => {
          const messages = decodeFrame(new Uint8Array(frame), defaultLimits) as { type: string; payload: unknown }[];
          const later = messages.map((message) =>
            message.type === 'answer' ? { ...message, payload: extended(message.payload) } : message,
          );
          events.onFrame(new Uint8Array(encodeFrame(later)));
        },
      });
    return link;
  };
}

/** Maps whose keys are names of somebody’s, and so no fields. */
const OPEN = ['tasks', 'nodes', 'counters', 'starved', 'labels', 'resources', 'taken'];

function extended(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(extended);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const fields = Object.entries(value).map(([key, item]) => [key, OPEN.includes(key) ? item : extended(item)]);
  return { ...Object.fromEntries(fields), ofALaterVersion: { n: 1 } };
}

describe('a client of an older version', () => {
  it('understands every answer of a gateway that says more', async () => {
    await using cluster = await createTestCluster();
    await cluster.node('node-1', { handlers: [defineHandler({ type: 'echo' }, ({ input }) => input)] });
    const { clock, random } = cluster;
    let ids = 0;
    const client = createClient({
      clock,
      random,
      ids: () => `older-${++ids}`,
      id: 'older',
      url: laterVersion(cluster),
    });
    const newest = await cluster.client('newest');
    const ask = async (from: typeof client): Promise<unknown[]> =>
      cluster.until(Promise.all([from.tasks(), from.task(taskId), from.why(taskId), from.schedules()]));
    const handle = client.submit('echo', 7);
    const { taskId } = handle;
    expect(await cluster.until(handle.result())).toBe(7);
    expect(JSON.stringify(await ask(client))).not.toContain('ofALaterVersion');
    expect(await ask(client)).toEqual(await ask(newest));
    expect(await cluster.until(client.node('node-1'))).not.toHaveProperty('ofALaterVersion');
    expect((await cluster.until(client.stats())).tasks['completed']).toBe(1);
    expect(await cluster.until(client.order({ what: 'type.pause', type: 'echo' }))).toEqual(
      await cluster.until(newest.order({ what: 'type.pause', type: 'echo' })),
    );
    await cluster.until(client.stop());
  });
});

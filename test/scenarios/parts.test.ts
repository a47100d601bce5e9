/** Tasks that have others do their parts: what becomes of the parts when the whole is cancelled, or run again. */
import { expect, it } from 'vitest';
import type { Node } from '../../src/actors/node/node-options.ts';
import { defineTask } from '../../src/actors/task-definition.ts';
import { createTestCluster } from '../../src/testing/cluster.ts';
import { Puppets } from '../support/puppets.ts';

const whole = defineTask('whole', { timeoutMs: 60_000, retry: { attempts: 2 } });

/** A task whose one part is a puppet. `isNamed`: its id is made of that of the whole. */
async function partly({ isNamed = true } = {}) {
  const cluster = await createTestCluster();
  const parts = new Puppets('part');
  const ends: unknown[] = [];
  await cluster.node('worker', { handlers: [parts.on('worker')] });
  const planner = async (id: string): Promise<Node> => {
    const node = await cluster.node(id);
    node.handle(whole, async ({ taskId, signal }) => {
      const id = isNamed ? { taskId: `${taskId}.part` } : {};
      try {
        return await node.gateway.submit(parts.task, null, { ...id, signal });
      } catch (error) {
        ends.push((error as { code: string }).code);
        throw error;
      }
    });
    return node;
  };
  await planner('planner');
  const client = await cluster.client();
  const handle = client.submit(whole, null);
  await cluster.until(() => parts.runs.length === 1);
  return { cluster, client, parts, handle, planner, ends };
}

it('a part that is found again goes on when the time of its whole is up, and the next attempt waits for it', async () => {
  const { cluster, parts, handle, ends } = await partly();
  await using _ = cluster;
  await cluster.advance(70_000);
  expect(ends).toEqual(['TASK_TIMED_OUT']);
  parts.only.finish('done once');
  expect(await cluster.until(handle.outcome())).toMatchObject({ result: 'done once', attempts: 2 });
  expect(parts.runs).toHaveLength(1);
});

it('a part goes on when the node of its whole is lost, and is not cancelled by what that node was told to drop', async () => {
  const { cluster, parts, handle, planner, ends } = await partly();
  await using _ = cluster;
  await planner('planner-2');
  cluster.network.partition('planner');
  await cluster.advance(40_000);
  cluster.network.heal();
  await cluster.until(() => ends.length === 1, 30_000);
  expect(ends).toEqual(['NODE_LOST']);
  await cluster.advance(1_000);
  parts.only.finish('done once');
  expect(await cluster.until(handle.outcome())).toMatchObject({ result: 'done once', node: 'planner-2' });
});

it('a part that was submitted by a client of its own goes on when the node of its whole stops', async () => {
  await using cluster = await createTestCluster();
  const parts = new Puppets('part');
  await cluster.node('worker', { handlers: [parts.on('worker')] });
  const client = await cluster.client();
  const planner = async (id: string): Promise<Node> => {
    const node = await cluster.node(id, { limits: { drainMs: 1_000 } });
    node.handle(whole, ({ taskId, signal }) =>
      client.submit(parts.task, null, { taskId: `${taskId}.part`, signal }).result(),
    );
    return node;
  };
  const first = await planner('planner');
  const handle = client.submit(whole, null);
  await cluster.until(() => parts.runs.length === 1);
  await cluster.until(first.stop());
  await planner('planner-2');
  await cluster.advance(5_000);
  parts.only.finish('done once');
  expect(await cluster.until(handle.outcome())).toMatchObject({ result: 'done once', node: 'planner-2' });
});

it('a part is cancelled with its whole', async () => {
  const { cluster, parts, handle } = await partly();
  await using _ = cluster;
  await cluster.until(handle.cancel());
  expect((await cluster.until(handle.outcome())).status).toBe('cancelled');
  await cluster.until(() => parts.running.length === 0);
});

it('a part that no other attempt could find is cancelled when the time of its whole is up', async () => {
  const { cluster, parts } = await partly({ isNamed: false });
  await using _ = cluster;
  const [first] = parts.runs;
  await cluster.until(() => parts.runs.length === 2);
  expect(first?.signal.reason).toMatchObject({ code: 'TASK_CANCELLED' });
});

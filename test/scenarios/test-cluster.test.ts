/** What a test may count on that breaks things on purpose: who is killed stays away, and ids name who has them now. */
import { expect, it } from 'vitest';
import { createTestCluster } from '../../src/testing/cluster.ts';

it.each(['stopped', 'killed'])('parts a node that has the id of one that was %s', async (how) => {
  await using cluster = await createTestCluster();
  const first = await cluster.node('node-1');
  if (how === 'killed') cluster.kill('node-1');
  else await cluster.until(first.stop());
  await cluster.node('node-1');
  const client = await cluster.client();
  cluster.network.partition('node-1');
  await cluster.advance(30_000);
  const [node] = await cluster.until(client.nodes());
  expect(node?.status).not.toBe('online');
});

it('lets nobody through who was killed while it dialled', async () => {
  await using cluster = await createTestCluster({ faults: { delay: { minMs: 400, maxMs: 400 } } });
  const starting = cluster.node('node-1', {});
  const refused = expect(starting).rejects.toMatchObject({ code: 'TIMED_OUT' });
  await cluster.advance(200);
  cluster.kill('node-1');
  const client = await cluster.client();
  await cluster.advance(5_000);
  expect(await cluster.until(client.nodes())).toEqual([]);
  await refused;
});

/** What a test may count on that breaks things on purpose: who is killed stays away, and ids name who has them now. */
import { expect, it } from 'vitest';
import { createTestCluster } from '../../src/testing/cluster.ts';
import { tampered } from '../support/gateways.ts';

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

it('has nothing of a killed gateway reach the store or anybody, and another in its place goes on', async () => {
  await using cluster = await createTestCluster({ gateways: 2 });
  const asked: string[] = [];
  const verbs = ['renew', 'claim', 'stats', 'gateways', 'sweep', 'publish', 'putNodes', 'owned', 'orders'] as const;
  for (const verb of verbs) {
    const told = cluster.store[verb] as (...given: unknown[]) => unknown;
    const noted = (...given: unknown[]): unknown => {
      asked.push(verb);
      return Reflect.apply(told, cluster.store, given);
    };
    tampered(cluster, { [verb]: noted });
  }
  const [first, second] = [cluster.gatewayAt(1).id, cluster.gatewayAt(2).id];
  const client = await cluster.client('client-1', { via: [1] });
  await cluster.advance(60_000);
  cluster.killGateway(1);
  cluster.killGateway(2);
  await cluster.settle();
  expect([client.isConnected, new Set(asked).size > 3]).toEqual([false, true]);
  asked.length = 0;
  await cluster.advance(60_000);
  expect(asked).toEqual([]);
  expect(() => cluster.gateway).toThrow('gateway 1 does not run');
  const third = await cluster.restartGateway(1);
  expect(new Set([first, second, third.id]).size).toBe(3);
  expect(cluster.gateway).toBe(third);
  await cluster.until(() => client.isConnected);
});

it('names who is not in it', async () => {
  await using cluster = await createTestCluster();
  expect(() => cluster.kill('nobody')).toThrow("there is no 'nobody' in this cluster");
  expect(() => cluster.gatewayAt(2)).toThrow('there is no gateway 2 in this cluster');
});

it('lets no more time pass than a condition is given, and says then which seed it was', async () => {
  await using cluster = await createTestCluster({ seed: 7 });
  const begin = cluster.clock.now();
  await expect(cluster.until(() => false, 100)).rejects.toThrow('not within 100 ms of simulated time (seed 7)');
  expect(cluster.clock.now() - begin).toBeGreaterThanOrEqual(100);
  expect(cluster.clock.now() - begin).toBeLessThan(150);
  await cluster.until(() => true, 0);
  expect(await cluster.until(Promise.resolve('done'), 0)).toBe('done');
});

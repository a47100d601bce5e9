/** Gateways of one store that a test has run a task, watches, and gets between. */
import type { Store } from '../../src/actors/store/store.ts';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';
import { Puppets } from './puppets.ts';

/** One of a gateway’s counters. */
export async function counter(cluster: TestCluster, gateway: number, name: string): Promise<number> {
  return (await cluster.until(cluster.gatewayAt(gateway).stats())).counters[name] ?? 0;
}

/** A store that a test can get between: `around` may replace any verb. */
export function tampered(cluster: { store: Store }, around: Partial<Store>): () => void {
  const before = Object.fromEntries(Object.keys(around).map((verb) => [verb, Reflect.get(cluster.store, verb)]));
  Object.assign(cluster.store, around);
  return () => Object.assign(cluster.store, before);
}

/** Two gateways, a node that knows both, and a task that runs on it. */
export async function running(options: { limits?: object; crashes?: number } = {}) {
  const cluster = await createTestCluster({ gateways: 2, limits: options.limits ?? {} });
  const puppets = new Puppets();
  // Whichever it dials first, in the end it is at the first gateway.
  const node = await cluster.node('node-1', { via: [1, 2], maxTasks: 1, handlers: [puppets.on('node-1')] });
  const client = await cluster.client('client-1');
  const handle = client.submit(puppets.task, 'input');
  await cluster.until(() => puppets.runs.length === 1, 5_000);
  const home = (await counter(cluster, 1, 'liveTasks')) === 1 ? 1 : 2;
  return { cluster, puppets, node, client, handle, run: puppets.only, home, other: 3 - home };
}

/** A gateway that drains, with a task that runs on its node, and no other left: the client knows of a second place. */
export async function drainingAlone({ via }: { via: readonly number[] }) {
  const cluster = await createTestCluster({ gateways: 2, limits: { drainMs: 120_000 } });
  const puppets = new Puppets();
  await cluster.node('node-1', { via, handlers: [puppets.on('node-1')] });
  const client = await cluster.client('client-1', { via: [1, 2] });
  const first = client.submit(puppets.task, null);
  await cluster.until(() => puppets.runs.length === 1);
  cluster.killGateway(2);
  await cluster.advance(20_000);
  const drained = cluster.gateway.drain();
  await cluster.settle();
  return { cluster, puppets, client, first, drained, late: client.submit(puppets.task, 'late') };
}

/** Three gateways, a node and a client that know all of them, and a task that runs. */
export async function runningAmongThree(seed: number) {
  const cluster = await createTestCluster({ gateways: 3, seed });
  const puppets = new Puppets();
  await cluster.node('node-1', { via: [1, 2, 3], maxTasks: 1, handlers: [puppets.on('node-1')] });
  const client = await cluster.client('client-1', { via: [1, 2, 3] });
  const handle = client.submit(puppets.task, 'input');
  await cluster.until(() => puppets.runs.length === 1, 5_000);
  const live = await Promise.all([1, 2, 3].map((number) => counter(cluster, number, 'liveTasks')));
  return { cluster, puppets, client, handle, home: live.indexOf(1) + 1 };
}

/** Tasks that would rather run somewhere: with a node they prefer, near others of their key, away from where they failed. */
import { describe, expect, it } from 'vitest';
import { createTestCluster } from '../../src/testing/cluster.ts';
import { Puppets } from '../support/puppets.ts';

describe('a task that prefers a node', () => {
  it('goes there while it has room, and elsewhere at once when it has none', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    for (const id of ['a', 'b']) await cluster.node(id, { maxTasks: 2, handlers: [puppets.on(id)] });
    const client = await cluster.client();
    for (let count = 0; count < 3; count += 1) client.submit(puppets.task, count, { prefer: 'b' });
    await cluster.until(() => puppets.running.length === 3);
    expect(puppets.running.map((run) => run.node).sort()).toEqual(['a', 'b', 'b']);
  });

  it('gets it before a task that does not care, when both come together', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    for (const id of ['a', 'b']) await cluster.node(id, { maxTasks: 1, handlers: [puppets.on(id)] });
    const client = await cluster.client();
    // Paused until both wait, so that one claim takes them.
    await cluster.until(client.order({ what: 'type.pause', type: puppets.task.type }));
    client.submit(puppets.task, 'careless');
    await cluster.until(client.submit(puppets.task, 'choosy', { prefer: 'a' }).accepted());
    await cluster.until(client.order({ what: 'type.resume', type: puppets.task.type }));
    await cluster.until(() => puppets.running.length === 2);
    expect(Object.fromEntries(puppets.running.map((run) => [run.input, run.node]))).toEqual({
      choosy: 'a',
      careless: 'b',
    });
  });

  it('runs where it can when the node is not there', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('a', { handlers: [puppets.on('a')] });
    const client = await cluster.client();
    client.submit(puppets.task, null, { prefer: 'nobody' });
    await cluster.until(() => puppets.running.length === 1);
  });

  it('tries another one after it has failed there', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    for (const id of ['a', 'b']) await cluster.node(id, { handlers: [puppets.on(id)] });
    const client = await cluster.client();
    client.submit(puppets.task, null, { prefer: 'b' });
    await cluster.until(() => puppets.running.length === 1);
    puppets.only.fail(new Error('not here'));
    await cluster.until(() => puppets.running.length === 1);
    expect(puppets.runs.map((run) => run.node)).toEqual(['b', 'a']);
  });
});

describe('tasks of one affinity key', () => {
  async function homesOf(keys: (count: number) => { affinityKey?: string }): Promise<Map<string, Set<string>>> {
    await using cluster = await createTestCluster({ gateway: { strategy: 'consistent-hash' } });
    const puppets = new Puppets();
    for (const id of ['a', 'b', 'c']) await cluster.node(id, { maxTasks: 100, handlers: [puppets.on(id)] });
    const client = await cluster.client();
    const homes = new Map<string, Set<string>>();
    for (let count = 0; count < 60; count += 1) {
      const options = keys(count);
      client.submit(puppets.task, options.affinityKey ?? 'none', options);
      await cluster.until(() => puppets.running.length === 1);
      const { input, node } = puppets.only;
      homes.set(String(input), (homes.get(String(input)) ?? new Set()).add(node));
      puppets.only.finish();
      await cluster.settle();
    }
    return homes;
  }

  it('stay on one node with consistent-hash, and the keys spread over all', async () => {
    const homes = await homesOf((count) => ({ affinityKey: `user-${count % 12}` }));
    expect([...homes.values()].map((nodes) => nodes.size)).toEqual(Array(12).fill(1));
    expect(new Set([...homes.values()].flatMap((nodes) => [...nodes])).size).toBe(3);
  });

  it('are not needed: without a key the tasks spread', async () => {
    const homes = await homesOf(() => ({}));
    expect(homes.get('none')?.size).toBe(3);
  });
});

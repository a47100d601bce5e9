/** Rows of the memory store: plain tasks, which are kept small until something happens to them, and those that have more to them. */
import { describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../../src/actors/store/memory/memory-store.ts';
import type { OpenStore } from '../../conformance/store.ts';
import { aTask, bytesOf, fixtureOf, idsOf, QUEUE, textOf } from '../../conformance/store-fixture.ts';

const open: OpenStore = async (clock, limits = {}) => {
  let ids = 0;
  const store = createMemoryStore({ clock, ids: () => `${++ids}`, limits });
  await store.open();
  return store;
};

describe('a plain task', () => {
  it('is claimed in its turn, with the payload and the history that it had', async () => {
    const { store, claim, clock, events } = await fixtureOf(open);
    for (const [index, priority] of [5, 5, 5, 1, 9, 5].entries()) {
      await store.submit([aTask({ taskId: `t${index}`, priority, payload: bytesOf(`payload ${index}`) })]);
      await clock.advance(1);
    }
    const claimed = await claim(6);
    expect(idsOf(claimed)).toEqual(['t3', 't0', 't1', 't2', 't5', 't4']);
    expect(claimed.map(({ payload }) => textOf(payload))).toEqual(
      [3, 0, 1, 2, 5, 4].map((index) => `payload ${index}`),
    );
    expect(claimed.map(({ record }) => record.queuedMs)).toEqual([3, 6, 5, 4, 1, 2]);
    expect(await events('t5')).toEqual(['task.submitted', 'task.claimed']);
  });

  it('keeps its place when somebody asks for it, and is cancelled out of its line', async () => {
    const { store, claim, record } = await fixtureOf(open);
    await store.submit([1, 2, 3, 4].map((n) => aTask({ taskId: `t${n}` })));
    expect((await record('t2')).status).toBe('pending');
    expect([await store.ahead('t3'), await store.ahead('t4')]).toEqual([2, 3]);
    expect(await store.cancel(['t3'])).toEqual(['cancelled']);
    expect((await store.stats()).ready.get(QUEUE)).toBe(3);
    expect(idsOf(await claim(9))).toEqual(['t1', 't2', 't4']);
  });

  it('is listed by status, type and node', async () => {
    const { store } = await fixtureOf(open);
    await store.submit([1, 2, 3].map((n) => aTask({ taskId: `t${n}` })));
    const { items, total } = await store.list({ status: ['pending'], type: 'echo', limit: 2 });
    expect([items.map(({ taskId }) => taskId), total]).toEqual([['t3', 't2'], 3]);
    expect(await store.list({ node: 'node-1', limit: 2 })).toMatchObject({ items: [], total: 0 });
  });

  it('is not one that has more to it: a key, a time to live, a limit, a wish', async () => {
    const { store, claim } = await fixtureOf(open);
    const special = [
      { key: 'k' },
      { ttlMs: 5_000 },
      { deadlineMs: 5_000 },
      { fairKey: 'f' },
      { prefer: 'node-1' },
      { affinityKey: 'a' },
      { limit: { key: 'l', concurrency: 1 } },
    ];
    await store.submit(special.map((more, index) => aTask({ taskId: `t${index}`, ...more })));
    const records = (await claim(9)).map(({ record }) => record);
    expect(records).toHaveLength(special.length);
    expect(
      new Set(
        records.flatMap(({ key, prefer, affinityKey, fairKey, limitKey }) => [
          key,
          prefer,
          affinityKey,
          fairKey,
          limitKey,
        ]),
      ),
    ).toEqual(new Set([null, 'k', 'node-1', 'a', 'f', 'l']));
  });

  it('has bytes of its own, however large', async () => {
    const { store, claim } = await fixtureOf(open);
    const sizes = [0, 1, 2_048, 2_049, 8_191, 8_192, 100_000, 7, 2_000, 2_000, 2_000, 2_000, 2_000];
    const frame = new Uint8Array(100_000);
    for (const [index, size] of sizes.entries()) {
      await store.submit([aTask({ taskId: `t${index}`, payload: frame.fill(index + 1).subarray(0, size) })]);
    }
    frame.fill(255);
    const payloads = (await claim(99)).map(({ payload }) => [payload.byteLength, new Set(payload)]);
    expect(payloads).toEqual(sizes.map((size, index) => [size, new Set(size === 0 ? [] : [index + 1])]));
  });
});

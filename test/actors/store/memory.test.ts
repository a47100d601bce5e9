import { queryObjects } from 'node:v8';
import TinyQueue from 'tinyqueue';
import { describe, expect, it, vi } from 'vitest';
import { MemoryRow } from '../../../src/actors/store/memory/memory-row.ts';
import { createMemoryStore } from '../../../src/actors/store/memory/memory-store.ts';
import { differential, type OpenStore, storeConformance } from '../../conformance/store.ts';
import { aTask, bytesOf, fixtureOf, idsOf, QUEUE } from '../../conformance/store-fixture.ts';

const openMemory: OpenStore = async (clock, limits = {}) => {
  let ids = 0;
  const store = createMemoryStore({ clock, ids: () => `${++ids}`, limits });
  await store.open();
  return store;
};

/** Its streams run in lmdb.test.ts, beside those of the store on disk. */
storeConformance('the memory store', openMemory);

describe('the memory store', () => {
  it('answers as another memory store does', async () => {
    for (let seed = 1; seed <= 5; seed += 1) await differential(openMemory, openMemory, seed);
  });

  it('is told from a store that answers otherwise', async () => {
    const forgetful: OpenStore = async (clock, limits) => {
      const store = await openMemory(clock, limits);
      const history = store.history.bind(store);
      store.history = async (taskId) => (await history(taskId)).map(({ node: _, ...entry }) => entry);
      return store;
    };
    await expect(differential(openMemory, forgetful, 1)).rejects.toThrow('seed 1');
  });

  it('tells of what has become claimable before the turn of the event loop ends', async () => {
    const { store } = await fixtureOf(openMemory);
    const told: string[] = [];
    store.onReady((queues) => told.push(...queues));
    const turnEnd = new Promise((resolve) => setImmediate(() => resolve([...told])));
    void store.submit([aTask({ taskId: 't' })]);
    expect(told).toEqual([]);
    expect(await turnEnd).toEqual([QUEUE]);
  });

  it('holds little more than what can be asked for: what is forgotten is let go of', async () => {
    const countOf = (): number => queryObjects(MemoryRow, { format: 'count' });
    // Other files of this process have stores as well.
    const before = countOf();
    const { store, claim } = await fixtureOf(openMemory, { settledTasksMax: 1_000 });
    for (let from = 0; from < 10_000; from += 100) {
      await store.submit(Array.from({ length: 100 }, (_, index) => aTask({ taskId: `t${from + index}` })));
      const claimed = await claim(100);
      const done = { status: 'completed', runMs: 1 } as const;
      await store.complete(claimed.map(({ record: { taskId, attempt } }) => ({ ...done, taskId, attempt })));
    }
    expect((await store.list({ limit: 1 })).total).toBe(1_000);
    expect(countOf() - before).toBeLessThan(1_200);
  });

  it('does the same work for a claim, however many tasks of other classes wait (defect 38)', async () => {
    const heapOperations = async (backlog: number): Promise<number> => {
      const { store, claim } = await fixtureOf(openMemory);
      const waiting = Array.from({ length: backlog }, (_, index) => aTask({ taskId: `w${index}`, queue: 'unwanted ' }));
      await store.submit(waiting);
      await store.submit(Array.from({ length: 100 }, (_, index) => aTask({ taskId: `t${index}` })));
      const spies = (['push', 'pop', 'peek'] as const).map((name) => vi.spyOn(TinyQueue.prototype, name));
      try {
        expect(await claim(100)).toHaveLength(100);
        return spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
      } finally {
        for (const spy of spies) spy.mockRestore();
      }
    };
    const alone = await heapOperations(0);
    expect(alone).toBeGreaterThan(100);
    expect(await heapOperations(100_000)).toBe(alone);
  });

  it('does the same work for a claim, however many tasks wait behind a closed limit', async () => {
    const heapOperations = async (backlog: number): Promise<number> => {
      const { store, gateway } = await fixtureOf(openMemory);
      const limit = { key: 'openai', concurrency: 1 };
      const tasks = Array.from({ length: backlog + 1 }, (_, n) => aTask({ taskId: `l${n}`, queue: 'limited ', limit }));
      await store.submit([...tasks, ...Array.from({ length: 50 }, (_, n) => aTask({ taskId: `t${n}` }))]);
      const wants = ['limited ', QUEUE].map((queue) => ({ queue, limit: 100 }));
      await store.claim(gateway, wants, 1);
      const spies = (['push', 'pop', 'peek'] as const).map((name) => vi.spyOn(TinyQueue.prototype, name));
      try {
        expect(await store.claim(gateway, wants, 50)).toHaveLength(50);
        return spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
      } finally {
        for (const spy of spies) spy.mockRestore();
      }
    };
    expect(await heapOperations(50_000)).toBe(await heapOperations(1));
  });

  it('bounds the payloads of failed tasks with the results, and not those that are redriven', async () => {
    const { store, claim } = await fixtureOf(openMemory, { settledBytesMax: 9 });
    await store.submit(['t1', 't2', 't3'].map((taskId) => aTask({ taskId, payload: new Uint8Array(4) })));
    await store.cancel(['t1', 't2']);
    await store.redrive(['t1']);
    await store.cancel(['t3']);
    expect((await store.get('t2'))?.status).toBe('cancelled');
    await store.cancel(['t1']);
    expect([await store.get('t2'), (await store.get('t3'))?.status]).toEqual([null, 'cancelled']);
    expect(await claim()).toEqual([]);
  });

  it('bounds the bytes that wait, and lets them go with the task', async () => {
    const { store, claim } = await fixtureOf(openMemory, { waitingBytesMax: 10 });
    const task = (taskId: string, bytes: number) => aTask({ taskId, payload: new Uint8Array(bytes) });
    const [, refused, , small] = await store.submit([task('a', 6), task('b', 5), task('a', 6), task('c', 4)]);
    expect(refused).toMatchObject({ refused: 'QUEUE_FULL', message: expect.stringContaining('waitingBytesMax is 10') });
    expect(small).toMatchObject({ created: true });
    await claim();
    await store.cancel(['c']);
    expect(await store.submit([task('d', 10)])).toMatchObject([{ created: true }]);
  });

  it('bounds the bytes of results, and keeps the newest however large it is', async () => {
    const { store, claimNew } = await fixtureOf(openMemory, { settledBytesMax: 5 });
    for (const taskId of ['t1', 't2', 't3']) {
      const ref = await claimNew({ taskId });
      const result = bytesOf(taskId === 't3' ? 'far too long' : 'ok');
      await store.complete([{ ...ref, status: 'completed', result, runMs: 1 }]);
    }
    expect([await store.get('t1'), await store.get('t2'), (await store.get('t3'))?.status]).toEqual([
      ...[null, null, 'completed'],
    ]);
  });

  it('keeps its tasks when it is closed and opened again', async () => {
    const { store, claim } = await fixtureOf(openMemory);
    await store.submit([aTask()]);
    await store.close();
    store.publish('news', bytesOf('nobody hears this'));
    await store.open();
    expect(idsOf(await claim(1, QUEUE))).toEqual(['t1']);
  });
});

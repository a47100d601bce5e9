/** The store on disk keeps the contract, and answers every call as the one in memory does. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { lmdbStore } from '../../../src/actors/store/lmdb/lmdb-store.ts';
import { createMemoryStore } from '../../../src/actors/store/memory/memory-store.ts';
import { differential, type OpenStore, storeConformance } from '../../conformance/store.ts';

const root = mkdtempSync(join(tmpdir(), 'pincer-lmdb-'));
let stores = 0;
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Without fsync: what the disk does is proven elsewhere, and here ten thousand commits are made. */
const openLmdb: OpenStore = async (clock, limits = {}) => {
  let ids = 0;
  stores += 1;
  const store = lmdbStore(join(root, `${stores}`), { clock, ids: () => `${++ids}`, limits, noSync: true });
  await store.open();
  return store;
};

const openMemory: OpenStore = async (clock, limits = {}) => {
  let ids = 0;
  const store = createMemoryStore({ clock, ids: () => `${++ids}`, limits });
  await store.open();
  return store;
};

storeConformance('the LMDB store', openLmdb);

describe('the LMDB store beside the memory store', () => {
  for (let group = 0; group < 20; group += 1) {
    const first = 1 + group * 10;
    it(`answers every call alike, seeds ${first}–${first + 9}`, async () => {
      for (let seed = first; seed < first + 10; seed += 1) await differential(openMemory, openLmdb, seed);
    });
  }

  it('is told from one that accepts a result without asking for the attempt', async () => {
    const trusting: OpenStore = async (clock, limits) => {
      const store = await openLmdb(clock, limits);
      const complete = store.complete.bind(store);
      store.complete = async (completions) => {
        const present = await Promise.all(completions.map(({ taskId }) => store.get(taskId)));
        return complete(completions.map((each, at) => ({ ...each, attempt: present[at]?.attempt ?? each.attempt })));
      };
      return store;
    };
    await expect(differential(openMemory, trusting, 1)).rejects.toThrow('seed 1');
  });
});

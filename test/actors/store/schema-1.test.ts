/**
 * A store that the version before wrote: test/fixtures/store/schema-1.mdb.gz is its file, schema-1.json.gz what it answered.
 * Neither can be made again with this version.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { checkStore } from '../../../src/actors/store/lmdb/check.ts';
import { FILE_NAME, openDatabases } from '../../../src/actors/store/lmdb/databases.ts';
import { lmdbStore } from '../../../src/actors/store/lmdb/lmdb-store.ts';
import { type ExportedTask, exportStore } from '../../../src/actors/store/lmdb/maintenance.ts';
import type { Store } from '../../../src/actors/store/store.ts';
import { createSimulatedClock } from '../../../src/actors/world/simulated-clock.ts';
import { aTask, bytesOf, QUEUE } from '../../conformance/store-fixture.ts';

const root = mkdtempSync(join(tmpdir(), 'pincer-schema-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let dirs = 0;

interface Answers {
  readonly stats: { readonly byStatus: object; readonly ready: readonly [string, number][] };
  readonly tasks: readonly ExportedTask[];
  readonly gateways: readonly { readonly gateway: string; readonly owned: number }[];
  readonly limit: object;
  readonly schedules: readonly string[];
}

const fixture = (name: string): Buffer => readFileSync(new URL(`../../fixtures/store/${name}`, import.meta.url));
const before = JSON.parse(gunzipSync(fixture('schema-1.json.gz')).toString()) as Answers;

/** A directory with the old file. */
function aDir(): string {
  dirs += 1;
  const dir = join(root, `${dirs}`);
  mkdirSync(dir);
  writeFileSync(join(dir, FILE_NAME), gunzipSync(fixture('schema-1.mdb.gz')));
  return dir;
}

async function open(dir: string): Promise<Store> {
  const store = lmdbStore(dir, { clock: createSimulatedClock(), noSync: true });
  await store.open();
  return store;
}

describe('a store that the version before wrote', () => {
  it('is brought into the present layout when a gateway opens it, with all that it had', async () => {
    const dir = aDir();
    await (await open(dir)).close();
    expect(await checkStore(dir)).toMatchObject({ tasks: before.tasks.length, faults: [] });
    const tasks: ExportedTask[] = [];
    for await (const task of exportStore(dir)) tasks.push(task);
    // What an attempt has waited and run goes on until it is over; it was not told of before.
    const expected = before.tasks.map(({ record: { queuedMs, runMs, ...record }, ...rest }) => {
      return { ...rest, record: record.owner === null ? { queuedMs, runMs, ...record } : record };
    });
    expect(JSON.parse(JSON.stringify(tasks))).toMatchObject(expected);
  });

  it('answers as it did then', async () => {
    const store = await open(aDir());
    const { byStatus, ready } = await store.stats();
    expect([byStatus, [...ready]]).toEqual([before.stats.byStatus, before.stats.ready]);
    expect(await store.gateways()).toMatchObject(before.gateways.map(({ gateway, owned }) => ({ gateway, owned })));
    expect(await store.limit('model')).toMatchObject(before.limit);
    expect((await store.schedules()).map(({ id }) => id)).toEqual(before.schedules);
    for (const status of Object.keys(byStatus)) {
      const { items, total } = await store.list({ status: [status as never], limit: 50 });
      const expected = before.tasks.filter(({ record }) => record.status === status);
      expect([total, items.map(({ taskId }) => taskId).sort()]).toEqual([
        expected.length,
        expected.map(({ record }) => record.taskId).sort(),
      ]);
    }
    await store.close();
  });

  it('goes on with its tasks: attempts end, the oldest are forgotten, waiting ones have their turn', async () => {
    const dir = aDir();
    const store = await open(dir);
    const held = before.tasks.filter(({ record }) => record.owner !== null).map(({ record }) => record);
    const ends = held.map(({ taskId, attempt }) => ({ taskId, attempt, status: 'completed' as const, runMs: 1 }));
    expect(await store.complete(ends)).toEqual(ends.map(() => expect.any(Number)));
    const gateway = await store.join('new', 10_000);
    const pending = before.tasks.filter(({ record: { status, queue } }) => status === 'pending' && queue === QUEUE);
    expect(await store.claim(gateway, [{ queue: QUEUE, limit: 99 }], 99)).toHaveLength(pending.length);
    const settled = before.tasks.filter(({ record }) => record.finishedAt !== null);
    expect(await store.purge(-1, 99)).toBe(settled.length + held.length);
    await store.submit([aTask({ taskId: 'new', payload: bytesOf('new') })]);
    await store.close();
    expect((await checkStore(dir)).faults).toEqual([]);
  });

  it('is only looked at in vain until then, and the refusal names the mend', async () => {
    const dir = aDir();
    await expect(checkStore(dir)).rejects.toMatchObject({
      code: 'STORE_INCOMPATIBLE',
      message: expect.stringMatching(/schema 1, .* reads schema 2: start a gateway with it once/),
    });
  });

  it('is left as it is while a gateway of that version has it open', async () => {
    const [dir, other] = [aDir(), join(root, 'other')];
    const neighbour = await open(other);
    const peers = await openDatabases(other, { noSync: true });
    const [row] = Array.from(peers.small.peer.getRange({}));
    await peers.root.close();
    // What the other store listens on stands for a gateway of the old version.
    const { open: openLmdb } = await import('lmdb');
    const raw = openLmdb({ path: join(dir, FILE_NAME), maxDbs: 32 });
    await raw.openDB({ name: 'peer', encoding: 'msgpack', useRecords: false } as never).put(row?.key ?? '', row?.value);
    await raw.close();
    await expect(open(dir)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('stop'),
    });
    await neighbour.close();
    await (await open(dir)).close();
  });
});

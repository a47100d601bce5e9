/** Two stores on one directory, as two gateways of one machine have them. Across processes: test/e2e/store-shared.test.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { lmdbStore } from '../../../src/actors/store/lmdb/lmdb-store.ts';
import type { Store } from '../../../src/actors/store/store.ts';
import { aTask, bytesOf, idsOf, QUEUE, textOf } from '../../conformance/store-fixture.ts';

const opened: { dir: string; store: Store }[] = [];

async function open(dir: string): Promise<Store> {
  const store = lmdbStore(dir, { noSync: true });
  opened.push({ dir, store });
  await store.open();
  return store;
}

async function pair(): Promise<[Store, Store]> {
  const dir = mkdtempSync(join(tmpdir(), 'pincer-shared-'));
  return [await open(dir), await open(dir)];
}

afterEach(async () => {
  for (const { store } of opened) await store.close();
  for (const { dir } of opened.splice(0)) rmSync(dir, { recursive: true, force: true });
});

describe('two stores on one directory', () => {
  it('have the same tasks, and give each attempt to one gateway', async () => {
    const [one, other] = await pair();
    const gateways = [await one.join('one', 10_000), await other.join('other', 10_000)] as const;
    expect((await one.gateways()).map(({ gateway }) => gateway)).toEqual([...gateways].sort());
    const tasks = Array.from({ length: 200 }, (_, n) => aTask({ taskId: `t${n}` }));
    await one.submit(tasks);
    const claims = Array.from({ length: 40 }, (_, n) =>
      n % 2 === 0
        ? one.claim(gateways[0], [{ queue: QUEUE, limit: 7 }], 7)
        : other.claim(gateways[1], [{ queue: QUEUE, limit: 7 }], 7),
    );
    const claimed = (await Promise.all(claims)).flatMap(idsOf);
    expect(claimed).toHaveLength(200);
    expect(new Set(claimed).size).toBe(200);
    expect((await other.stats()).byStatus.assigned).toBe(200);
  });

  it('hear what the other publishes, in order and as it was, and themselves too', async () => {
    const [one, other] = await pair();
    const heard: string[] = [];
    const stop = other.subscribe('news', (bytes) => heard.push(`other: ${textOf(bytes)}`));
    one.subscribe('news', (bytes) => heard.push(`one: ${textOf(bytes)}`));
    const bytes = bytesOf('first');
    one.publish('news', bytes);
    bytes.fill(0);
    one.publish('elsewhere', bytesOf('unheard'));
    one.publish('news', bytesOf('second'));
    await expect.poll(() => heard.length).toBe(4);
    expect(heard.filter((each) => each.startsWith('other'))).toEqual(['other: first', 'other: second']);
    expect(heard.filter((each) => each.startsWith('one'))).toEqual(['one: first', 'one: second']);
    stop();
    other.publish('news', new Uint8Array(300_000));
    await expect.poll(() => heard.length).toBe(5);
  });

  it('tell each other what can be claimed, and what settled inside', async () => {
    const [one, other] = await pair();
    const ready: string[] = [];
    const settled: string[] = [];
    other.onReady((queues) => ready.push(...queues));
    other.onSettled((taskIds) => settled.push(...taskIds));
    await one.submit([aTask(), aTask({ taskId: 't2', after: { taskIds: ['t1'], onFailure: 'fail' } })]);
    await expect.poll(() => ready).toEqual([QUEUE]);
    await one.cancel(['t1']);
    await expect.poll(() => settled).toEqual(['t2']);
  });

  it('go on alone when the other is gone, and find the next one', async () => {
    const [one, other] = await pair();
    await other.close();
    one.publish('news', bytesOf('nobody'));
    const next = await open(opened[0]?.dir ?? '');
    const heard: (string | null)[] = [];
    next.subscribe('news', (bytes) => heard.push(textOf(bytes)));
    one.publish('news', bytesOf('you'));
    await expect.poll(() => heard).toEqual(['you']);
  });
});

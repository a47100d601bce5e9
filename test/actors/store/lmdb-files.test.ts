/** What a directory of the LMDB store goes through beside its verbs: damage, copies, other versions, restarts. */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkStore } from '../../../src/actors/store/lmdb/check.ts';
import { type Databases, openDatabases } from '../../../src/actors/store/lmdb/databases.ts';
import { decodeHead, encodeHead, HEAD_FIELDS, type LmdbRow } from '../../../src/actors/store/lmdb/head.ts';
import { lmdbStore } from '../../../src/actors/store/lmdb/lmdb-store.ts';
import { compactStore, exportStore } from '../../../src/actors/store/lmdb/maintenance.ts';
import { appendEntry, noTelling } from '../../../src/actors/store/lmdb/row-history.ts';
import { markTime, type TimeMark } from '../../../src/actors/store/lmdb/store-time.ts';
import type { Store } from '../../../src/actors/store/store.ts';
import { createSimulatedClock, type SimulatedClock } from '../../../src/actors/world/simulated-clock.ts';
import { aTask, bytesOf, idsOf, QUEUE } from '../../conformance/store-fixture.ts';

const root = mkdtempSync(join(tmpdir(), 'pincer-files-'));
let dirs = 0;
afterAll(() => rmSync(root, { recursive: true, force: true }));

function aDir(): string {
  dirs += 1;
  return join(root, `${dirs}`);
}

async function open(dir: string, clock: SimulatedClock = createSimulatedClock()): Promise<Store> {
  const store = lmdbStore(dir, { clock, noSync: true });
  await store.open();
  return store;
}

/** A store with a task in every state, closed. */
async function filled(dir: string): Promise<void> {
  const store = await open(dir);
  const gateway = await store.join('g', 10_000);
  const names = Array.from({ length: 300 }, (_, n) => `t${n}`);
  await store.submit(names.map((taskId) => aTask({ taskId, key: `key-${taskId}`, fairKey: 'f', client: 'client-1' })));
  await store.submit([aTask({ taskId: 'later', delayMs: 5_000, ttlMs: 60_000 })]);
  await store.submit([aTask({ taskId: 'long', delayMs: 5_000, payload: new Uint8Array(5_000) })]);
  await store.submit([aTask({ taskId: 'after', after: { taskIds: ['later', 't299'], onFailure: 'fail' } })]);
  const claimed = (await store.claim(gateway, [{ queue: QUEUE, limit: 40 }], 40)) ?? [];
  const refs = claimed.map(({ record: { taskId, attempt } }) => ({ taskId, attempt }));
  store.note(refs.map((ref) => ({ ...ref, event: 'started', node: 'n1' })));
  await store.complete(
    refs.slice(0, 20).map((ref) => ({ ...ref, status: 'completed', result: bytesOf('done'), runMs: 1 })),
  );
  await store.release(
    gateway,
    refs.slice(20, 25).map((ref) => ({ ...ref, costs: 'failure', delayMs: 100 })),
  );
  await store.checkpoint(refs.slice(25, 27).map((ref) => ({ ...ref, data: bytesOf('half') })));
  await store.cancel(['t200', 't201', refs[26]?.taskId ?? '']);
  await store.close();
}

/** Changes a store behind its back. */
async function damage(dir: string, how: (dbs: Databases) => void): Promise<void> {
  const dbs = await openDatabases(dir, { noSync: true });
  await dbs.root.transaction(() => how(dbs));
  await dbs.root.close();
}

describe('the check of a store', () => {
  it('finds nothing wrong with a store that was only used', async () => {
    const dir = aDir();
    await filled(dir);
    const check = await checkStore(dir);
    expect(check).toMatchObject({ tasks: 303, faults: [], total: 0 });
    expect(check.entries).toBeGreaterThan(3 * 303 - 40);
  });

  it.each<[string, (dbs: Databases) => void, string, string]>([
    ['a line without one of its tasks', ({ index, task }) => drop(index, 'r', task), 'index', 'it does not stand at r'],
    [
      'an entry of a task that does not stand there',
      ({ index }) => index.putSync(['r', QUEUE, 1, 1], 't0'),
      'index',
      'it stands at r',
    ],
    [
      'a history that has lost an entry',
      (dbs) => amend(dbs, 't250', (row) => Object.assign(row, { told: '' })),
      'history',
      'it has ',
    ],
    [
      'a history that cannot be read',
      (dbs) => amend(dbs, 't0', (row) => Object.assign(row, { told: row.told.slice(1) })),
      'history',
      'cannot be read',
    ],
    [
      'a history that tells something else',
      (dbs) =>
        amend(dbs, 't250', (row) => {
          Object.assign(row, noTelling());
          appendEntry(row, { n: 1, at: 1, event: 'task.failed', attempt: 0 }, 9);
        }),
      'history',
      'the record has status pending',
    ],
    [
      'a task that is not among what has settled',
      ({ settled }) => settled.putSync(1, ['somebody else']),
      'index',
      'it is not among what has settled',
    ],
    [
      'a tally that is off',
      ({ small }) => small.tally.removeSync('t echo'),
      'count',
      '20 tasks that are completed are noted, and 0 are there',
    ],
    ['a payload that is gone', ({ blob }) => blob.removeSync(['long', 'payload']), 'blob', 'its payload has 0 bytes'],
    [
      'a short payload that is gone',
      (dbs) => amend(dbs, 't250', (row) => Object.assign(row, { payload: null })),
      'blob',
      'its payload has 0 bytes',
    ],
    ['bytes of nobody', ({ blob }) => blob.putSync(['nobody', 'payload'], bytesOf('x')), 'index', 'it is not known'],
    ['bytes twice', ({ blob }) => blob.putSync(['t250', 'payload'], bytesOf('x')), 'index', 'its row does not know'],
    ['a key that leads elsewhere', ({ key }) => key.putSync('key-t250', 't1'), 'index', 'its key leads elsewhere'],
    [
      'a client with too few tasks',
      ({ small }) => small.client.putSync('client-1', 1),
      'count',
      '1 unsettled tasks of client-1 are noted, and 278 are there',
    ],
    [
      'a counter that is off',
      ({ meta }) => meta.putSync('totals', { ...(meta.get('totals') as object), waitingTasks: 7 }),
      'count',
      '7 waiting tasks are noted',
    ],
  ])('finds %s', async (_, how, kind, says) => {
    const dir = aDir();
    await filled(dir);
    await damage(dir, how);
    const { faults, total } = await checkStore(dir);
    expect(total).toBeGreaterThan(0);
    expect(faults).toContainEqual(expect.objectContaining({ kind, says: expect.stringContaining(says) }));
  });
});

describe('a copy of a store', () => {
  it('takes its place when nobody has it open, smaller and with everything in it', async () => {
    const dir = aDir();
    await filled(dir);
    const store = await open(dir);
    await store.purge(-1, 1_000);
    await store.close();
    const { bytesBefore, bytesAfter } = await compactStore(dir);
    expect(bytesAfter).toBeLessThan(bytesBefore);
    expect(await checkStore(dir)).toMatchObject({ tasks: 281, total: 0 });
    const again = await open(dir);
    expect((await again.get('t299'))?.status).toBe('pending');
    await again.close();
  });

  it('is made beside a gateway that works, and never in its place', async () => {
    const dir = aDir();
    await filled(dir);
    const store = await open(dir);
    await expect(compactStore(dir)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      hint: expect.stringContaining('Stop every gateway of it first'),
    });
    const to = join(aDir());
    await compactStore(dir, { to });
    expect(statSync(to).size).toBeGreaterThan(0);
    await expect(compactStore(dir, { to })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await store.submit([aTask({ taskId: 'new' })]);
    await store.close();
    expect(existsSync(to)).toBe(true);
  });

  it('as lines has every task with its history and its bytes', async () => {
    const dir = aDir();
    await filled(dir);
    const tasks = new Map<string, unknown>();
    for await (const task of exportStore(dir)) tasks.set(task.record.taskId, task);
    expect(tasks.size).toBe(303);
    expect(tasks.get('t250')).toMatchObject({
      record: { status: 'pending' },
      payload: Buffer.from('hello').toString('base64'),
      result: null,
      history: [{ event: 'task.submitted' }],
    });
  });
});

describe('a store that is opened again', () => {
  it('has what it had, and its time goes on: what expired meanwhile fails and is never run', async () => {
    const dir = aDir();
    const clock = createSimulatedClock();
    const first = await open(dir, clock);
    await first.submit([aTask({ deadlineMs: 1_000 }), aTask({ taskId: 't2' }), aTask({ taskId: 't3', delayMs: 500 })]);
    await first.close();
    await clock.advance(1_000);
    const again = await open(dir, clock);
    const gateway = await again.join('g', 10_000);
    expect(idsOf(await again.claim(gateway, [{ queue: QUEUE, limit: 9 }], 9))).toEqual(['t2', 't3']);
    expect(await again.get('t1')).toMatchObject({ status: 'failed', error: { code: 'DEADLINE_PASSED' } });
    await again.close();
  });

  it('clears away what expired in steps, and says that there is more to claim', async () => {
    const dir = aDir();
    const clock = createSimulatedClock();
    const store = await open(dir, clock);
    const expiring = Array.from({ length: 1_200 }, (_, n) => aTask({ taskId: `x${n}`, ttlMs: 10 }));
    await store.submit([...expiring, aTask({ taskId: 'last' })]);
    await clock.advance(10);
    const gateway = await store.join('g', 10_000);
    const claim = async () => idsOf(await store.claim(gateway, [{ queue: QUEUE, limit: 5 }], 5));
    const ready: string[] = [];
    store.onReady((queues) => ready.push(...queues));
    await clock.runSoon();
    ready.length = 0;
    expect([await claim(), await claim()]).toEqual([[], []]);
    await clock.runSoon();
    expect(ready).toEqual([QUEUE, QUEUE]);
    expect(await claim()).toEqual(['last']);
    expect((await store.stats()).byStatus.failed).toBe(1_200);
    await store.close();
  });

  it('is refused if another version wrote it in another layout, with both versions and the mend', async () => {
    const dir = aDir();
    await filled(dir);
    await damage(dir, ({ meta }) => meta.putSync('format', { schema: 99 }));
    await expect(open(dir)).rejects.toMatchObject({
      code: 'STORE_INCOMPATIBLE',
      message: expect.stringMatching(/schema 99, .* reads schema 2: .*--store DIR/),
    });
  });

  it('is not found where there is none, and makes none to look at it', async () => {
    const dir = aDir();
    const missing = { code: 'OPTION_INVALID', message: `there is no store in ${dir}`, retryable: false };
    await expect(checkStore(dir)).rejects.toMatchObject(missing);
    await expect(compactStore(dir)).rejects.toMatchObject(missing);
    expect(existsSync(dir)).toBe(false);
  });

  it('reads rows as they were written: a field more or less is another SCHEMA', () => {
    expect(HEAD_FIELDS).toMatchSnapshot();
  });
});

describe('a limit per minute that nobody uses any more', () => {
  it('leaves nothing behind, however many of its claims there were', async () => {
    const dir = aDir();
    const clock = createSimulatedClock();
    const store = await open(dir, clock);
    const gateway = await store.join('g', 3_600_000);
    const limit = { key: 'user-1', perMinute: 200 };
    const names = Array.from({ length: 150 }, (_, n) => `t${n}`);
    await store.submit(names.map((taskId) => aTask({ taskId, limit })));
    const claimed = await store.claim(gateway, [{ queue: QUEUE, limit: 150 }], 150);
    await store.complete(idsOf(claimed).map((taskId) => ({ taskId, attempt: 1, status: 'completed', runMs: 1 })));
    expect(await store.limit('user-1')).toMatchObject({ claimed: 0, claimedInMinute: 150 });
    for (const ms of [61_000, 2_000, 2_000]) {
      await clock.advance(ms);
      await store.sweep(gateway, 100);
      expect(await store.limit('user-1')).toBeNull();
    }
    await store.close();
    const { claim, wake, small, root } = await openDatabases(dir, { readOnly: true });
    expect([claim, wake, small.limit].map((db) => db.getCount())).toEqual([0, 0, 0]);
    await root.close();
  });
});

describe('the time of a store', () => {
  const mark = (last: TimeMark | null, boot: string, machineMs: number, wallMs: number): TimeMark =>
    markTime({ now: () => machineMs, wallTime: () => wallMs }, boot, last);

  it('goes by the machine’s clock while it runs, whatever the wall clock does', () => {
    const first = mark(null, 'a', 100, 1_000_000);
    expect(mark(first, 'a', 350, 5_000_000).storeMs).toBe(1_000_250);
    expect(mark(first, 'a', 350, 0).storeMs).toBe(1_000_250);
  });

  it('goes on by the wall clock from one boot to the next, and never back', () => {
    const last = mark(mark(null, 'a', 100, 1_000_000), 'a', 9_100, 1_009_000);
    expect(mark(last, 'b', 20, 1_069_000).storeMs).toBe(last.storeMs + 60_000);
    expect(mark(last, 'b', 20_000, 500).storeMs).toBe(last.storeMs);
    expect(mark(last, 'a', 20, 1_069_000).storeMs).toBe(last.storeMs + 60_000);
  });
});

/** Changes a row behind the back of all indexes. */
function amend({ task }: Databases, taskId: string, how: (row: LmdbRow) => void): void {
  const row = decodeHead(taskId, task.get(taskId) ?? []);
  how(row);
  task.putSync(taskId, encodeHead(row));
}

/** Takes the first task out of an index. */
function drop(index: Databases['index'], prefix: string, _task: Databases['task']): void {
  const [first] = index.getKeys({ start: [prefix], limit: 1 });
  index.removeSync(first as never);
}

describe('a store that is opened', () => {
  const writers = (dir: string): number => readdirSync(join(dir, 'writers')).length;

  it('twice at once, is open once, and let go of whole', async () => {
    const dir = aDir();
    const store = lmdbStore(dir, { clock: createSimulatedClock(), noSync: true });
    await Promise.all([store.open(), store.open()]);
    expect(writers(dir)).toBe(1);
    await store.close();
    expect(writers(dir)).toBe(0);
  });

  it('and closed meanwhile, is closed once it is open', async () => {
    const dir = aDir();
    const store = lmdbStore(dir, { clock: createSimulatedClock(), noSync: true });
    const opened = store.open();
    await store.close();
    await opened;
    expect(writers(dir)).toBe(0);
    await expect(store.stats()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });
});

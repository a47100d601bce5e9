/**
 * What of the verbs of a store on disk becomes one transaction, and what it does when the disk refuses: here a disk that can
 * be told to. With a real one: test/e2e/store-disk-full.test.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CommitGate } from '../../../src/actors/store/lmdb/commit-gate.ts';
import { type Databases, openDatabases } from '../../../src/actors/store/lmdb/databases.ts';
import { lmdbStore } from '../../../src/actors/store/lmdb/lmdb-store.ts';
import { readTotals, writeTotals } from '../../../src/actors/store/lmdb/totals.ts';
import { Transactions } from '../../../src/actors/store/lmdb/transactions.ts';
import type { Store } from '../../../src/actors/store/store.ts';
import { createSimulatedClock } from '../../../src/actors/world/simulated-clock.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { aTask, idsOf, QUEUE } from '../../conformance/store-fixture.ts';

const root = mkdtempSync(path.join(tmpdir(), 'pincer-transactions-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('verbs that are called together', () => {
  /** A store with a gateway, and how many transactions it has made since. */
  async function opened(name: string): Promise<{ store: Store; gateway: string; transactions(): Promise<number> }> {
    const dir = path.join(root, name);
    const store = lmdbStore(dir, { clock: createSimulatedClock(), noSync: true });
    await store.open();
    const gateway = await store.join('g', 10_000);
    const dbs = await openDatabases(dir, { readOnly: true });
    const written = async (): Promise<number> => {
      dbs.root.resetReadTxn();
      return Number(readTotals(dbs.meta).stamp.split(' ')[1]);
    };
    const before = await written();
    return { store, gateway, transactions: async () => (await written()) - before };
  }

  const wants = [{ queue: QUEUE, limit: 9 }];

  it('are one transaction, in which a claim comes last', async () => {
    const { store, gateway, transactions } = await opened('last');
    const claim = store.claim(gateway, wants, 9);
    await store.submit([aTask({ taskId: 'a' }), aTask({ taskId: 'b' })]);
    expect(idsOf(await claim)).toEqual(['a', 'b']);
    expect(await transactions()).toBe(1);
    await store.close();
  });

  it('take in the claim of one who hears of their tasks and claims at once', async () => {
    const { store, gateway, transactions } = await opened('heard');
    const claims: Promise<string[]>[] = [];
    const claim = (): unknown => claims.push(store.claim(gateway, wants, 9).then(idsOf));
    store.onReady(() => queueMicrotask(claim));
    await store.submit([aTask({ taskId: 'a' })]);
    expect(await Promise.all(claims)).toEqual([['a']]);
    expect(await transactions()).toBe(1);
    expect(await store.get('a')).toMatchObject({ status: 'assigned', owner: gateway, attempt: 1 });
    await store.close();
  });

  it('do not wait for one who takes longer', async () => {
    const { store, gateway, transactions } = await opened('later');
    const claims: Promise<string[]>[] = [];
    store.onReady(() => setImmediate(() => claims.push(store.claim(gateway, wants, 9).then(idsOf))));
    await store.submit([aTask({ taskId: 'a' })]);
    await expect.poll(() => claims.length).toBe(1);
    expect(await Promise.all(claims)).toEqual([['a']]);
    expect(await transactions()).toBe(2);
    await store.close();
  });
});

describe('one transaction', () => {
  it('takes verbs for eight milliseconds and no longer, whatever they make claimable', async () => {
    const dir = path.join(root, 'long');
    let ms = 0;
    const store = lmdbStore(dir, { clock: { ...createSimulatedClock(), now: () => ms++ / 4 }, noSync: true });
    await store.open();
    const dbs = await openDatabases(dir, { readOnly: true });
    const written = (): number => {
      dbs.root.resetReadTxn();
      return Number(readTotals(dbs.meta).stamp.split(' ')[1] ?? 0);
    };
    const before = written();
    await Promise.all(Array.from({ length: 90 }, (_, n) => store.submit([aTask({ taskId: `t${n}` })])));
    // Each looks at the clock, which goes on by a quarter of a millisecond.
    expect(written() - before).toBeGreaterThanOrEqual(3);
    await store.close();
  });

  it('of a store that a compacted one has replaced is refused, and no other is tried for it', async () => {
    const dir = path.join(root, 'retired');
    const store = lmdbStore(dir, { clock: createSimulatedClock(), noSync: true });
    await store.open();
    const dbs = await openDatabases(dir, { noSync: true });
    await dbs.root.transaction(() => writeTotals(dbs.meta, { ...readTotals(dbs.meta), isRetired: true }));
    const calls = [store.renew('g', 5), store.submit([aTask()]), store.get('t1')];
    for (const call of calls) {
      await expect(call).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
        message: expect.stringContaining('compacted'),
      });
    }
    await store.close();
  });
});

describe('a verb at fault', () => {
  it.each(['together with', 'upon'])('alone comes to nothing when it is called %s another', async (when) => {
    const store = lmdbStore(path.join(root, when), { clock: createSimulatedClock(), noSync: true });
    await store.open();
    const faults: Promise<unknown>[] = [];
    const fail = (): void => {
      const { change } = store as unknown as { change(verb: () => unknown): Promise<unknown> };
      const broken = (): never => {
        throw new Error('a broken verb');
      };
      if (faults.length === 0) faults.push(change.call(store, broken).catch(String));
    };
    if (when === 'upon') store.onReady(fail);
    else fail();
    await expect(store.submit([aTask({ taskId: 'a' })])).resolves.toMatchObject([{ created: true }]);
    expect(faults).toHaveLength(1);
    expect(await faults[0]).toBe('Error: a broken verb');
    expect(await store.get('a')).toMatchObject({ status: 'pending' });
    await store.close();
  });
});

describe('transactions on a disk that is full', () => {
  it('are refused, are not tried again for a moment, and are tried again after it', async () => {
    const clock = createSimulatedClock();
    let tries = 0;
    const childTransaction = async (): Promise<never> => {
      tries += 1;
      throw Object.assign(new Error('Commit failed'), { commitError: Promise.reject(new Error('no space')) });
    };
    const dbs = { root: { childTransaction }, small: {} } as unknown as Databases;
    const gate = new CommitGate(mkdtempSync(path.join(root, 'gate-')), 'w');
    const ports = { clock, boot: '', writer: 'w', limits: defaultLimits, gate };
    const transactions = new Transactions(dbs, { ...ports, tell: () => {} });
    const change = () => transactions.change((verbs) => verbs.join('g', 1_000));
    await expect(Promise.all([change(), change()])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    for (let again = 0; again < 3; again += 1)
      await expect(change()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(tries).toBe(1);
    await clock.advance(250);
    await expect(change()).rejects.toMatchObject({ message: expect.stringContaining('Commit failed') });
    expect(tries).toBe(2);
  });
});

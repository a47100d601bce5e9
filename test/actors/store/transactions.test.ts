/** What a store on disk does when the disk refuses: here a disk that can be told to. With a real one: test/e2e/store-disk-full.test.ts. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createSimulatedClock } from '../../../src/actors/simulated-clock.ts';
import { CommitGate } from '../../../src/actors/store/lmdb/commit-gate.ts';
import type { Databases } from '../../../src/actors/store/lmdb/databases.ts';
import { Transactions } from '../../../src/actors/store/lmdb/transactions.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

describe('transactions on a disk that is full', () => {
  it('are refused, are not tried again for a moment, and are tried again after it', async () => {
    const clock = createSimulatedClock();
    let tries = 0;
    const childTransaction = async (): Promise<never> => {
      tries += 1;
      throw Object.assign(new Error('Commit failed'), { commitError: Promise.reject(new Error('no space')) });
    };
    const dbs = { root: { childTransaction }, small: {} } as unknown as Databases;
    const gate = new CommitGate(mkdtempSync(path.join(tmpdir(), 'pincer-gate-')), 'w');
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

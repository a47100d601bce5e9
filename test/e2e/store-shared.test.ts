/** Several processes that write to one store at full speed, and how soon one hears of what another says. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { checkStore, lmdbStore } from '../../src/store.ts';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import { emptyLedger, missingIn, startWriter } from '../support/store-writer.ts';

const OPENER = fileURLToPath(new URL('../fixtures/store/opener.mjs', import.meta.url));

describe('three processes with one store', () => {
  it('share its tasks: each result is accepted once, nothing is lost though one is killed, and the store stays whole', async () => {
    const dir = path.join(scratchDirectory(), 'store');
    const ledgers = [emptyLedger(), emptyLedger(), emptyLedger()];
    // All claim from the same classes, so they take each other’s tasks.
    const writers = ledgers.map((ledger) => startWriter(dir, ledger, { lanes: 6 }));
    const done = (): number[] => ledgers.map(({ completed }) => completed.size);
    await expect.poll(() => Math.min(...done())).toBeGreaterThan(30);
    writers[0]?.kill();
    const before = done();
    await expect.poll(() => (done()[1] ?? 0) - (before[1] ?? 0)).toBeGreaterThan(20);
    for (const writer of writers) writer.kill();
    await Promise.all(writers.map(({ ended }) => ended));

    const completed = ledgers.flatMap((ledger) => [...ledger.completed]);
    expect(new Set(completed).size).toBe(completed.length);
    const foreign = [...(ledgers[1]?.completed ?? [])].filter((id) => !id.startsWith(`${writers[1]?.pid}-`));
    expect(foreign.length).toBeGreaterThan(0);
    const store = lmdbStore(dir);
    await store.open();
    for (const ledger of ledgers) expect(await missingIn(store, ledger)).toEqual([]);
    await store.close();
    expect((await checkStore(dir)).faults).toEqual([]);
  });

  it('lose nothing that was acknowledged while others open it again and again (#55)', async () => {
    const dir = path.join(scratchDirectory(), 'store');
    const ledgers = [emptyLedger(), emptyLedger()];
    const writers = ledgers.map((ledger) => startWriter(dir, ledger, { lanes: 4 }));
    await expect.poll(() => Math.min(...ledgers.map(({ completed }) => completed.size))).toBeGreaterThan(10);
    // Without commit-gate.ts, one in some hundreds of these undid a commit.
    await Promise.all([1, 2].map(() => promisify(execFile)(process.execPath, [OPENER, dir, '150'])));
    for (const writer of writers) writer.kill();
    await Promise.all(writers.map(({ ended }) => ended));
    const store = lmdbStore(dir);
    await store.open();
    for (const ledger of ledgers) expect(await missingIn(store, ledger)).toEqual([]);
    await store.close();
    expect((await checkStore(dir)).faults).toEqual([]);
  });

  it('hear of each other’s tasks without asking', async () => {
    const dir = path.join(scratchDirectory(), 'store');
    const store = lmdbStore(dir);
    await store.open();
    const heard = new Set<string>();
    store.onReady((queues) => {
      for (const queue of queues) heard.add(queue);
    });
    const writer = startWriter(dir, emptyLedger(), { lanes: 4 });
    await expect.poll(() => heard.size).toBe(4);
    writer.kill();
    await writer.ended;
    await store.close();
  });
});

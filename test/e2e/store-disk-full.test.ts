/** A disk that is full, and has room again. */
import { appendFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkStore, lmdbStore } from '../../src/store.ts';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import { smallDisk, whyNoSmallDisk } from '../support/small-disk.ts';
import { emptyLedger, missingIn, startWriter } from '../support/store-writer.ts';

const why = whyNoSmallDisk();

describe.skipIf(why !== null)(`a full disk${why === null ? '' : ` (not here: ${why})`}`, () => {
  it('refuses what cannot be kept, ends no process, loses nothing, and works again when there is room', async () => {
    using disk = smallDisk(path.join(scratchDirectory(), 'disk'), 3);
    const dir = path.join(disk.dir, 'store');
    const ledger = emptyLedger();
    const writer = startWriter(dir, ledger, { lanes: 8 });
    let isOver = false;
    void writer.ended.then(() => {
      isOver = true;
    });
    await expect.poll(() => writer.refusals.length).toBeGreaterThan(20);
    expect(new Set(writer.refusals)).toEqual(new Set(['STORE_UNAVAILABLE']));
    const known = ledger.submitted.size;
    expect(known).toBeGreaterThan(10);
    disk.grow(60);
    await expect.poll(() => ledger.submitted.size).toBeGreaterThan(known + 50);
    expect(isOver).toBe(false);
    writer.kill();
    await writer.ended;
    const store = lmdbStore(dir);
    await store.open();
    expect(await missingIn(store, ledger)).toEqual([]);
    await store.close();
    expect((await checkStore(dir)).faults).toEqual([]);
  });

  it.each(['new', 'old'])('does not let a store be opened, a %s one, until it has room', async (age) => {
    using disk = smallDisk(path.join(scratchDirectory(), 'disk'), 3);
    const store = lmdbStore(path.join(disk.dir, 'store'));
    if (age === 'old') {
      await store.open();
      await store.close();
    }
    fill(path.join(disk.dir, 'other'));
    const full = { code: 'STORE_UNAVAILABLE', message: expect.stringContaining('cannot be opened: ENOSPC') };
    await expect(store.open()).rejects.toMatchObject(full);
    await expect(store.stats()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    disk.grow(4);
    await store.open();
    expect((await store.stats()).ready.size).toBe(0);
    await store.close();
  });
});

function fill(file: string): void {
  try {
    for (;;) appendFileSync(file, new Uint8Array(4_096));
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  }
}

/** A process that writes to a store is killed again and again, at a random moment; nothing that it was told may be lost. */
import type { Random } from '../../src/protocol/ports.ts';
import { checkStore, lmdbStore } from '../../src/store.ts';
import { emptyLedger, missingIn, startWriter } from './store-writer.ts';

export interface Kills {
  readonly kills: number;
  readonly acknowledged: number;
  readonly lost: readonly string[];
  readonly faults: readonly string[];
  /** How long it took to open the store after each kill, in the next process. */
  readonly openMs: readonly number[];
}

/** Kills `kills` writers of one directory, one after the other; looks at the store after each `every`th, and at the end. */
export async function killWriters(dir: string, kills: number, random: Random, every = 5): Promise<Kills> {
  const ledger = emptyLedger();
  const openMs: number[] = [];
  const lost: string[] = [];
  const faults: string[] = [];
  for (let kill = 1; kill <= kills; kill += 1) {
    const writer = startWriter(dir, ledger);
    openMs.push(await writer.openMs);
    await new Promise((resolve) => setTimeout(resolve, 100 + random() * 500));
    writer.kill();
    await writer.ended;
    if (kill % every !== 0 && kill !== kills) continue;
    const store = lmdbStore(dir);
    await store.open();
    lost.push(...(await missingIn(store, ledger)));
    await store.close();
    faults.push(...(await checkStore(dir)).faults.map(({ taskId = '', says }) => `${taskId}: ${says}`));
  }
  return { kills, acknowledged: ledger.submitted.size + ledger.completed.size, lost, faults, openMs };
}

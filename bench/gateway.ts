/**
 * A gateway for the bench. Argument: `memory`, `disk` for a store in a directory that is gone with it, or `untold` for
 * memory that keeps no story of a task but its first line. Its limits let a million tasks wait, however fast they come, and
 * let it forget what has settled soon, so that W7 sees in a tenth whether anything else stays.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createGateway } from 'pincer';
import { lmdbStore } from 'pincer/store';
import { charts, serve } from './child.ts';

const isOnDisk = process.argv[2] === 'disk';
if (process.argv[2] === 'untold') await tellNothing();
const limits = {
  waitingTasksMax: 1_200_000,
  clientTasksMax: 1_200_000,
  settledTasksMax: 10_000,
  // As fast as the one client there is can.
  submitsPerSecondMax: 1_000_000,
};
const folder = isOnDisk ? mkdtempSync(join(tmpdir(), 'pincer-bench-')) : null;
const gateway = await createGateway({
  charts,
  listen: '127.0.0.1:0',
  limits,
  ...(folder === null ? {} : { store: lmdbStore(folder, { limits }) }),
});
serve(
  { url: gateway.url },
  {
    /** Ends in order, and takes the store with it. */
    async stop() {
      await gateway.stop();
      if (folder !== null) rmSync(folder, { recursive: true, force: true });
    },
  },
);

/** Of dist, which is what runs here. No user can have this: a story that may be missing would be worth nothing. */
async function tellNothing(): Promise<void> {
  const file = new URL('../dist/actors/store/memory/packed-history.js', import.meta.url).href;
  const { Histories } = (await import(file)) as typeof import('../src/actors/store/memory/packed-history.ts');
  Histories.prototype.add = () => {};
}

/**
 * A gateway for the bench. Argument: `memory`, or `disk` for a store in a directory that is gone with it. Its limits let a
 * million tasks wait, and let it forget what has settled soon, so that W7 sees in a tenth whether anything else stays.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createGateway } from 'pincer';
import { lmdbStore } from 'pincer/store';
import { charts, serve } from './child.ts';

const isOnDisk = process.argv[2] === 'disk';
const limits = { waitingTasksMax: 1_200_000, clientTasksMax: 1_200_000, settledTasksMax: 10_000 };
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

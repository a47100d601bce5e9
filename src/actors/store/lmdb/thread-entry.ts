/** The first file of the thread of a store: nothing here is imported, it is run. */
import { parentPort, workerData } from 'node:worker_threads';
import { LmdbStore, type LmdbStoreOptions } from './lmdb-store.ts';
import { serveStore } from './store-server.ts';

const { dir, options } = workerData as { dir: string; options: LmdbStoreOptions };
const port = parentPort;
if (port !== null) serveStore(port, new LmdbStore(dir, options), () => port.close());

/** The store door: where tasks are kept on disk, for gateways that an app runs in its own process. */
export { type LmdbStoreOptions, lmdbStore } from './actors/store/lmdb/lmdb-store.ts';
export type { Store } from './actors/store/store.ts';

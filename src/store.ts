/** The store door: where tasks are kept on disk, for gateways that an app runs in its own process. */
export { checkStore, type StoreCheck, type StoreFault } from './actors/store/lmdb/check.ts';
export { type LmdbStoreOptions, lmdbStore } from './actors/store/lmdb/lmdb-store.ts';
export { type Compaction, compactStore, type ExportedTask, exportStore } from './actors/store/lmdb/maintenance.ts';
export type { Store } from './actors/store/store.ts';

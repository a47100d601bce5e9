/** What a store on disk consists of, and which layout of it this version reads. */
import type { Database, Key, RootDatabase } from 'lmdb';

/** The layout of what is kept. A store that another version wrote is refused, not guessed at. */
export const SCHEMA = 2;

export const SMALL_TABLES = [
  ...(['fair', 'class', 'limit', 'gateway', 'node', 'order', 'lock', 'schedule', 'peer', 'tally', 'client'] as const),
] as const;
type SmallTable = (typeof SMALL_TABLES)[number];

/** Named databases. Keys are in their order, values are plain msgpack, task ids or bytes. */
export interface Databases {
  readonly root: RootDatabase;
  /** `format`: which version wrote it. `totals`: counters. */
  readonly meta: Database<unknown, string>;
  /** taskId → the row with its history, as an array (head.ts). */
  readonly task: Database<unknown[], string>;
  /** [taskId, kind] → bytes that are too long for the row. */
  readonly blob: Database<Uint8Array, Key>;
  /** Which task of all that settled the first one is → the ids of those that settled one after another. */
  readonly settled: Database<string[], number>;
  /** key → taskId. */
  readonly key: Database<string, string>;
  /** [taskId, seq of the dependent] → taskId of the dependent. */
  readonly dependent: Database<string, Key>;
  /** What task-indexes.ts says → taskId. */
  readonly index: Database<string, Key>;
  /** [limit key, n] → when it was claimed. */
  readonly claim: Database<number, Key>;
  /** [wakeAtMs, limit key] → limit key. */
  readonly wake: Database<string, Key>;
  readonly small: Readonly<Record<SmallTable, Database<unknown, string>>>;
}

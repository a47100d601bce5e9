/**
 * One LMDB environment and its named databases, opened for writing or for reading. The package is loaded only when a
 * store is opened, so that what needs no store on disk runs where there is no build of it.
 *
 * Every commit is on the disk before anyone sees it (no `overlappingSync`): what another process reads and tells of can
 * never be lost again.
 */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Database, Key, RootDatabase } from 'lmdb';
import { PincerError } from '../../../protocol/failure.ts';

/** The layout of what is kept. A store that another version wrote is refused, not guessed at. */
export const SCHEMA = 1;

/** The file in the directory of a store; LMDB keeps its locks in another one beside it. */
export const FILE_NAME = 'pincer.mdb';

export const SMALL_TABLES = ['fair', 'class', 'limit', 'gateway', 'node', 'order', 'lock', 'schedule', 'peer'] as const;
type SmallTable = (typeof SMALL_TABLES)[number];

/** Named databases. Keys are in their order, values are plain msgpack, task ids or bytes. */
export interface Databases {
  readonly root: RootDatabase;
  /** `format`: which version wrote it. `totals`: counters. */
  readonly meta: Database<unknown, string>;
  /** taskId → the row, as an array (head.ts). */
  readonly task: Database<unknown[], string>;
  /** [taskId, kind] → bytes. */
  readonly blob: Database<Uint8Array, Key>;
  /** [taskId, n] → one entry of its history. */
  readonly event: Database<object, Key>;
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

export interface OpenOptions {
  readonly readOnly?: boolean | undefined;
  /** Whether it must be there already. Default: as `readOnly`. */
  readonly isThere?: boolean | undefined;
  /** For tests that need no disk to be safe: nothing is flushed. */
  readonly noSync?: boolean | undefined;
  /** The most that the store may ever hold, in bytes of address space; grows the file only as far as it is used. */
  readonly mapBytes?: number | undefined;
}

/** Opens the databases of a directory. Rejects with STORE_UNSUPPORTED, STORE_INCOMPATIBLE or STORE_UNAVAILABLE. */
export async function openDatabases(dir: string, options: OpenOptions = {}): Promise<Databases> {
  const { open } = await loadLmdb();
  const { readOnly = false, isThere = readOnly } = options;
  if (isThere && !existsSync(join(dir, FILE_NAME))) {
    throw new PincerError('STORE_UNAVAILABLE', `there is no store in ${dir}`);
  }
  try {
    if (!readOnly) mkdirSync(dir, { recursive: true, mode: 0o700 });
    const path = join(dir, FILE_NAME);
    const root = open<unknown, string>({
      path,
      readOnly,
      noSync: options.noSync === true,
      maxDbs: 32,
      maxReaders: 126,
      overlappingSync: false,
      // One failed commit is then one rejection, not a second one that nobody can catch.
      eventTurnBatching: false,
      ...(options.mapBytes === undefined ? {} : { mapSize: options.mapBytes }),
    });
    if (!readOnly) chmodSync(path, 0o600);
    return checked(databasesOf(root), dir, readOnly);
  } catch (error) {
    if (error instanceof PincerError) throw error;
    const message = `the store in ${dir} cannot be opened: ${reasonOf(error)}`;
    throw new PincerError('STORE_UNAVAILABLE', message, { cause: error });
  }
}

async function loadLmdb(): Promise<typeof import('lmdb')> {
  try {
    return await import('lmdb');
  } catch (error) {
    throw new PincerError(
      'STORE_UNSUPPORTED',
      `the package lmdb has no build for ${process.platform} ${process.arch} here: install without --omit=optional, ` +
        'on this platform, or use the memory store (`--store memory`)',
      { cause: error },
    );
  }
}

function databasesOf(root: RootDatabase): Databases {
  const msgpack = <Value, K extends Key>(name: string): Database<Value, K> =>
    root.openDB<Value, K>(name, { encoding: 'msgpack', useRecords: false } as object);
  const text = (name: string): Database<string, Key> => root.openDB<string, Key>(name, { encoding: 'string' });
  return {
    root,
    meta: msgpack('meta'),
    task: msgpack('task'),
    blob: root.openDB<Uint8Array, Key>('blob', { encoding: 'binary' }),
    event: msgpack('event'),
    key: root.openDB<string, string>('key', { encoding: 'string' }),
    dependent: text('dependent'),
    index: text('index'),
    claim: msgpack('claim'),
    wake: text('wake'),
    small: Object.fromEntries(
      SMALL_TABLES.map((name) => [name, msgpack<unknown, string>(name)]),
    ) as unknown as Databases['small'],
  };
}

function checked(databases: Databases, dir: string, readOnly: boolean): Databases {
  const { meta, root } = databases;
  const format = meta.get('format') as { readonly schema: number } | undefined;
  if (format === undefined && !readOnly) {
    root.transactionSync(() => {
      if (meta.get('format') === undefined) meta.putSync('format', { schema: SCHEMA });
    });
    return checked(databases, dir, true);
  }
  if (format?.schema === SCHEMA) return databases;
  void root.close();
  throw new PincerError(
    'STORE_INCOMPATIBLE',
    format === undefined
      ? `the directory ${dir} holds no store of Pincer`
      : `the store in ${dir} has schema ${format.schema}, and this version of Pincer reads schema ${SCHEMA}: run the ` +
          'version that wrote it, or give this one another directory with `--store DIR`',
  );
}

/** What went wrong, in the words of the system. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

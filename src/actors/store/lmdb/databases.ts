/**
 * One LMDB environment and its named databases, opened for writing or for reading. The package is loaded only when a
 * store is opened, so that what needs no store on disk runs where there is no build of it.
 *
 * Every commit is on the disk before anyone sees it (no `overlappingSync`): what another process reads and tells of can
 * never be lost again.
 */
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Database, Key, RootDatabase } from 'lmdb';
import { PincerError } from '../../../protocol/failure.ts';
import { makeFolder } from '../../folders/folder.ts';
import { whileNobodyWrites } from './commit-gate.ts';
import { type Databases, SCHEMA, SMALL_TABLES } from './layout.ts';
import { makeFolderOf, pathOf } from './peer-path.ts';
import { migrateSchema1 } from './schema-1.ts';

/** The file in the directory of a store; LMDB keeps its locks in another one beside it. */
export const FILE_NAME = 'pincer.mdb';

export type { Databases } from './layout.ts';

export interface OpenOptions {
  readonly readOnly?: boolean | undefined;
  /** Whether it must be there already. Default: as `readOnly`. */
  readonly isThere?: boolean | undefined;
  /** For tests that need no disk to be safe: nothing is flushed. */
  readonly noSync?: boolean | undefined;
  /** The most that the store may ever hold, in bytes of address space; grows the file only as far as it is used. */
  readonly mapBytes?: number | undefined;
}

/** Opens the databases of a directory, while nobody writes to them. Rejects with OPTION_INVALID where one has to
 * be there and is not, STORE_UNSUPPORTED, STORE_INCOMPATIBLE or STORE_UNAVAILABLE. */
export async function openDatabases(dir: string, options: OpenOptions = {}): Promise<Databases> {
  const { open } = await loadLmdb();
  const { readOnly = false, isThere = readOnly } = options;
  if (isThere && !(typeof dir === 'string' && existsSync(join(dir, FILE_NAME)))) {
    throw new PincerError('OPTION_INVALID', `there is no store in ${dir}`, {
      hint: 'Name the directory that a gateway has its tasks in: `--store DIR`.',
    });
  }
  try {
    if (!readOnly) makeFolder(dir);
    const path = join(dir, FILE_NAME);
    makeFolderOf(pathOf(dir, 'opening'));
    return await whileNobodyWrites(dir, async () => {
      if (!readOnly && !existsSync(`${path}-lock`)) findRoom(dir);
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
      return await checked(databasesOf(root), dir, readOnly);
    });
  } catch (error) {
    throw notOpened(dir, error);
  }
}

/** Why a store could not be opened. */
export function notOpened(dir: string, error: unknown): PincerError {
  if (error instanceof PincerError) return error;
  const message = `the store in ${dir} cannot be opened: ${reasonOf(error)}`;
  return new PincerError('STORE_UNAVAILABLE', message, { cause: error });
}

/** What LMDB takes of the disk for a new store, files that it maps among them: where they have no room, the process dies. */
const NEW_STORE_BYTES = 131_072;

/** Throws where the disk has no room for a new store. */
function findRoom(dir: string): void {
  const path = join(dir, 'room');
  try {
    writeFileSync(path, new Uint8Array(NEW_STORE_BYTES), { mode: 0o600 });
  } finally {
    rmSync(path, { force: true });
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
    settled: msgpack('settled'),
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

async function checked(databases: Databases, dir: string, readOnly: boolean): Promise<Databases> {
  const { meta, root } = databases;
  const schemaOf = (): number | undefined => (meta.get('format') as { readonly schema: number } | undefined)?.schema;
  try {
    if (schemaOf() === undefined && !readOnly) {
      root.transactionSync(() => {
        if (schemaOf() === undefined) meta.putSync('format', { schema: SCHEMA });
      });
    }
    if (schemaOf() === 1 && !readOnly) await migrateSchema1(databases, dir, SCHEMA);
    if (schemaOf() === SCHEMA) return databases;
    throw new PincerError('STORE_INCOMPATIBLE', `the ${whyNot(dir, schemaOf())}`);
  } catch (error) {
    await root.close();
    throw error;
  }
}

/** What stands in the way of reading a store, and the mend. */
function whyNot(dir: string, schema: number | undefined): string {
  if (schema === undefined) return `directory ${dir} holds no store of Pincer`;
  const reads = `store in ${dir} has schema ${schema}, and this version of Pincer reads schema ${SCHEMA}`;
  if (schema === 1)
    return `${reads}: start a gateway with it once, which brings it there; make a copy of the file before`;
  return `${reads}: run the version that wrote it, or give this one another directory with \`--store DIR\``;
}

/** What went wrong, in the words of the system. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

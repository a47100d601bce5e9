/** What is done to a store from outside: its file is made smaller, its tasks are written out. */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PincerError } from '../../../protocol/failure.ts';
import { checkOptions } from '../../../protocol/options.ts';
import type { HistoryEntry } from '../../../protocol/task.ts';
import type { TaskRecord } from '../store.ts';
import type { BodyKind } from '../tables.ts';
import { recordOf } from '../task-row.ts';
import { whileNobodyWrites } from './commit-gate.ts';
import { type Databases, FILE_NAME, openDatabases } from './databases.ts';
import { decodeHead, isApart } from './head.ts';
import { areAlive } from './peers.ts';
import { entriesOf } from './row-history.ts';
import { readTotals } from './totals.ts';

/** What `compactStore` did. */
export interface Compaction {
  readonly file: string;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** A task as `exportStore` gives it. */
export interface ExportedTask {
  readonly record: TaskRecord;
  readonly history: readonly HistoryEntry[];
  /** Base64 of the bytes as they were submitted and returned; null where there are none. */
  readonly payload: string | null;
  readonly result: string | null;
}

const PAGE = 200;

/**
 * Copies a store without its free pages. With `to` the copy is a new file, and gateways may go on working; without, it
 * takes the place of the store, which nobody may have open.
 *
 * @throws PincerError `STORE_UNAVAILABLE` if a gateway has it open, or the disk has no room for the copy.
 */
export async function compactStore(dir: string, options: { to?: string | undefined } = {}): Promise<Compaction> {
  checkOptions(options, 'compactStore', 'options, or nothing', { to: true });
  const { to } = options;
  const dbs = await openDatabases(dir, { isThere: true });
  const file = join(dir, FILE_NAME);
  const bytesBefore = statSync(file).size;
  const copy = to ?? `${file}.compact`;
  try {
    if (to !== undefined && existsSync(to)) throw new PincerError('OPTION_INVALID', `there is a file ${to} already`);
    if (to === undefined) await mustBeAlone(dbs, dir);
    rmSync(copy, { force: true });
    const before = JSON.stringify(readTotals(dbs.meta));
    await dbs.root.backup(copy, true);
    sync(copy);
    // Who opens the file meanwhile must not undo it.
    if (to === undefined) await whileNobodyWrites(dir, () => retire(dbs, dir, before));
  } catch (error) {
    if (error instanceof PincerError) throw error;
    rmSync(copy, { force: true });
    throw new PincerError('STORE_UNAVAILABLE', `the store in ${dir} could not be copied: ${String(error)}`, {
      cause: error,
    });
  } finally {
    await dbs.root.close();
  }
  if (to === undefined) {
    renameSync(copy, file);
    sync(dirname(file));
  }
  return { file: to ?? file, bytesBefore, bytesAfter: statSync(to ?? file).size };
}

/** Every task of a store, oldest first; gateways may go on working. Rejects as opening a store does. */
export async function* exportStore(dir: string): AsyncGenerator<ExportedTask, void> {
  const dbs = await openDatabases(dir, { readOnly: true });
  try {
    for (let start: string | undefined; ; ) {
      dbs.root.resetReadTxn();
      const range = { limit: PAGE + 1, ...(start === undefined ? {} : { start }) };
      const page = Array.from(dbs.task.getKeys(range));
      // All of a page from one snapshot; whoever reads may take his time with it.
      yield* page.slice(0, PAGE).map((taskId) => exported(dbs, taskId));
      if (page.length <= PAGE) return;
      start = page[PAGE];
    }
  } finally {
    await dbs.root.close();
  }
}

function exported(dbs: Databases, taskId: string): ExportedTask {
  const nowMs = readTotals(dbs.meta).time?.storeMs ?? 0;
  const row = decodeHead(taskId, dbs.task.get(taskId) ?? []);
  const bytes = (kind: BodyKind): string | null => {
    const body = isApart(row, kind) ? dbs.blob.get([taskId, kind]) : row[kind];
    return body === undefined || body === null ? null : Buffer.from(body).toString('base64');
  };
  return { record: recordOf(row, nowMs), history: entriesOf(row), payload: bytes('payload'), result: bytes('result') };
}

async function mustBeAlone({ small }: Databases, dir: string): Promise<void> {
  if (!(await areAlive(small.peer))) return;
  throw new PincerError('STORE_UNAVAILABLE', `a gateway has the store in ${dir} open`, {
    hint: 'Stop every gateway of it first, or copy it to another file with `--to FILE` while they work.',
  });
}

/** Nobody writes to this file any more: its copy takes its place. Not if somebody has since it was copied. */
async function retire({ root, meta }: Databases, dir: string, before: string): Promise<void> {
  const isSame = await root.transaction(() => {
    const totals = readTotals(meta);
    if (JSON.stringify(totals) !== before) return false;
    meta.putSync('totals', { ...totals, isRetired: true });
    return true;
  });
  if (isSame) return;
  throw new PincerError('STORE_UNAVAILABLE', `the store in ${dir} was written to meanwhile; nothing is changed`, {
    hint: 'Try it again while nobody opens the store, or copy it to another file with `--to FILE`.',
  });
}

function sync(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

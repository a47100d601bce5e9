/**
 * Rows that are kept from one transaction to the next, so that they need not be read again: those that an attempt holds,
 * and those that wait while so few do that their turn comes soon. Valid only as long as no other process has written
 * (lmdb-tables.ts knows).
 */
import type { TaskStatus } from '../../../protocol/task.ts';
import { TransitMap } from '../../transit-map.ts';
import { isWaiting } from '../task-row.ts';
import type { LmdbRow } from './head.ts';
import { type IndexKey, isHeld } from './task-indexes.ts';

const ROWS_MAX = 8_192;
/** Beyond so many waiting tasks, those that come in are not the ones whose turn is next. */
const WAITING_MAX = 1_024;

/** A row in this transaction, and where it stands in the indexes as they are now. */
export interface Entry {
  row: LmdbRow;
  keys: readonly (IndexKey | null)[];
  /** As what it is counted; null before it is. */
  counted: { readonly status: TaskStatus; readonly node: string | null } | null;
  isWritten: boolean;
  isIndexed: boolean;
}

export class KeptRows {
  readonly #entries = new TransitMap<string, Entry>();

  get(taskId: string): Entry | undefined {
    return this.#entries.get(taskId);
  }

  /** Keeps what a transaction leaves of a task, or lets go of it. */
  keep(entry: Entry, waitingTasks: number): void {
    const { row } = entry;
    const isWanted = isHeld(row) || (isWaiting(row) && waitingTasks <= WAITING_MAX);
    if (!isWanted) this.#entries.delete(row.taskId);
    else if (this.#entries.size < ROWS_MAX) this.#entries.set(row.taskId, entry);
  }

  delete(taskId: string): void {
    this.#entries.delete(taskId);
  }

  clear(): void {
    this.#entries.clear();
  }
}

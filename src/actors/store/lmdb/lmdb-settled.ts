/**
 * The settled tasks of an LMDB store, in the order in which they settled: a log of their ids, to which each transaction
 * adds a few at once. A task that was redriven stays in it and is passed over; what lies before the oldest is taken away
 * a chunk at a time.
 */
import type { Database } from 'lmdb';
import { isOutcome } from '../../../protocol/task-status.ts';
import type { SettledRows } from '../tables.ts';
import type { LmdbRow } from './head.ts';
import type { LmdbTasks } from './lmdb-tasks.ts';
import type { Totals } from './totals.ts';

/** Ids in one chunk. */
const CHUNK_MAX = 256;

/** Tasks that settled one after another, the first of them as the `first`th of all. */
interface Chunk {
  readonly first: number;
  readonly taskIds: string[];
}

export class LmdbSettled implements SettledRows<LmdbRow> {
  readonly #log: Database<string[], number>;
  readonly #tasks: LmdbTasks;
  readonly #totals: () => Totals;
  /** The oldest chunk that is written. */
  #oldest: Chunk | null = null;
  /** What has settled in this transaction. */
  #news: Chunk[] = [];

  constructor(log: Database<string[], number>, tasks: LmdbTasks, totals: () => Totals) {
    this.#log = log;
    this.#tasks = tasks;
    this.#totals = totals;
  }

  get tasks(): number {
    return this.#totals().settledTasks;
  }

  get bytes(): number {
    return this.#totals().settledBytes;
  }

  add(row: LmdbRow): void {
    const totals = this.#totals();
    totals.settledSeq += 1;
    totals.settledTasks += 1;
    totals.settledBytes += row.resultBytes + row.payloadBytes;
    row.settledSeq = totals.settledSeq;
    this.#tasks.touch(row);
    const last = this.#news.at(-1);
    if (last !== undefined && last.taskIds.length < CHUNK_MAX) last.taskIds.push(row.taskId);
    else this.#news.push({ first: row.settledSeq, taskIds: [row.taskId] });
  }

  drop(row: LmdbRow): void {
    const totals = this.#totals();
    totals.settledTasks -= 1;
    totals.settledBytes -= row.resultBytes + row.payloadBytes;
    // Mostly it is the oldest, and nobody needs to look for it where it was.
    if (row.settledSeq === totals.settledFrom) totals.settledFrom += 1;
  }

  oldest(): LmdbRow | undefined {
    for (let chunk = this.#first(); chunk !== undefined; chunk = this.#first()) {
      const row = this.#firstOf(chunk);
      if (row !== undefined) return row;
      this.#remove(chunk);
    }
    return undefined;
  }

  /** Writes what has settled in this transaction. */
  write(): void {
    for (const { first, taskIds } of this.#news) this.#log.putSync(first, taskIds);
    this.#news = [];
  }

  /** Forgets what it knows: another process may change it from now on. */
  reset(): void {
    this.#oldest = null;
    this.#news = [];
  }

  #first(): Chunk | undefined {
    this.#oldest ??= this.#read();
    return this.#oldest ?? this.#news[0];
  }

  #read(): Chunk | null {
    const [found] = this.#log.getRange({ limit: 1 });
    return found === undefined ? null : { first: found.key, taskIds: found.value };
  }

  /** The first in a chunk that still has the place in which it settled. */
  #firstOf({ first, taskIds }: Chunk): LmdbRow | undefined {
    const totals = this.#totals();
    for (let at = Math.max(0, totals.settledFrom - first); at < taskIds.length; at += 1) {
      totals.settledFrom = first + at;
      const row = this.#tasks.get(taskIds[at] ?? '');
      if (row !== undefined && isOutcome(row.status) && row.settledSeq === first + at) return row;
    }
    totals.settledFrom = first + taskIds.length;
    return undefined;
  }

  #remove(chunk: Chunk): void {
    if (chunk !== this.#oldest) {
      this.#news.shift();
      return;
    }
    this.#log.removeSync(chunk.first);
    this.#oldest = null;
  }
}

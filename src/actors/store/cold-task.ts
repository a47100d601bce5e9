/**
 * A waiting task that is kept small: the few facts that tell it from others of its kind, and nothing of what a row has for
 * what may happen to it. It becomes a row again, the same one, when its turn comes or somebody asks for it. A row takes 1.4
 * kB, this 0.3; which of the two a task is changes no answer.
 */
import type { Place } from '../../machines/policies/rank.ts';
import { type MemoryRow, memoryRow } from './memory-row.ts';
import { NO_BYTES, newRow } from './task-row.ts';

/** What the tasks of one kind have in common. */
interface Kind {
  readonly type: string;
  readonly queue: string;
  readonly needs: readonly string[];
  readonly priority: number;
  readonly timeoutMs: number;
  readonly attemptsMax: number;
  readonly origin: string | null;
  readonly client: string | null;
}

export class ColdTask implements Place {
  readonly taskId: string;
  readonly kind: Kind;
  readonly rank: number;
  readonly seq: number;
  readonly submittedMs: number;
  readonly createdAt: number;
  /** When the store was told, by the wall clock: milliseconds after `createdAt`. */
  readonly toldAfterMs: number;
  /** Where its payload lies. */
  readonly slab: ArrayBufferLike;
  readonly at: number;
  readonly payloadBytes: number;
  /** Until it is a row again. */
  status: 'pending' | 'warmed' = 'pending';

  constructor(row: MemoryRow, kind: Kind, toldAfterMs: number) {
    const { buffer, byteOffset } = row.payload ?? NO_BYTES;
    this.taskId = row.taskId;
    this.kind = kind;
    this.rank = row.rank;
    this.seq = row.seq;
    this.submittedMs = row.submittedMs;
    this.createdAt = row.createdAt;
    this.toldAfterMs = toldAfterMs;
    this.slab = buffer;
    this.at = byteOffset;
    this.payloadBytes = row.payloadBytes;
  }

  get queue(): string {
    return this.kind.queue;
  }

  /** The row that it stands for. */
  toRow(): MemoryRow {
    const { taskId, kind, createdAt, submittedMs, rank, seq, slab, at, payloadBytes } = this;
    const { origin, client, ...common } = kind;
    const payload = payloadBytes === 0 ? NO_BYTES : new Uint8Array(slab, at, payloadBytes);
    const task = {
      ...common,
      taskId,
      payload,
      createdAt,
      ...(origin === null ? {} : { origin }),
      ...(client === null ? {} : { client }),
    };
    const row = memoryRow(newRow(task, { rank, seq }, submittedMs));
    row.payload = payload;
    row.payloadBytes = payloadBytes;
    row.entries = 1;
    row.history.push({ n: 1, at: createdAt + this.toldAfterMs, event: 'task.submitted', attempt: 0 });
    return row;
  }
}

/** Makes cold tasks of rows, and knows their kinds. */
export class Cooler {
  readonly #kinds = new Map<string, Kind>();
  #last: Kind | null = null;

  /** The row as a cold task; null if there is more to it than a cold task can say. */
  cooled(row: MemoryRow): ColdTask | null {
    if (!isFresh(row) || isSpecial(row)) return null;
    const toldAfterMs = (row.history[0]?.at ?? 0) - row.createdAt;
    // What does not come back exactly is not taken apart.
    if (row.createdAt + toldAfterMs !== row.history[0]?.at) return null;
    return new ColdTask(row, this.#kindOf(row), toldAfterMs);
  }

  #kindOf(row: MemoryRow): Kind {
    // Tasks of one kind come one after another.
    if (this.#last === null || !isOf(this.#last, row)) this.#last = this.#sharedKindOf(row);
    return this.#last;
  }

  #sharedKindOf({ type, queue, needs, priority, timeoutMs, attemptsMax, origin, client }: MemoryRow): Kind {
    const name = `${priority} ${timeoutMs} ${attemptsMax} ${origin ?? ''} ${client ?? ''} ${type} ${needs.join('+')} ${queue}`;
    let kind = this.#kinds.get(name);
    if (kind === undefined) {
      kind = { type, queue, needs, priority, timeoutMs, attemptsMax, origin, client };
      // Only to share them: beyond this many, the next ones share anew.
      if (this.#kinds.size >= KINDS_MAX) this.#kinds.clear();
      this.#kinds.set(name, kind);
    }
    return kind;
  }
}

const KINDS_MAX = 10_000;

function isOf(
  kind: Kind,
  { type, queue, needs, priority, timeoutMs, attemptsMax, origin, client }: MemoryRow,
): boolean {
  if (kind.queue !== queue || kind.type !== type || kind.priority !== priority) return false;
  if (kind.timeoutMs !== timeoutMs || kind.attemptsMax !== attemptsMax || kind.origin !== origin) return false;
  if (kind.client !== client) return false;
  return kind.needs.length === needs.length && kind.needs.every((need, index) => need === needs[index]);
}

/** Nothing has happened to it but its submit. */
function isFresh(row: MemoryRow): boolean {
  const { history, status, attempt, entries, submittedMs } = row;
  const [told] = history;
  if (status !== 'pending' || attempt !== 0 || entries !== 1 || history.length !== 1 || row.checkpoint !== null)
    return false;
  if (row.countedSinceMs !== submittedMs || row.timeMs !== submittedMs || row.dueMs !== 0) return false;
  return told?.event === 'task.submitted' && told.detail === undefined && told.node === undefined;
}

/** It has something that most tasks do not. */
function isSpecial(row: MemoryRow): boolean {
  const { key, prefer, affinityKey, fairKey, limit, after, ttlMs, deadlineMs } = row;
  if (key !== null || prefer !== null || affinityKey !== null || fairKey !== null || limit !== null) return true;
  return after !== null || ttlMs !== null || deadlineMs !== null || row.dependents > 0 || row.isSpaced;
}

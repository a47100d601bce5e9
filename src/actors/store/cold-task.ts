/**
 * A waiting task that is kept small: the few facts that tell it from others of its kind, and nothing of what a row has for
 * what may happen to it. It becomes a row when its turn comes or somebody asks for it. A row takes 1.4 kB, this 0.3; which
 * of the two a task is changes no answer.
 */
import type { Place } from '../../machines/policies/rank.ts';
import type { MemoryRow } from './memory-row.ts';
import type { NewTask } from './new-task.ts';
import type { Slabs } from './slabs.ts';
import { NO_BYTES } from './task-row.ts';

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

/** When a task was submitted, by the clock of the store and by that on the wall. */
export interface Told {
  readonly nowMs: number;
  readonly at: number;
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
  /** Until it is a row. */
  status: 'pending' | 'warmed' = 'pending';

  /** Copies the payload. */
  constructor(task: NewTask, kind: Kind, place: Place, told: Told, slabs: Slabs) {
    this.taskId = task.taskId;
    this.kind = kind;
    this.rank = place.rank;
    this.seq = place.seq;
    this.submittedMs = told.nowMs;
    this.createdAt = task.createdAt;
    this.toldAfterMs = told.at - task.createdAt;
    this.at = slabs.keep(task.payload);
    this.slab = slabs.buffer;
    this.payloadBytes = task.payload.byteLength;
  }

  get queue(): string {
    return this.kind.queue;
  }

  /**
   * The row that it stands for. Written out, in the order of `newRow`: what is copied from a kind or a row and added to is
   * a dictionary to V8, or an object in several pieces.
   */
  toRow(): MemoryRow {
    const { taskId, kind, createdAt, submittedMs, rank, seq, slab, at, payloadBytes } = this;
    return {
      taskId,
      type: kind.type,
      queue: kind.queue,
      needs: kind.needs,
      priority: kind.priority,
      timeoutMs: kind.timeoutMs,
      attemptsMax: kind.attemptsMax,
      key: null,
      status: 'pending',
      attempt: 0,
      attemptsStarted: 0,
      failures: 0,
      crashes: 0,
      cancelRequested: false,
      owner: null,
      origin: kind.origin,
      node: null,
      lastNode: null,
      prefer: null,
      affinityKey: null,
      fairKey: null,
      createdAt,
      startedAt: null,
      finishedAt: null,
      queuedMs: 0,
      runMs: 0,
      error: null,
      rank,
      seq,
      client: kind.client,
      submittedMs,
      timeMs: submittedMs,
      isSpaced: false,
      limit: null,
      after: null,
      dependencies: null,
      dependents: 0,
      ttlMs: null,
      deadlineMs: null,
      countedSinceMs: submittedMs,
      hasStarted: false,
      startedMs: 0,
      dueMs: 0,
      finishedMs: 0,
      settledBy: 0,
      payloadBytes,
      resultBytes: 0,
      checkpointBytes: 0,
      entries: 1,
      payload: payloadBytes === 0 ? NO_BYTES : new Uint8Array(slab, at, payloadBytes),
      result: null,
      checkpoint: null,
      history: [{ n: 1, at: createdAt + this.toldAfterMs, event: 'task.submitted', attempt: 0 }],
      expiry: null,
      deadline: null,
      isForgotten: false,
    };
  }
}

/** The kinds of cold tasks. */
export class Kinds {
  readonly #kinds = new Map<string, Kind>();
  #last: Kind | null = null;

  /** The kind of a new task; null if there is more to it than a cold task can say. */
  of(task: NewTask, { at }: Told): Kind | null {
    // What does not come back exactly is not taken apart.
    if (isSpecial(task) || task.createdAt + (at - task.createdAt) !== at) return null;
    // Tasks of one kind come one after another.
    if (this.#last === null || !isOf(this.#last, task)) this.#last = this.#shared(task);
    return this.#last;
  }

  #shared({ type, queue, needs, priority, timeoutMs, attemptsMax, origin, client }: NewTask): Kind {
    const name = `${priority} ${timeoutMs} ${attemptsMax} ${origin ?? ''} ${client ?? ''} ${type} ${needs.join('+')} ${queue}`;
    let kind = this.#kinds.get(name);
    if (kind === undefined) {
      const shared = { type, queue, needs: Object.freeze([...needs]), priority, timeoutMs, attemptsMax };
      kind = { ...shared, origin: origin ?? null, client: client ?? null };
      // Only to share them: beyond this many, the next ones share anew.
      if (this.#kinds.size >= KINDS_MAX) this.#kinds.clear();
      this.#kinds.set(name, kind);
    }
    return kind;
  }
}

const KINDS_MAX = 10_000;

function isOf(kind: Kind, task: NewTask): boolean {
  const { type, queue, needs, priority, timeoutMs, attemptsMax, origin, client } = task;
  if (kind.queue !== queue || kind.type !== type || kind.priority !== priority) return false;
  if (kind.timeoutMs !== timeoutMs || kind.attemptsMax !== attemptsMax) return false;
  if (kind.origin !== (origin ?? null) || kind.client !== (client ?? null)) return false;
  return kind.needs.length === needs.length && kind.needs.every((need, index) => need === needs[index]);
}

/** It has something that most tasks do not. */
function isSpecial(task: NewTask): boolean {
  if (task.key !== undefined || task.prefer !== undefined || task.affinityKey !== undefined) return true;
  if (task.fairKey !== undefined || task.limit !== undefined || task.after !== undefined) return true;
  return (task.delayMs ?? 0) > 0 || task.ttlMs !== undefined || task.deadlineMs !== undefined;
}

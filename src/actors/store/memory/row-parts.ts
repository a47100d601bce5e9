/**
 * What a task of the memory store has beside its name and its place: a course, once something has happened to it, and what
 * only few tasks have. A task without them shares the empty ones here, into which nothing is ever written.
 */
import type { Failure } from '../../../protocol/failure.ts';
import type { Dependencies, TaskLimit } from '../new-task.ts';
import type { PackedHistory } from './packed-history.ts';

/** A time at which a task fails if it waits then. */
export interface Expiry {
  readonly atMs: number;
  isOver: boolean;
}

export class Course {
  attempt = 0;
  attemptsStarted = 0;
  failures = 0;
  crashes = 0;
  cancelRequested = false;
  owner: string | null = null;
  node: string | null = null;
  lastNode: string | null = null;
  startedAt: number | null = null;
  finishedAt: number | null = null;
  queuedMs = 0;
  runMs = 0;
  error: Failure | null = null;
  hasStarted = false;
  startedMs = 0;
  finishedMs = 0;
  settledBy = 0;
  resultBytes = 0;
  entries = 1;
  result: ArrayBufferLike | null = null;
  resultAt = 0;
  history: PackedHistory;

  constructor(history: PackedHistory) {
    this.history = history;
  }
}

export class Extra {
  key: string | null = null;
  prefer: string | null = null;
  affinityKey: string | null = null;
  fairKey: string | null = null;
  limit: TaskLimit | null = null;
  after: Dependencies | null = null;
  ttlMs: number | null = null;
  deadlineMs: number | null = null;
  isSpaced = false;
  dependencies: Set<string> | null = null;
  dependents = 0;
  dueMs = 0;
  checkpointBytes = 0;
  checkpoint: Uint8Array | null = null;
  expiry: Expiry | null = null;
  deadline: Expiry | null = null;
  timeMs: number;
  countedSinceMs: number;

  constructor(timeMs: number, countedSinceMs: number) {
    this.timeMs = timeMs;
    this.countedSinceMs = countedSinceMs;
  }
}

export const NO_COURSE = new Course([]);
export const NO_EXTRA = new Extra(0, 0);

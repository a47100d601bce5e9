/** Rows of the memory store that are made from rows in the common form: of tasks that have more to them, and of redriven ones. */

import type { TaskRow } from '../task-row.ts';
import { MemoryRow } from './memory-row.ts';
import { Course, Extra } from './row-parts.ts';
import type { Kind } from './task-kinds.ts';

/** A row whose history is still to be told, or the successor of `old`. */
export function rowOf(row: TaskRow, kind: Kind, old?: MemoryRow): MemoryRow {
  const own = new MemoryRow(row, kind, row, { nowMs: row.submittedMs, at: row.createdAt });
  const course = new Course(old?.history ?? []);
  course.attempt = row.attempt;
  course.attemptsStarted = row.attemptsStarted;
  course.failures = row.failures;
  course.crashes = row.crashes;
  course.cancelRequested = row.cancelRequested;
  course.owner = row.owner;
  course.node = row.node;
  course.lastNode = row.lastNode;
  course.startedAt = row.startedAt;
  course.finishedAt = row.finishedAt;
  course.queuedMs = row.queuedMs;
  course.runMs = row.runMs;
  course.error = row.error;
  course.hasStarted = row.hasStarted;
  course.startedMs = row.startedMs;
  course.finishedMs = row.finishedMs;
  course.settledBy = row.settledBy;
  course.entries = row.entries;
  const extra = new Extra(row.timeMs, row.countedSinceMs);
  extra.key = row.key;
  extra.prefer = row.prefer;
  extra.affinityKey = row.affinityKey;
  extra.fairKey = row.fairKey;
  extra.limit = row.limit;
  extra.after = row.after;
  extra.ttlMs = row.ttlMs;
  extra.deadlineMs = row.deadlineMs;
  extra.isSpaced = row.isSpaced;
  extra.dependencies = row.dependencies;
  extra.dependents = row.dependents;
  extra.dueMs = row.dueMs;
  own.course = course;
  own.extra = extra;
  if (old === undefined) return own;
  own.payload = old.payload;
  own.payloadAt = old.payloadAt;
  own.payloadBytes = old.payloadBytes;
  course.result = old.course.result;
  course.resultAt = old.course.resultAt;
  course.resultBytes = old.resultBytes;
  extra.checkpoint = old.checkpoint;
  extra.checkpointBytes = old.checkpointBytes;
  return own;
}

/**
 * A task in the memory store: one object from its submit until it is forgotten. What few tasks have, and what none has
 * before its turn comes, lies in objects of its own, made when there is something to write into them: a task that waits
 * takes 0.3 kB beside its payload, and nothing of it is copied when its turn comes.
 */
import type { Place } from '../../../machines/policies/rank.ts';
import type { Failure } from '../../../protocol/failure.ts';
import type { TaskStatus } from '../../../protocol/task.ts';
import type { Dependencies, NewTask, TaskLimit } from '../new-task.ts';
import { NO_BYTES, type TaskRow } from '../task-row.ts';
import { type PackedHistory, submittedHistory } from './packed-history.ts';
import { Course, type Expiry, Extra, NO_COURSE, NO_EXTRA } from './row-parts.ts';
import type { Kind } from './task-kinds.ts';

export class MemoryRow implements TaskRow {
  readonly taskId: string;
  readonly kind: Kind;
  status: TaskStatus = 'pending';
  rank: number;
  readonly seq: number;
  readonly submittedMs: number;
  readonly createdAt: number;
  /** When the store was told, by the wall clock: milliseconds after `createdAt`. */
  readonly toldAfterMs: number;
  /** True once the store no longer knows the task, or knows it by another row. */
  isForgotten = false;
  /** Where its payload lies, in memory that it shares with others. */
  payload: ArrayBufferLike | null = null;
  payloadAt = 0;
  payloadBytes = 0;
  course: Course = NO_COURSE;
  extra = NO_EXTRA;

  /** A task that waits for nothing but its turn. */
  constructor(
    { taskId, createdAt }: Pick<NewTask, 'taskId' | 'createdAt'>,
    kind: Kind,
    { rank, seq }: Place,
    { nowMs, at }: { nowMs: number; at: number },
  ) {
    this.taskId = taskId;
    this.kind = kind;
    this.rank = rank;
    this.seq = seq;
    this.submittedMs = nowMs;
    this.createdAt = createdAt;
    this.toldAfterMs = at - createdAt;
  }

  /** The course of this task alone. */
  ownCourse(): Course {
    if (this.course === NO_COURSE) this.course = new Course(submittedHistory(this.toldAfterMs));
    return this.course;
  }

  #ownExtra(): Extra {
    if (this.extra === NO_EXTRA) this.extra = new Extra(this.submittedMs, this.submittedMs);
    return this.extra;
  }

  get history(): PackedHistory {
    return this.course === NO_COURSE ? submittedHistory(this.toldAfterMs) : this.course.history;
  }

  /** The payload: a view of what the store keeps. */
  payloadView(): Uint8Array | null {
    return viewOf(this.payload, this.payloadAt, this.payloadBytes);
  }

  resultView(): Uint8Array | null {
    const { result, resultAt, resultBytes } = this.course;
    return viewOf(result, resultAt, resultBytes);
  }

  get type(): string {
    return this.kind.type;
  }

  get queue(): string {
    return this.kind.queue;
  }

  get needs(): readonly string[] {
    return this.kind.needs;
  }

  get priority(): number {
    return this.kind.priority;
  }

  get timeoutMs(): number {
    return this.kind.timeoutMs;
  }

  get attemptsMax(): number {
    return this.kind.attemptsMax;
  }

  get origin(): string | null {
    return this.kind.origin;
  }

  get client(): string | null {
    return this.kind.client;
  }

  get attempt(): number {
    return this.course.attempt;
  }
  set attempt(value: number) {
    this.ownCourse().attempt = value;
  }

  get attemptsStarted(): number {
    return this.course.attemptsStarted;
  }
  set attemptsStarted(value: number) {
    this.ownCourse().attemptsStarted = value;
  }

  get failures(): number {
    return this.course.failures;
  }
  set failures(value: number) {
    this.ownCourse().failures = value;
  }

  get crashes(): number {
    return this.course.crashes;
  }
  set crashes(value: number) {
    this.ownCourse().crashes = value;
  }

  get cancelRequested(): boolean {
    return this.course.cancelRequested;
  }
  set cancelRequested(value: boolean) {
    this.ownCourse().cancelRequested = value;
  }

  get owner(): string | null {
    return this.course.owner;
  }
  set owner(value: string | null) {
    this.ownCourse().owner = value;
  }

  get node(): string | null {
    return this.course.node;
  }
  set node(value: string | null) {
    this.ownCourse().node = value;
  }

  get lastNode(): string | null {
    return this.course.lastNode;
  }
  set lastNode(value: string | null) {
    this.ownCourse().lastNode = value;
  }

  get startedAt(): number | null {
    return this.course.startedAt;
  }
  set startedAt(value: number | null) {
    this.ownCourse().startedAt = value;
  }

  get finishedAt(): number | null {
    return this.course.finishedAt;
  }
  set finishedAt(value: number | null) {
    this.ownCourse().finishedAt = value;
  }

  get queuedMs(): number {
    return this.course.queuedMs;
  }
  set queuedMs(value: number) {
    this.ownCourse().queuedMs = value;
  }

  get runMs(): number {
    return this.course.runMs;
  }
  set runMs(value: number) {
    this.ownCourse().runMs = value;
  }

  get error(): Failure | null {
    return this.course.error;
  }
  set error(value: Failure | null) {
    this.ownCourse().error = value;
  }

  get hasStarted(): boolean {
    return this.course.hasStarted;
  }
  set hasStarted(value: boolean) {
    this.ownCourse().hasStarted = value;
  }

  get startedMs(): number {
    return this.course.startedMs;
  }
  set startedMs(value: number) {
    this.ownCourse().startedMs = value;
  }

  get finishedMs(): number {
    return this.course.finishedMs;
  }
  set finishedMs(value: number) {
    this.ownCourse().finishedMs = value;
  }

  get settledBy(): number {
    return this.course.settledBy;
  }
  set settledBy(value: number) {
    this.ownCourse().settledBy = value;
  }

  get resultBytes(): number {
    return this.course.resultBytes;
  }
  set resultBytes(value: number) {
    this.ownCourse().resultBytes = value;
  }

  get entries(): number {
    return this.course.entries;
  }
  set entries(value: number) {
    this.ownCourse().entries = value;
  }

  get key(): string | null {
    return this.extra.key;
  }

  get prefer(): string | null {
    return this.extra.prefer;
  }

  get affinityKey(): string | null {
    return this.extra.affinityKey;
  }

  get fairKey(): string | null {
    return this.extra.fairKey;
  }

  get limit(): TaskLimit | null {
    return this.extra.limit;
  }

  get after(): Dependencies | null {
    return this.extra.after;
  }

  get ttlMs(): number | null {
    return this.extra.ttlMs;
  }

  get deadlineMs(): number | null {
    return this.extra.deadlineMs;
  }

  get isSpaced(): boolean {
    return this.extra.isSpaced;
  }
  set isSpaced(value: boolean) {
    if (this.extra.isSpaced !== value) this.#ownExtra().isSpaced = value;
  }

  get dependencies(): Set<string> | null {
    return this.extra.dependencies;
  }
  set dependencies(value: Set<string> | null) {
    if (this.extra.dependencies !== value) this.#ownExtra().dependencies = value;
  }

  get dependents(): number {
    return this.extra.dependents;
  }
  set dependents(value: number) {
    if (this.extra.dependents !== value) this.#ownExtra().dependents = value;
  }

  get dueMs(): number {
    return this.extra.dueMs;
  }
  set dueMs(value: number) {
    if (this.extra.dueMs !== value) this.#ownExtra().dueMs = value;
  }

  get checkpointBytes(): number {
    return this.extra.checkpointBytes;
  }
  set checkpointBytes(value: number) {
    if (this.extra.checkpointBytes !== value) this.#ownExtra().checkpointBytes = value;
  }

  get checkpoint(): Uint8Array | null {
    return this.extra.checkpoint;
  }
  set checkpoint(value: Uint8Array | null) {
    if (this.extra.checkpoint !== value) this.#ownExtra().checkpoint = value;
  }

  get expiry(): Expiry | null {
    return this.extra.expiry;
  }
  set expiry(value: Expiry | null) {
    if (this.extra.expiry !== value) this.#ownExtra().expiry = value;
  }

  get deadline(): Expiry | null {
    return this.extra.deadline;
  }
  set deadline(value: Expiry | null) {
    if (this.extra.deadline !== value) this.#ownExtra().deadline = value;
  }

  get timeMs(): number {
    return this.extra === NO_EXTRA ? this.submittedMs : this.extra.timeMs;
  }
  set timeMs(value: number) {
    this.#ownExtra().timeMs = value;
  }

  get countedSinceMs(): number {
    return this.extra === NO_EXTRA ? this.submittedMs : this.extra.countedSinceMs;
  }
}

function viewOf(buffer: ArrayBufferLike | null, at: number, bytes: number): Uint8Array | null {
  if (buffer === null) return null;
  return bytes === 0 ? NO_BYTES : new Uint8Array(buffer, at, bytes);
}

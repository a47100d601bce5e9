/**
 * The store in memory: the default in tests and when Pincer is embedded, and the model that every other store is
 * compared to. Nothing outlives the process. Verbs about tasks are here, those about all else in memory-board.ts, what
 * attempts may do in attempts.ts, rows and indexes in task-table.ts.
 *
 * Each verb does its work before it returns its promise, so calls take effect in the order in which they were made.
 */
import type { AttemptRef } from '../../protocol/identifier.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { Clock, Ids } from '../../protocol/ports.ts';
import { type HistoryEntry, isOutcome } from '../../protocol/task.ts';
import { Attempts, type Note } from './attempts.ts';
import { MemoryBoard } from './memory-board.ts';
import type * as contract from './store.ts';
import { isWaiting, recordOf, type TaskRow } from './task-row.ts';
import { TaskTable } from './task-table.ts';

/** What a memory store needs. Limits that are left out keep their defaults. */
export interface MemoryStoreOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly limits?: Partial<Limits>;
}

/** A store whose tasks live as long as the process. Bounded by waitingTasksMax, waitingBytesMax, classesMax and settledTasksMax. */
export function createMemoryStore(options: MemoryStoreOptions): contract.Store {
  return new MemoryStore(options);
}

class MemoryStore extends MemoryBoard implements contract.Store {
  readonly kind = 'memory';
  readonly #ids: Ids;
  readonly #tasks: TaskTable;
  readonly #attempts: Attempts;

  constructor({ clock, ids, limits }: MemoryStoreOptions) {
    super(clock, { ...defaultLimits, ...limits });
    this.#ids = ids;
    this.#tasks = new TaskTable(clock, this.limits);
    this.#attempts = new Attempts(clock, this.#tasks, this.present);
  }

  async join(name: string, ttlMs: number): Promise<string> {
    this.mustBeOpen();
    const gateway = `${name}:${this.#ids()}`;
    this.present.add(gateway, ttlMs, this.clock.now());
    return gateway;
  }

  async leave(gateway: string): Promise<void> {
    this.mustBeOpen();
    const row = this.present.get(gateway);
    if (row === undefined) return;
    for (const task of row.owned) this.#takeBack(task, 'nothing', 'STOPPED');
    this.present.remove(row);
    this.directory.dropAllOf(gateway);
    this.#tellHints();
  }

  async submit(tasks: readonly contract.NewTask[]): Promise<readonly contract.SubmitVerdict[]> {
    this.mustBeOpen();
    const verdicts = tasks.map((task) => this.#submitOne(task));
    this.#tellHints();
    return verdicts;
  }

  async claim(
    gateway: string,
    wants: readonly contract.Want[],
    limit: number,
  ): Promise<readonly contract.Claimed[] | null> {
    this.mustBeOpen();
    const owner = this.present.get(gateway);
    if (owner === undefined) return null;
    // So that no retry is late, and nothing claimed too late, by the period of sweep. Each task is moved once, whoever comes first.
    this.#tasks.expire(Number.POSITIVE_INFINITY);
    this.#tasks.moveDue(Number.POSITIVE_INFINITY);
    this.#tasks.lines.limits.wakeDue(this.clock.now());
    const claimed = this.#tasks.takeReady(wants, limit).map((row) => this.#attempts.begin(owner, row));
    this.#tellHints();
    return claimed;
  }

  note(entries: readonly Note[]): void {
    if (!this.isOpen) return;
    for (const entry of entries) this.#attempts.note(entry);
  }

  async owned(gateway: string): Promise<readonly contract.Owned[]> {
    this.mustBeOpen();
    const owned = this.present.get(gateway)?.owned ?? [];
    return Array.from(owned, ({ taskId, attempt, cancelRequested }) => ({ taskId, attempt, cancelRequested }));
  }

  async adopt(gateway: string, node: string, refs: readonly AttemptRef[]): Promise<readonly boolean[] | null> {
    this.mustBeOpen();
    const owner = this.present.get(gateway);
    if (owner === undefined) return null;
    return refs.map((ref) => this.#attempts.adopt(owner, node, ref));
  }

  async complete(completions: readonly contract.Completion[]): Promise<readonly contract.CompletionVerdict[]> {
    this.mustBeOpen();
    const verdicts = completions.map((completion) => this.#attempts.complete(completion));
    this.#tellHints();
    return verdicts;
  }

  async release(gateway: string, releases: readonly contract.Release[]): Promise<readonly contract.ReleaseVerdict[]> {
    this.mustBeOpen();
    const owner = this.present.get(gateway);
    const verdicts = releases.map((release) =>
      owner === undefined ? 'stale' : this.#attempts.release(owner, release),
    );
    this.#tellHints();
    return verdicts;
  }

  async checkpoint(entries: readonly (AttemptRef & { readonly data: Uint8Array })[]): Promise<readonly boolean[]> {
    this.mustBeOpen();
    return entries.map((entry) => this.#attempts.checkpoint(entry, entry.data));
  }

  async cancel(taskIds: readonly string[]): Promise<readonly contract.CancelVerdict[]> {
    this.mustBeOpen();
    const verdicts = taskIds.map((taskId): contract.CancelVerdict => {
      const row = this.#tasks.get(taskId);
      if (row === undefined) return 'unknown';
      if (isOutcome(row.status)) return 'settled';
      this.#tasks.requestCancel(row);
      if (!isWaiting(row)) return 'cancelling';
      this.#tasks.settle(row, 'cancelled', 0, null);
      return 'cancelled';
    });
    this.#tellHints();
    return verdicts;
  }

  async redrive(taskIds: readonly string[]): Promise<readonly contract.RedriveVerdict[]> {
    this.mustBeOpen();
    const revived: TaskRow[] = [];
    const verdicts = taskIds.map((taskId): contract.RedriveVerdict => {
      const row = this.#tasks.get(taskId);
      if (row === undefined) return 'unknown';
      if (row.status !== 'failed' && row.status !== 'cancelled') return 'notFailed';
      revived.push(this.#tasks.revive(row));
      return 'pending';
    });
    // Only now, so that in whichever order they are named they wait for one another.
    for (const row of revived) this.#tasks.resume(row);
    this.#tellHints();
    return verdicts;
  }

  async sweep(gateway: string, limit: number): Promise<contract.Sweep> {
    this.mustBeOpen();
    const nowMs = this.clock.now();
    const sweeper = this.present.get(gateway);
    const dead = sweeper === undefined ? [] : this.present.fenceLapsed(sweeper, nowMs);
    for (const lapsed of dead) this.directory.dropAllOf(lapsed);
    let moved = 0;
    let requeued = 0;
    for (const row of this.present.orphans()) {
      if (moved >= limit) break;
      moved += 1;
      if (this.#takeBack(row, 'crash', 'FENCED') === 'pending') requeued += 1;
    }
    const expired = this.#tasks.expire(limit - moved);
    const due = this.#tasks.moveDue(limit - moved - expired);
    this.#tasks.lines.limits.wakeDue(nowMs);
    this.locks.forgetLapsed(nowMs);
    this.#tellHints();
    return { dead, requeued, due, expired };
  }

  async get(taskId: string): Promise<contract.TaskRecord | null> {
    this.mustBeOpen();
    const row = this.#tasks.get(taskId);
    return row === undefined ? null : recordOf(row, this.clock.now());
  }

  async result(taskId: string): Promise<Uint8Array | null> {
    this.mustBeOpen();
    return this.#tasks.get(taskId)?.result ?? null;
  }

  async history(taskId: string): Promise<readonly HistoryEntry[]> {
    this.mustBeOpen();
    return (this.#tasks.get(taskId)?.history ?? []).map((entry) => ({ ...entry }));
  }

  async limit(key: string): Promise<contract.LimitUse | null> {
    this.mustBeOpen();
    return this.#tasks.lines.limits.use(key, this.clock.now());
  }

  async ahead(taskId: string): Promise<number | null> {
    this.mustBeOpen();
    const row = this.#tasks.get(taskId);
    return row?.status === 'pending' ? this.#tasks.lines.ready.ahead(row) : null;
  }

  async list(filter: contract.ListFilter): Promise<contract.TaskPage> {
    this.mustBeOpen();
    const { counts, list } = this.#tasks;
    return list.page(filter, { counts, limitMax: this.limits.listMax, nowMs: this.clock.now() });
  }

  async stats(): Promise<contract.StoreStats> {
    this.mustBeOpen();
    return { byStatus: { ...this.#tasks.counts }, ready: this.#tasks.lines.ready.sizes() };
  }

  async purge(olderThanMs: number, limit: number): Promise<number> {
    this.mustBeOpen();
    return this.#tasks.purge(olderThanMs, limit);
  }

  #submitOne(task: contract.NewTask): contract.SubmitVerdict {
    const known = this.#tasks.get(task.taskId) ?? this.#tasks.byKey(task.key);
    if (known !== undefined && known.taskId !== task.taskId && known.type !== task.type) {
      const message = `the key belongs to task ${known.taskId} of type ${known.type}`;
      return { taskId: task.taskId, refused: 'KEY_CONFLICT', message };
    }
    if (known !== undefined) return { taskId: known.taskId, created: false, status: known.status };
    const missing = task.after?.taskIds.find((taskId) => this.#tasks.get(taskId) === undefined);
    if (missing !== undefined) {
      const message = `the task is to run after ${missing}, and no task with that id is known`;
      return { taskId: task.taskId, refused: 'TASK_UNKNOWN', message };
    }
    const refusal = this.#tasks.room.refusal(task.queue, task.payload.byteLength, this.clock.now());
    if (refusal !== null) return { taskId: task.taskId, refused: 'QUEUE_FULL', ...refusal };
    return { taskId: task.taskId, created: true, status: this.#tasks.admit(task).status };
  }

  /** Ends an attempt whose gateway is gone. */
  #takeBack(row: TaskRow, costs: 'crash' | 'nothing', code: string): contract.ReleaseVerdict {
    const verdict = this.#attempts.giveBack(row, { costs, delayMs: 0 }, code);
    if (verdict === 'cancelled' || verdict === 'failed') this.#tasks.noteUntold(row);
    return verdict;
  }

  #tellHints(): void {
    this.tellReady(this.#tasks.lines.takeReadied());
    this.tellSettled(this.#tasks.takeUntold());
  }
}

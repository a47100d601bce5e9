/**
 * The store in memory: the default in tests and when Pincer is embedded, and the model that every other store is
 * compared to. Nothing outlives the process. Verbs are here, what attempts may do in
 * attempts.ts, rows and indexes in task-table.ts.
 *
 * Each verb does its work before it returns its promise, so calls take effect in the order in which they were made.
 */
import { PincerError } from '../../protocol/failure.ts';
import type { AttemptRef } from '../../protocol/identifier.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { Clock, Ids } from '../../protocol/ports.ts';
import { type HistoryEntry, isOutcome } from '../../protocol/task.ts';
import { Attempts, type Note } from './attempts.ts';
import { GatewayRows } from './gateway-rows.ts';
import { LockRows } from './lock-rows.ts';
import type * as contract from './store.ts';
import { copyOf, isWaiting, recordOf } from './task-row.ts';
import { TaskTable } from './task-table.ts';
import { Topics } from './topics.ts';

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

class MemoryStore implements contract.Store {
  readonly kind = 'memory';
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #limits: Limits;
  readonly #tasks: TaskTable;
  readonly #gateways = new GatewayRows();
  readonly #attempts: Attempts;
  readonly #locks = new LockRows();
  readonly #topics: Topics<Uint8Array>;
  readonly #ready: Topics<readonly string[]>;
  #isOpen = false;

  constructor({ clock, ids, limits }: MemoryStoreOptions) {
    this.#clock = clock;
    this.#ids = ids;
    this.#limits = { ...defaultLimits, ...limits };
    this.#tasks = new TaskTable(clock, this.#limits);
    this.#attempts = new Attempts(clock, this.#tasks, this.#gateways);
    this.#topics = new Topics(clock);
    this.#ready = new Topics(clock);
  }

  async open(): Promise<void> {
    this.#isOpen = true;
  }

  async close(): Promise<void> {
    this.#isOpen = false;
  }

  async join(name: string, ttlMs: number): Promise<string> {
    this.#mustBeOpen();
    const gateway = `${name}:${this.#ids()}`;
    this.#gateways.add(gateway, ttlMs, this.#clock.now());
    return gateway;
  }

  async renew(gateway: string, ttlMs: number): Promise<boolean> {
    this.#mustBeOpen();
    const row = this.#gateways.get(gateway);
    if (row !== undefined) this.#gateways.renew(row, ttlMs, this.#clock.now());
    return row !== undefined;
  }

  async leave(gateway: string): Promise<void> {
    this.#mustBeOpen();
    const row = this.#gateways.get(gateway);
    if (row === undefined) return;
    for (const task of row.owned) this.#attempts.giveBack(task, { costs: 'nothing', delayMs: 0 }, 'STOPPED');
    this.#gateways.remove(row);
    this.#tellReady();
  }

  async submit(tasks: readonly contract.NewTask[]): Promise<readonly contract.SubmitVerdict[]> {
    this.#mustBeOpen();
    const verdicts = tasks.map((task) => this.#submitOne(task));
    this.#tellReady();
    return verdicts;
  }

  async claim(
    gateway: string,
    wants: readonly contract.Want[],
    limit: number,
  ): Promise<readonly contract.Claimed[] | null> {
    this.#mustBeOpen();
    const owner = this.#gateways.get(gateway);
    if (owner === undefined) return null;
    // So that a retry is never late by the period of sweep. Each task is moved once, whoever comes first.
    this.#tasks.moveDue(Number.POSITIVE_INFINITY);
    const claimed = this.#tasks.takeReady(wants, limit).map((row) => this.#attempts.begin(owner, row));
    this.#tellReady();
    return claimed;
  }

  note(entries: readonly Note[]): void {
    if (!this.#isOpen) return;
    for (const entry of entries) this.#attempts.note(entry);
  }

  async owned(gateway: string): Promise<readonly AttemptRef[]> {
    this.#mustBeOpen();
    const owned = this.#gateways.get(gateway)?.owned ?? [];
    return Array.from(owned, ({ taskId, attempt }) => ({ taskId, attempt }));
  }

  async adopt(gateway: string, node: string, refs: readonly AttemptRef[]): Promise<readonly boolean[] | null> {
    this.#mustBeOpen();
    const owner = this.#gateways.get(gateway);
    if (owner === undefined) return null;
    return refs.map((ref) => this.#attempts.adopt(owner, node, ref));
  }

  async complete(completions: readonly contract.Completion[]): Promise<readonly contract.CompletionVerdict[]> {
    this.#mustBeOpen();
    return completions.map((completion) => this.#attempts.complete(completion));
  }

  async release(gateway: string, releases: readonly contract.Release[]): Promise<readonly contract.ReleaseVerdict[]> {
    this.#mustBeOpen();
    const owner = this.#gateways.get(gateway);
    const verdicts = releases.map((release) =>
      owner === undefined ? 'stale' : this.#attempts.release(owner, release),
    );
    this.#tellReady();
    return verdicts;
  }

  async checkpoint(entries: readonly (AttemptRef & { readonly data: Uint8Array })[]): Promise<readonly boolean[]> {
    this.#mustBeOpen();
    return entries.map((entry) => this.#attempts.checkpoint(entry, entry.data));
  }

  async cancel(taskIds: readonly string[]): Promise<readonly contract.CancelVerdict[]> {
    this.#mustBeOpen();
    return taskIds.map((taskId) => {
      const row = this.#tasks.get(taskId);
      if (row === undefined) return 'unknown';
      if (isOutcome(row.status)) return 'settled';
      this.#tasks.requestCancel(row);
      if (!isWaiting(row)) return 'cancelling';
      this.#tasks.settle(row, 'cancelled', 0, null);
      return 'cancelled';
    });
  }

  async sweep(gateway: string, limit: number): Promise<contract.Sweep> {
    this.#mustBeOpen();
    const nowMs = this.#clock.now();
    const sweeper = this.#gateways.get(gateway);
    const dead = sweeper === undefined ? [] : this.#gateways.fenceLapsed(sweeper, nowMs);
    let moved = 0;
    let requeued = 0;
    for (const row of this.#gateways.orphans()) {
      if (moved >= limit) break;
      moved += 1;
      if (this.#attempts.giveBack(row, { costs: 'crash', delayMs: 0 }, 'FENCED') === 'pending') requeued += 1;
    }
    const due = this.#tasks.moveDue(limit - moved);
    this.#locks.forgetLapsed(nowMs);
    this.#tellReady();
    return { dead, requeued, due };
  }

  async lease(key: string, holder: string, ttlMs: number): Promise<{ readonly token: number } | null> {
    this.#mustBeOpen();
    return this.#locks.take(key, holder, ttlMs, this.#clock.now());
  }

  async unlease(key: string, token: number): Promise<void> {
    this.#mustBeOpen();
    this.#locks.free(key, token);
  }

  async get(taskId: string): Promise<contract.TaskRecord | null> {
    this.#mustBeOpen();
    const row = this.#tasks.get(taskId);
    return row === undefined ? null : recordOf(row);
  }

  async result(taskId: string): Promise<Uint8Array | null> {
    this.#mustBeOpen();
    return this.#tasks.get(taskId)?.result ?? null;
  }

  async history(taskId: string): Promise<readonly HistoryEntry[]> {
    this.#mustBeOpen();
    return (this.#tasks.get(taskId)?.history ?? []).map((entry) => ({ ...entry }));
  }

  async ahead(taskId: string): Promise<number | null> {
    this.#mustBeOpen();
    const row = this.#tasks.get(taskId);
    return row?.status === 'pending' ? this.#tasks.ready.ahead(row) : null;
  }

  async list(filter: contract.ListFilter): Promise<contract.TaskPage> {
    this.#mustBeOpen();
    return this.#tasks.list.page(filter, this.#tasks.counts, this.#limits.listMax);
  }

  async stats(): Promise<contract.StoreStats> {
    this.#mustBeOpen();
    return { byStatus: { ...this.#tasks.counts }, ready: this.#tasks.ready.sizes() };
  }

  async purge(olderThanMs: number, limit: number): Promise<number> {
    this.#mustBeOpen();
    return this.#tasks.purge(olderThanMs, limit);
  }

  publish(topic: string, bytes: Uint8Array): void {
    if (this.#isOpen && this.#topics.has(topic)) this.#topics.publish(topic, copyOf(bytes));
  }

  subscribe(topic: string, receive: (bytes: Uint8Array) => void): () => void {
    return this.#topics.subscribe(topic, receive);
  }

  onReady(notify: (queues: readonly string[]) => void): () => void {
    return this.#ready.subscribe('ready', notify);
  }

  #submitOne(task: contract.NewTask): contract.SubmitVerdict {
    const known = this.#tasks.get(task.taskId) ?? this.#tasks.byKey(task.key);
    if (known !== undefined && known.taskId !== task.taskId && known.type !== task.type) {
      const message = `the key belongs to task ${known.taskId} of type ${known.type}`;
      return { taskId: task.taskId, refused: 'KEY_CONFLICT', message };
    }
    if (known !== undefined) return { taskId: known.taskId, created: false, status: known.status };
    const refusal = this.#tasks.room.refusal(task.queue, task.payload.byteLength, this.#clock.now());
    if (refusal !== null) return { taskId: task.taskId, refused: 'QUEUE_FULL', ...refusal };
    return { taskId: task.taskId, created: true, status: this.#tasks.admit(task).status };
  }

  #tellReady(): void {
    const queues = this.#tasks.takeReadied();
    if (queues.length > 0) this.#ready.publish('ready', queues);
  }

  #mustBeOpen(): void {
    if (!this.#isOpen) throw new PincerError('STORE_UNAVAILABLE', 'the memory store is not open');
  }
}

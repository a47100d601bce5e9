/**
 * What the verbs of the contract do, written once for every store. Each works at once, on tables that it has to itself:
 * the memory store calls it as it is, a database inside a write transaction. What attempts may do is in attempts.ts, how
 * a task changes in task-table.ts.
 *
 * A verb throws a PincerError only before it has changed anything.
 */
import { PincerError } from '../../protocol/failure.ts';
import { type AttemptRef, plainText } from '../../protocol/identifier.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Clock } from '../../protocol/ports.ts';
import type { HistoryEntry } from '../../protocol/task.ts';
import { isOutcome } from '../../protocol/task-status.ts';
import { Attempts, type Note } from './attempts.ts';
import { DirectoryRows } from './directory-rows.ts';
import { GatewayRows } from './gateway-rows.ts';
import { LockRows } from './lock-rows.ts';
import { OrderRows } from './order-rows.ts';
import { ScheduleRows } from './schedule-rows.ts';
import type * as contract from './store.ts';
import type { Tables } from './tables.ts';
import { isWaiting, recordOf, type TaskRow } from './task-row.ts';
import { TaskTable } from './task-table.ts';

/** What a claim may clear away first, of each kind: so that after a long outage no claim takes longer than another. */
const CLEARED_PER_CLAIM_MAX = 500;

/** What the outside should be told after a change has been made. */
export interface Hints {
  /** Classes that have got claimable tasks. */
  readonly ready: readonly string[];
  /** Tasks that settled though no verdict says so. */
  readonly settled: readonly string[];
}

export class Verbs<Row extends TaskRow> {
  readonly schedules: ScheduleRows;
  readonly orders: OrderRows;
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #tasks: TaskTable<Row>;
  readonly #gateways: GatewayRows<Row>;
  readonly #attempts: Attempts<Row>;
  readonly #locks: LockRows;
  readonly #directory: DirectoryRows;

  constructor(clock: Clock, limits: Limits, tables: Tables<Row>) {
    this.#clock = clock;
    this.#limits = limits;
    this.#tasks = new TaskTable(clock, limits, tables);
    this.#gateways = new GatewayRows(tables.gateways, tables.owned);
    this.#attempts = new Attempts({ clock, limits }, this.#tasks, this.#gateways);
    this.#locks = new LockRows(tables.locks, () => tables.next('token'));
    this.#directory = new DirectoryRows(tables.nodes, () => tables.next('epoch'));
    this.orders = new OrderRows(limits.ordersMax, tables.orders);
    this.schedules = new ScheduleRows(limits.schedulesMax, tables.schedules);
  }

  /** What there is to tell since this was last asked. */
  takeHints(): Hints {
    return { ready: this.#tasks.lines.takeReadied(), settled: this.#tasks.takeUntold() };
  }

  join(gateway: string, ttlMs: number): string {
    this.#gateways.add(gateway, ttlMs, this.#clock.now());
    return gateway;
  }

  renew(gateway: string, ttlMs: number): boolean {
    const row = this.#gateways.get(gateway);
    if (row !== undefined) this.#gateways.renew(row, ttlMs, this.#clock.now());
    return row !== undefined;
  }

  leave(gateway: string): void {
    const row = this.#gateways.get(gateway);
    if (row === undefined) return;
    for (const task of this.#gateways.ownedBy(gateway)) this.#takeBack(task, 'nothing', 'STOPPED');
    this.#gateways.remove(row);
    this.#directory.dropAllOf(gateway);
  }

  gateways(): readonly contract.GatewayRecord[] {
    return this.#gateways.all(this.#clock.now());
  }

  putNodes(gateway: string, nodes: readonly contract.NodeEntry[]): readonly (number | null)[] | null {
    if (this.#gateways.get(gateway) === undefined) return null;
    return nodes.map((entry) => this.#directory.put(gateway, entry, this.#clock.now()));
  }

  dropNode(nodeId: string, epoch: number): boolean {
    return this.#directory.drop(nodeId, epoch);
  }

  nodes(): readonly contract.NodeRecord[] {
    return this.#directory.all(this.#clock.now());
  }

  submit(tasks: readonly contract.NewTask[]): readonly contract.SubmitVerdict[] {
    return tasks.map((task) => this.#submitOne(task));
  }

  claim(gateway: string, wants: readonly contract.Want[], limit: number): readonly contract.Claimed[] | null {
    const owner = this.#gateways.get(gateway);
    if (owner === undefined) return null;
    // So that no retry is late, and nothing claimed too late, by the period of sweep. Each task is moved once, whoever comes first.
    if (this.#tasks.expire(CLEARED_PER_CLAIM_MAX) === CLEARED_PER_CLAIM_MAX) {
      this.#tasks.lines.tellReady(wants.map(({ queue }) => queue));
      return [];
    }
    this.#tasks.moveDue(CLEARED_PER_CLAIM_MAX);
    this.#tasks.lines.limits.wakeDue(this.#clock.now());
    const claimed: contract.Claimed[] = [];
    for (const row of this.#tasks.takeReady(wants, limit)) claimed.push(this.#attempts.begin(owner, row));
    return claimed;
  }

  note(entries: readonly Note[]): void {
    for (const entry of entries) this.#attempts.note(entry);
  }

  owned(gateway: string): readonly contract.Owned[] {
    const owned = this.#gateways.ownedBy(gateway);
    return owned.map(({ taskId, attempt, cancelRequested }) => ({ taskId, attempt, cancelRequested }));
  }

  adopt(gateway: string, node: string, refs: readonly AttemptRef[]): readonly boolean[] | null {
    const owner = this.#gateways.get(gateway);
    if (owner === undefined) return null;
    return refs.map((ref) => this.#attempts.adopt(owner, node, ref));
  }

  complete(completions: readonly contract.Completion[]): readonly contract.CompletionVerdict[] {
    return completions.map((completion) => this.#attempts.complete(completion));
  }

  release(gateway: string, releases: readonly contract.Release[]): readonly contract.ReleaseVerdict[] {
    const owner = this.#gateways.get(gateway);
    return releases.map((release) => (owner === undefined ? 'stale' : this.#attempts.release(owner, release)));
  }

  checkpoint(entries: readonly (AttemptRef & { readonly data: Uint8Array })[]): readonly boolean[] {
    return entries.map((entry) => this.#attempts.checkpoint(entry, entry.data));
  }

  cancel(taskIds: readonly string[]): readonly contract.CancelVerdict[] {
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

  redrive(taskIds: readonly string[]): readonly contract.RedriveVerdict[] {
    const revived: Row[] = [];
    const verdicts = taskIds.map((taskId): contract.RedriveVerdict => {
      const row = this.#tasks.get(taskId);
      if (row === undefined) return 'unknown';
      if (row.status !== 'failed' && row.status !== 'cancelled') return 'notFailed';
      revived.push(this.#tasks.revive(row));
      return 'pending';
    });
    // Only now, so that in whichever order they are named they wait for one another.
    for (const row of revived) this.#tasks.resume(row);
    return verdicts;
  }

  sweep(gateway: string, limit: number): contract.Sweep {
    const nowMs = this.#clock.now();
    const sweeper = this.#gateways.get(gateway);
    const dead = sweeper === undefined ? [] : this.#gateways.fenceLapsed(sweeper, nowMs);
    for (const lapsed of dead) this.#directory.dropAllOf(lapsed);
    let moved = 0;
    let requeued = 0;
    for (const row of this.#gateways.orphans()) {
      if (moved >= limit) break;
      moved += 1;
      if (this.#takeBack(row, 'crash', 'FENCED') === 'pending') requeued += 1;
    }
    const expired = this.#tasks.expire(limit - moved);
    const due = this.#tasks.moveDue(limit - moved - expired);
    this.#tasks.lines.limits.wakeDue(nowMs);
    this.#locks.forgetLapsed(nowMs);
    return { dead, requeued, due, expired };
  }

  lease(key: string, holder: string, ttlMs: number): { readonly token: number } | null {
    return this.#locks.take(key, holder, ttlMs, this.#clock.now());
  }

  unlease(key: string, token: number): void {
    this.#locks.free(key, token);
  }

  get(taskId: string): contract.TaskRecord | null {
    const row = this.#tasks.get(taskId);
    return row === undefined ? null : recordOf(row, this.#clock.now());
  }

  result(taskId: string): Uint8Array | null {
    const row = this.#tasks.get(taskId);
    return row === undefined ? null : this.#tasks.rows.body(row, 'result');
  }

  history(taskId: string): readonly HistoryEntry[] {
    const row = this.#tasks.get(taskId);
    return row === undefined ? [] : this.#tasks.rows.history(row).map((entry) => ({ ...entry }));
  }

  limit(key: string): contract.LimitUse | null {
    return this.#tasks.lines.limits.use(key, this.#clock.now());
  }

  ahead(taskId: string): number | null {
    const row = this.#tasks.get(taskId);
    return row?.status === 'pending' ? this.#tasks.lines.waiting.ahead(row) : null;
  }

  list(filter: contract.ListFilter): contract.TaskPage {
    if (filter.cursor !== undefined && !/^\d{1,15}$/.test(filter.cursor)) {
      throw new PincerError(
        'MESSAGE_INVALID',
        `cursor '${plainText(filter.cursor)}' is not one that a list of tasks gave`,
      );
    }
    const limit = Math.min(Math.max(1, Math.floor(filter.limit)), this.#limits.listMax);
    return this.#tasks.rows.page(filter, limit, this.#clock.now());
  }

  stats(): contract.StoreStats {
    return { byStatus: { ...this.#tasks.rows.counts }, ready: this.#tasks.lines.waiting.sizes() };
  }

  purge(olderThanMs: number, limit: number): number {
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
    const nowMs = this.#clock.now();
    const tooMany = this.#tasks.quota.refusal(task.client);
    if (tooMany !== null) {
      const retryAfterMs = this.#tasks.room.retryAfterMs(nowMs);
      return { taskId: task.taskId, refused: 'QUEUE_FULL', message: tooMany, retryAfterMs };
    }
    const refusal = this.#tasks.room.refusal(task.queue, task.payload.byteLength, nowMs);
    if (refusal !== null) return { taskId: task.taskId, refused: 'QUEUE_FULL', ...refusal };
    return { taskId: task.taskId, created: true, status: this.#tasks.admit(task) };
  }

  /** Ends an attempt whose gateway is gone. */
  #takeBack(row: Row, costs: 'crash' | 'nothing', code: string): contract.ReleaseVerdict {
    const verdict = this.#attempts.giveBack(row, { costs, delayMs: 0 }, code);
    if (verdict === 'cancelled' || verdict === 'failed') this.#tasks.noteUntold(row);
    return verdict;
  }
}

/**
 * The contract as a class: every verb, handed to whoever can run it (verbs.ts). A store says how: at once in memory, or
 * inside a transaction of its database.
 */
import type { AttemptRef } from '../../protocol/identifier.ts';
import type { Clock, Ids } from '../../protocol/ports.ts';
import type { HistoryEntry } from '../../protocol/task.ts';
import type { Note } from './attempts.ts';
import type * as contract from './store.ts';
import type { TaskRow } from './task-row.ts';
import { Topics } from './topics.ts';
import type { Hints, Verbs } from './verbs.ts';

export abstract class VerbStore<Row extends TaskRow> implements contract.Store {
  abstract readonly kind: string;
  protected readonly topics: Topics<Uint8Array>;
  readonly #ids: Ids;
  readonly #ready: Topics<readonly string[]>;
  readonly #settled: Topics<readonly string[]>;

  constructor(clock: Clock, ids: Ids) {
    this.#ids = ids;
    this.topics = new Topics(clock);
    // In this turn of the event loop: what was submitted is placed before it ends.
    this.#ready = new Topics({ soon: queueMicrotask });
    this.#settled = new Topics(clock);
  }

  abstract open(): Promise<void>;
  abstract close(): Promise<void>;
  abstract publish(topic: string, bytes: Uint8Array): void;

  /**
   * Runs a verb that may change something, in the order of the calls; resolves when the change is durable. One that is
   * `last` comes after all that become durable together with it.
   */
  protected abstract change<Answer>(verb: (verbs: Verbs<Row>) => Answer, isLast?: boolean): Promise<Answer>;

  /** Runs a verb that changes nothing, in the order of the calls. */
  protected abstract read<Answer>(verb: (verbs: Verbs<Row>) => Answer): Promise<Answer>;

  /** Tells those who listen in this process. */
  protected tell({ ready, settled }: Hints): void {
    if (ready.length > 0) this.#ready.publish('ready', ready);
    if (settled.length > 0) this.#settled.publish('settled', settled);
  }

  join(name: string, ttlMs: number): Promise<string> {
    return this.change((verbs) => verbs.join(`${name}:${this.#ids()}`, ttlMs));
  }

  renew(gateway: string, ttlMs: number): Promise<boolean> {
    return this.change((verbs) => verbs.renew(gateway, ttlMs));
  }

  async leave(gateway: string): Promise<void> {
    await this.change((verbs) => verbs.leave(gateway));
  }

  gateways(): Promise<readonly contract.GatewayRecord[]> {
    return this.read((verbs) => verbs.gateways());
  }

  putNodes(gateway: string, nodes: readonly contract.NodeEntry[]): Promise<readonly (number | null)[] | null> {
    return this.change((verbs) => verbs.putNodes(gateway, nodes));
  }

  dropNode(nodeId: string, epoch: number): Promise<boolean> {
    return this.change((verbs) => verbs.dropNode(nodeId, epoch));
  }

  nodes(): Promise<readonly contract.NodeRecord[]> {
    return this.read((verbs) => verbs.nodes());
  }

  async putOrder(order: contract.StandingOrder): Promise<void> {
    await this.change(({ orders }) => orders.put(order));
  }

  dropOrder(order: contract.StandingOrder): Promise<boolean> {
    return this.change(({ orders }) => orders.drop(order));
  }

  orders(): Promise<readonly contract.StandingOrder[]> {
    return this.read(({ orders }) => orders.all());
  }

  submit(tasks: readonly contract.NewTask[]): Promise<readonly contract.SubmitVerdict[]> {
    return this.change((verbs) => verbs.submit(tasks));
  }

  claim(gateway: string, wants: readonly contract.Want[], limit: number): Promise<readonly contract.Claimed[] | null> {
    // So that it finds what is submitted in the same transaction: one wait less on the way of that task.
    return this.change((verbs) => verbs.claim(gateway, wants, limit), true);
  }

  note(entries: readonly Note[]): void {
    // Nobody waits for it: what cannot be noted is missing in a history, and nowhere else.
    this.change((verbs) => verbs.note(entries)).catch(() => {});
  }

  owned(gateway: string): Promise<readonly contract.Owned[]> {
    return this.read((verbs) => verbs.owned(gateway));
  }

  adopt(gateway: string, node: string, refs: readonly AttemptRef[]): Promise<readonly boolean[] | null> {
    return this.change((verbs) => verbs.adopt(gateway, node, refs));
  }

  complete(completions: readonly contract.Completion[]): Promise<readonly contract.CompletionVerdict[]> {
    return this.change((verbs) => verbs.complete(completions));
  }

  release(gateway: string, releases: readonly contract.Release[]): Promise<readonly contract.ReleaseVerdict[]> {
    return this.change((verbs) => verbs.release(gateway, releases));
  }

  async checkpoint(entries: readonly (AttemptRef & { readonly data: Uint8Array })[]): Promise<readonly boolean[]> {
    return this.change((verbs) => verbs.checkpoint(entries));
  }

  cancel(taskIds: readonly string[]): Promise<readonly contract.CancelVerdict[]> {
    return this.change((verbs) => verbs.cancel(taskIds));
  }

  redrive(taskIds: readonly string[]): Promise<readonly contract.RedriveVerdict[]> {
    return this.change((verbs) => verbs.redrive(taskIds));
  }

  sweep(gateway: string, limit: number): Promise<contract.Sweep> {
    return this.change((verbs) => verbs.sweep(gateway, limit));
  }

  async lease(key: string, holder: string, ttlMs: number): Promise<{ readonly token: number } | null> {
    return this.change((verbs) => verbs.lease(key, holder, ttlMs));
  }

  async unlease(key: string, token: number): Promise<void> {
    await this.change((verbs) => verbs.unlease(key, token));
  }

  get(taskId: string): Promise<contract.TaskRecord | null> {
    return this.read((verbs) => verbs.get(taskId));
  }

  result(taskId: string): Promise<Uint8Array | null> {
    return this.read((verbs) => verbs.result(taskId));
  }

  history(taskId: string): Promise<readonly HistoryEntry[]> {
    return this.read((verbs) => verbs.history(taskId));
  }

  limit(key: string): Promise<contract.LimitUse | null> {
    return this.read((verbs) => verbs.limit(key));
  }

  ahead(taskId: string): Promise<number | null> {
    return this.read((verbs) => verbs.ahead(taskId));
  }

  list(filter: contract.ListFilter): Promise<contract.TaskPage> {
    return this.read((verbs) => verbs.list(filter));
  }

  stats(): Promise<contract.StoreStats> {
    return this.read((verbs) => verbs.stats());
  }

  purge(olderThanMs: number, limit: number): Promise<number> {
    return this.change((verbs) => verbs.purge(olderThanMs, limit));
  }

  async putSchedule(schedule: contract.Schedule): Promise<void> {
    await this.change(({ schedules }) => schedules.put(schedule));
  }

  schedules(): Promise<readonly contract.ScheduleRecord[]> {
    return this.read(({ schedules }) => schedules.all());
  }

  dropSchedule(id: string): Promise<boolean> {
    return this.change(({ schedules }) => schedules.drop(id));
  }

  noteScheduleRun(id: string, runAt: number): Promise<boolean> {
    return this.change(({ schedules }) => schedules.noteRun(id, runAt));
  }

  subscribe(topic: string, receive: (bytes: Uint8Array) => void): () => void {
    return this.topics.subscribe(topic, receive);
  }

  onReady(notify: (queues: readonly string[]) => void): () => void {
    return this.#ready.subscribe('ready', notify);
  }

  onSettled(notify: (taskIds: readonly string[]) => void): () => void {
    return this.#settled.subscribe('settled', notify);
  }
}

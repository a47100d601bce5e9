/**
 * What gateways share in the memory store beside tasks: who is there, where nodes are, standing orders, named locks,
 * schedules, hints. Tasks, and what claims on them mean, are in memory.ts.
 */
import { PincerError } from '../../protocol/failure.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Clock } from '../../protocol/ports.ts';
import { DirectoryRows } from './directory-rows.ts';
import { GatewayRows } from './gateway-rows.ts';
import { LockRows } from './lock-rows.ts';
import { OrderRows } from './order-rows.ts';
import { ScheduleRows } from './schedule-rows.ts';
import type * as contract from './store.ts';
import { copyOf } from './task-row.ts';
import { Topics } from './topics.ts';

export abstract class MemoryBoard {
  protected readonly clock: Clock;
  protected readonly limits: Limits;
  protected readonly present = new GatewayRows();
  protected readonly directory = new DirectoryRows();
  protected readonly locks = new LockRows();
  protected isOpen = false;
  readonly #orders: OrderRows;
  readonly #schedules: ScheduleRows;
  readonly #topics: Topics<Uint8Array>;
  readonly #ready: Topics<readonly string[]>;
  readonly #settled: Topics<readonly string[]>;

  constructor(clock: Clock, limits: Limits) {
    this.clock = clock;
    this.limits = limits;
    this.#orders = new OrderRows(limits.ordersMax);
    this.#schedules = new ScheduleRows(limits.schedulesMax);
    this.#topics = new Topics(clock);
    this.#ready = new Topics(clock);
    this.#settled = new Topics(clock);
  }

  async open(): Promise<void> {
    this.isOpen = true;
  }

  async close(): Promise<void> {
    this.isOpen = false;
  }

  async renew(gateway: string, ttlMs: number): Promise<boolean> {
    this.mustBeOpen();
    const row = this.present.get(gateway);
    if (row !== undefined) this.present.renew(row, ttlMs, this.clock.now());
    return row !== undefined;
  }

  async gateways(): Promise<readonly contract.GatewayRecord[]> {
    this.mustBeOpen();
    return this.present.all(this.clock.now());
  }

  async putNodes(gateway: string, nodes: readonly contract.NodeEntry[]): Promise<readonly (number | null)[] | null> {
    this.mustBeOpen();
    if (this.present.get(gateway) === undefined) return null;
    return nodes.map((entry) => this.directory.put(gateway, entry, this.clock.now()));
  }

  async dropNode(nodeId: string, epoch: number): Promise<boolean> {
    this.mustBeOpen();
    return this.directory.drop(nodeId, epoch);
  }

  async nodes(): Promise<readonly contract.NodeRecord[]> {
    this.mustBeOpen();
    return this.directory.all(this.clock.now());
  }

  async putOrder(order: contract.StandingOrder): Promise<void> {
    this.mustBeOpen();
    this.#orders.put(order);
  }

  async dropOrder(order: contract.StandingOrder): Promise<boolean> {
    this.mustBeOpen();
    return this.#orders.drop(order);
  }

  async orders(): Promise<readonly contract.StandingOrder[]> {
    this.mustBeOpen();
    return this.#orders.all();
  }

  async lease(key: string, holder: string, ttlMs: number): Promise<{ readonly token: number } | null> {
    this.mustBeOpen();
    return this.locks.take(key, holder, ttlMs, this.clock.now());
  }

  async unlease(key: string, token: number): Promise<void> {
    this.mustBeOpen();
    this.locks.free(key, token);
  }

  async putSchedule(schedule: contract.Schedule): Promise<void> {
    this.mustBeOpen();
    this.#schedules.put(schedule);
  }

  async schedules(): Promise<readonly contract.ScheduleRecord[]> {
    this.mustBeOpen();
    return this.#schedules.all();
  }

  async dropSchedule(id: string): Promise<boolean> {
    this.mustBeOpen();
    return this.#schedules.drop(id);
  }

  async noteScheduleRun(id: string, runAt: number): Promise<boolean> {
    this.mustBeOpen();
    return this.#schedules.noteRun(id, runAt);
  }

  publish(topic: string, bytes: Uint8Array): void {
    if (this.isOpen && this.#topics.has(topic)) this.#topics.publish(topic, copyOf(bytes));
  }

  subscribe(topic: string, receive: (bytes: Uint8Array) => void): () => void {
    return this.#topics.subscribe(topic, receive);
  }

  onReady(notify: (queues: readonly string[]) => void): () => void {
    return this.#ready.subscribe('ready', notify);
  }

  onSettled(notify: (taskIds: readonly string[]) => void): () => void {
    return this.#settled.subscribe('settled', notify);
  }

  protected tellReady(queues: readonly string[]): void {
    if (queues.length > 0) this.#ready.publish('ready', queues);
  }

  protected tellSettled(taskIds: readonly string[]): void {
    if (taskIds.length > 0) this.#settled.publish('settled', taskIds);
  }

  protected mustBeOpen(): void {
    if (!this.isOpen) throw new PincerError('STORE_UNAVAILABLE', 'the memory store is not open');
  }
}

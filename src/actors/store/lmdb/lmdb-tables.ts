/**
 * The tables of an LMDB store within one transaction. Between `begin` and `end` they are what the databases hold; before
 * and after that they know nothing, since any process of the machine may change the databases meanwhile.
 */
import { PincerError } from '../../../protocol/failure.ts';
import type { Clock } from '../../../protocol/ports.ts';
import type { StandingOrder } from '../cluster.ts';
import type { ScheduleRecord } from '../new-task.ts';
import type { DirectoryRow, FairLine, GatewayRow, Lock } from '../rows.ts';
import type { OwnedRows, Tables } from '../tables.ts';
import type { Databases } from './databases.ts';
import type { LmdbRow } from './head.ts';
import { LmdbLimits } from './lmdb-limits.ts';
import { LmdbLines } from './lmdb-lines.ts';
import { LmdbSettled } from './lmdb-settled.ts';
import { LmdbTasks } from './lmdb-tasks.ts';
import { SmallTable } from './small-table.ts';
import { markTime } from './store-time.ts';
import { INDEXES, queueKey } from './task-indexes.ts';
import { type ClassRow, LmdbWaiting, readTotals, type Totals, writeTotals } from './totals.ts';

export class LmdbTables implements Tables<LmdbRow> {
  readonly tasks: LmdbTasks;
  readonly lines: LmdbLines;
  readonly settled: LmdbSettled;
  readonly owned: LmdbOwned;
  readonly limits: LmdbLimits;
  readonly fair: SmallTable<FairLine>;
  readonly waiting: LmdbWaiting;
  readonly gateways: SmallTable<GatewayRow>;
  readonly nodes: SmallTable<DirectoryRow>;
  readonly orders: SmallTable<StandingOrder>;
  readonly locks: SmallTable<Lock>;
  readonly schedules: SmallTable<ScheduleRecord>;
  readonly #dbs: Databases;
  readonly #classes: SmallTable<ClassRow>;
  #totals: Totals | null = null;

  constructor(dbs: Databases) {
    const totals = (): Totals => this.#present();
    this.#dbs = dbs;
    this.#classes = new SmallTable(dbs.small.class, queueKey);
    this.tasks = new LmdbTasks(dbs, totals);
    this.waiting = new LmdbWaiting(totals, this.#classes);
    this.lines = new LmdbLines(this.tasks, this.waiting);
    this.settled = new LmdbSettled(this.tasks, totals);
    this.owned = new LmdbOwned(this.tasks);
    this.limits = new LmdbLimits(dbs);
    this.fair = new SmallTable(dbs.small.fair, queueKey);
    this.gateways = new SmallTable(dbs.small.gateway);
    this.nodes = new SmallTable(dbs.small.node);
    this.orders = new SmallTable(dbs.small.order);
    this.locks = new SmallTable(dbs.small.lock);
    this.schedules = new SmallTable(dbs.small.schedule);
  }

  /** The store’s time in this transaction. */
  get nowMs(): number {
    return this.#present().time?.storeMs ?? 0;
  }

  next(counter: 'token' | 'epoch'): number {
    this.#present()[counter] += 1;
    return this.#present()[counter];
  }

  begin(clock: Clock, boot: string): void {
    this.#reset();
    this.#totals = readTotals(this.#dbs.meta);
    if (this.#totals.isRetired === true) {
      throw new PincerError('STORE_UNAVAILABLE', 'the store was compacted meanwhile: start the gateway again');
    }
    this.#totals.time = markTime(clock, boot, this.#totals.time);
  }

  /** Writes all that has changed. */
  end(): void {
    this.tasks.flush();
    for (const table of this.#small()) table.flush();
    writeTotals(this.#dbs.meta, this.#present());
    this.#reset();
  }

  #small(): readonly { flush(): void; reset(): void }[] {
    const { fair, gateways, nodes, orders, locks, schedules, limits } = this;
    return [this.#classes, fair, gateways, nodes, orders, locks, schedules, limits];
  }

  #reset(): void {
    this.tasks.reset();
    this.settled.reset();
    for (const table of this.#small()) table.reset();
    this.#totals = null;
  }

  #present(): Totals {
    if (this.#totals === null) throw new Error('no transaction has begun');
    return this.#totals;
  }
}

/** Which gateway owns a task is in its row. */
class LmdbOwned implements OwnedRows<LmdbRow> {
  readonly #tasks: LmdbTasks;

  constructor(tasks: LmdbTasks) {
    this.#tasks = tasks;
  }

  of(gateway: string): readonly LmdbRow[] {
    return this.#range(gateway, 2 ** 31);
  }

  countOf(gateway: string): number {
    return this.#tasks.count([INDEXES.owned, gateway, ''], [INDEXES.owned, gateway, '\u{10ffff}']);
  }

  firstOf(gateway: string): LmdbRow | undefined {
    return this.#range(gateway, 1)[0];
  }

  add(row: LmdbRow): void {
    this.#tasks.touch(row);
  }

  drop(row: LmdbRow): void {
    this.#tasks.touch(row);
  }

  #range(gateway: string, limit: number): LmdbRow[] {
    const taskIds = this.#tasks.range([INDEXES.owned, gateway, ''], [INDEXES.owned, gateway, '\u{10ffff}'], limit);
    return taskIds.map((taskId) => this.#tasks.get(taskId)).filter((row) => row !== undefined);
  }
}

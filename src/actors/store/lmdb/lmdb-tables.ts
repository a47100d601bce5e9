/**
 * The tables of an LMDB store within one transaction: between `begin` and `end` they are what the databases hold. Any
 * process of the machine may change the databases before the next one; only if the stamp in the totals says that none
 * has, what was kept is still true.
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
import { Tallies, type Tally } from './tallies.ts';
import { INDEXES, queueKey } from './task-indexes.ts';
import { type ClassRow, LmdbWaiting, readTotals, type Totals, writeTotals } from './totals.ts';

export class LmdbTables implements Tables<LmdbRow> {
  readonly tasks: LmdbTasks;
  readonly lines: LmdbLines;
  readonly settled: LmdbSettled;
  readonly owned: LmdbOwned;
  readonly limits: LmdbLimits;
  readonly fair: SmallTable<FairLine>;
  readonly clients: SmallTable<number>;
  readonly waiting: LmdbWaiting;
  readonly gateways: SmallTable<GatewayRow>;
  readonly nodes: SmallTable<DirectoryRow>;
  readonly orders: SmallTable<StandingOrder>;
  readonly locks: SmallTable<Lock>;
  readonly schedules: SmallTable<ScheduleRecord>;
  readonly #dbs: Databases;
  readonly #classes: SmallTable<ClassRow>;
  readonly #tallies: SmallTable<Tally>;
  readonly #writer: string;
  #totals: Totals | null = null;
  /** What this one has written last; null: nothing that is kept is true. */
  #stamp: string | null = null;
  #writes = 0;

  /** `writer` is another one for each that writes, in any process. */
  constructor(dbs: Databases, writer: string) {
    const totals = (): Totals => this.#present();
    this.#dbs = dbs;
    this.#writer = writer;
    this.#classes = new SmallTable(dbs.small.class, queueKey);
    this.#tallies = new SmallTable(dbs.small.tally, queueKey);
    this.tasks = new LmdbTasks(dbs, totals, new Tallies(this.#tallies));
    this.waiting = new LmdbWaiting(totals, this.#classes);
    this.lines = new LmdbLines(this.tasks, this.waiting);
    this.settled = new LmdbSettled(dbs.settled, this.tasks, totals);
    this.owned = new LmdbOwned(this.tasks);
    this.limits = new LmdbLimits(dbs);
    this.fair = new SmallTable(dbs.small.fair, queueKey);
    this.clients = new SmallTable(dbs.small.client, queueKey);
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
    this.#totals = readTotals(this.#dbs.meta);
    for (const table of this.#small()) table.reset();
    if (this.#totals.stamp !== this.#stamp) this.#reset();
    this.#stamp = null;
    if (this.#totals.isRetired === true) {
      throw new PincerError('STORE_UNAVAILABLE', 'the store was compacted meanwhile: start the gateway again');
    }
    const { time } = this.#totals;
    this.#totals.time = markTime(clock, boot, time);
    if (time === null) this.#totals.sinceMs = this.nowMs;
  }

  /** Writes all that has changed. */
  end(): void {
    const totals = this.#present();
    this.tasks.write();
    this.settled.write();
    for (const table of [...this.#small(), this.#classes, this.#tallies]) table.flush();
    this.#writes += 1;
    this.#stamp = `${this.#writer} ${this.#writes}`;
    totals.stamp = this.#stamp;
    writeTotals(this.#dbs.meta, totals);
    this.tasks.end();
    this.#classes.trim();
    this.#tallies.trim();
    this.#totals = null;
  }

  /** The transaction has come to nothing. */
  undo(): void {
    this.#stamp = null;
  }

  /** Small and rarely asked for: read anew in every transaction. */
  #small(): readonly { flush(): void; reset(): void }[] {
    const { fair, clients, gateways, nodes, orders, locks, schedules, limits } = this;
    return [fair, clients, gateways, nodes, orders, locks, schedules, limits];
  }

  #reset(): void {
    this.tasks.reset();
    this.lines.reset();
    this.limits.forget();
    this.settled.reset();
    this.#classes.reset();
    this.#tallies.reset();
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

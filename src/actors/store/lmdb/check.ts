/**
 * Looks at the files of a store: whether every index says what the rows say, every row what its history tells, and the
 * counters what is there. Reads only, a page at a time and each page in one snapshot, so it may run beside gateways and
 * pins nothing.
 */
import { contradictions, replayHistory } from '../../../machines/task-replay.ts';
import type { HistoryEntry, TaskStatus } from '../../../protocol/task.ts';
import { isOutcome, TASK_STATUSES } from '../../../protocol/task-status.ts';
import { realPorts } from '../../world/real-ports.ts';
import type { BodyKind } from '../tables.ts';
import { isWaiting } from '../task-row.ts';
import { type Databases, openDatabases, reasonOf } from './databases.ts';
import { BODY_KINDS, decodeHead, isApart, type LmdbRow } from './head.ts';
import { entriesOf } from './row-history.ts';
import { nameOfType, type Tally } from './tallies.ts';
import { INDEXES, type IndexKey, indexKeysOf, isHeld, isSameKey, LAST, queueKey, statusKey } from './task-indexes.ts';
import { type ClassRow, readTotals } from './totals.ts';

/** What is wrong with a store. */
export interface StoreFault {
  /** `history`: a record is not what its history tells. `index`: an index is not what the records say. `blob`: bytes are missing. `count`: a counter is not what is there. */
  readonly kind: 'history' | 'index' | 'blob' | 'count';
  /** The task it concerns, if it concerns one. */
  readonly taskId?: string;
  readonly says: string;
}

/** What `checkStore` has found. */
export interface StoreCheck {
  /** Tasks and entries of indexes that were looked at. */
  readonly tasks: number;
  readonly entries: number;
  /** The first 100 faults, and how many there are in all. */
  readonly faults: readonly StoreFault[];
  readonly total: number;
}

const FAULTS_SHOWN = 100;
const PAGE = 200;

const { soon } = realPorts().clock;

/** Checks the store in a directory. Gateways may go on working with it. Rejects as opening a store does. */
export async function checkStore(dir: string): Promise<StoreCheck> {
  const dbs = await openDatabases(dir, { readOnly: true });
  try {
    return await new Checker(dbs).check();
  } finally {
    await dbs.root.close();
  }
}

class Checker {
  readonly #dbs: Databases;
  readonly #faults: StoreFault[] = [];
  #total = 0;
  /** Unsettled tasks of each client, and what was written last when the first of them was counted. */
  readonly #unsettled = new Map<string, number>();
  #stamp = '';

  constructor(dbs: Databases) {
    this.#dbs = dbs;
  }

  async check(): Promise<StoreCheck> {
    const { task, index, blob, meta } = this.#dbs;
    this.#snapshot();
    this.#stamp = readTotals(meta).stamp;
    const tasks = await this.#pages(task, (taskId: string, values) =>
      this.#checkRow(decodeHead(taskId, values as unknown[])),
    );
    let entries = await this.#pages(index, (key: IndexKey, taskId) => this.#checkEntry(key, taskId as string));
    entries += await this.#pages(
      blob,
      ([taskId, kind]: [string, BodyKind]) => this.#mustKnow(taskId, (row) => isApart(row, kind), 'has bytes'),
      false,
    );
    this.#snapshot();
    this.#checkCounts();
    this.#checkClients();
    return { tasks, entries, faults: this.#faults, total: this.#total };
  }

  /** Calls back for each entry; between pages others have their turn, and the snapshot is let go. Returns how many. */
  async #pages(
    db: {
      getRange(options: object): Iterable<{ key: unknown; value?: unknown }>;
      getKeys(options: object): Iterable<unknown>;
    },
    look: (key: never, value: unknown) => void,
    values = true,
  ): Promise<number> {
    let count = 0;
    for (let start: unknown; ; ) {
      this.#snapshot();
      const range = { limit: PAGE + 1, ...(start === undefined ? {} : { start }) };
      const page = values
        ? Array.from(db.getRange(range))
        : Array.from(db.getKeys(range), (key) => ({ key, value: undefined }));
      for (const { key, value } of page.slice(0, PAGE)) look(key as never, value);
      count += Math.min(page.length, PAGE);
      if (page.length <= PAGE) return count;
      start = page[PAGE]?.key;
      await new Promise<void>((resolve) => soon(resolve));
    }
  }

  #checkRow(row: LmdbRow): void {
    const { taskId } = row;
    for (const key of indexKeysOf(row)) {
      if (key !== null && this.#dbs.index.get(key as never) !== taskId) {
        this.#fault('index', `it does not stand at ${key.join(' ')}`, taskId);
      }
    }
    const history = this.#historyOf(row);
    const replay = replayHistory(history, row);
    for (const says of [...contradictions(row, replay), ...replay.problems]) this.#fault('history', says, taskId);
    const kept = row.entries - row.firstEntry + 1;
    if (history.length !== kept || history.at(-1)?.n !== row.entries) {
      this.#fault('history', `it has ${history.length} entries, and ${kept} up to ${row.entries} were kept`, taskId);
    }
    for (const kind of BODY_KINDS) this.#checkBody(row, kind);
    if (isOutcome(row.status) && !this.#isInLog(row)) this.#fault('index', 'it is not among what has settled', taskId);
    if (row.client !== null && !isOutcome(row.status)) {
      this.#unsettled.set(row.client, (this.#unsettled.get(row.client) ?? 0) + 1);
    }
    if (row.key !== null && this.#dbs.key.get(row.key) !== taskId)
      this.#fault('index', 'its key leads elsewhere', taskId);
    for (const dependency of row.dependencies ?? []) {
      if (this.#dbs.dependent.get([dependency, row.seq]) !== taskId) {
        this.#fault('index', `it waits for ${dependency}, which does not know`, taskId);
      }
    }
  }

  #historyOf(row: LmdbRow): HistoryEntry[] {
    try {
      return entriesOf(row);
    } catch (error) {
      this.#fault('history', `its history cannot be read: ${reasonOf(error)}`, row.taskId);
      return [];
    }
  }

  #isInLog({ taskId, settledSeq }: LmdbRow): boolean {
    const [chunk] = this.#dbs.settled.getRange({ start: settledSeq, end: 0, reverse: true, limit: 1 });
    if (settledSeq < readTotals(this.#dbs.meta).settledFrom || chunk === undefined) return false;
    return chunk.value[settledSeq - chunk.key] === taskId;
  }

  #checkBody(row: LmdbRow, kind: BodyKind): void {
    const body = isApart(row, kind) ? this.#dbs.blob.get([row.taskId, kind]) : row[kind];
    const bytes = body?.byteLength ?? 0;
    const noted = row[`${kind}Bytes`];
    if (bytes !== noted) this.#fault('blob', `its ${kind} has ${bytes} bytes, and ${noted} were noted`, row.taskId);
  }

  #checkEntry(key: IndexKey, taskId: string): void {
    const values = this.#dbs.task.get(taskId);
    const keys = values === undefined ? [] : indexKeysOf(decodeHead(taskId, values));
    if (!keys.some((each) => isSameKey(each, key))) this.#fault('index', `it stands at ${key.join(' ')}`, taskId);
  }

  #mustKnow(taskId: string, holds: (row: LmdbRow) => boolean, what: string): void {
    const values = this.#dbs.task.get(taskId);
    if (values === undefined) this.#fault('index', `it is not known, and ${what}`, taskId);
    else if (!holds(decodeHead(taskId, values)))
      this.#fault('index', `it ${what} of which its row does not know`, taskId);
  }

  /** All in one snapshot. */
  #checkCounts(): void {
    const { index, meta, small } = this.#dbs;
    const totals = readTotals(meta);
    const count = (...prefix: (string | number)[]): number =>
      index.getKeysCount({ start: [...prefix, 0], end: [...prefix, LAST] });
    const tallies = Array.from(small.tally.getRange(), ({ key, value }) => ({ key, tally: value as Tally }));
    const ofTypes = tallies.filter(({ key }) => key.startsWith(nameOfType('')));
    for (const status of TASK_STATUSES) {
      const tallied = ofTypes.reduce((sum, { tally }) => sum + (tally[statusKey(status)] ?? 0), 0);
      this.#compare(`tasks that are ${status}`, totals.counts[status], tallied);
      if (!isHeld({ status }))
        this.#compare(`tasks that are ${status}`, tallied, count(INDEXES.status, statusKey(status)));
    }
    const sum = (holds: (row: { readonly status: TaskStatus }) => boolean): number =>
      TASK_STATUSES.filter((status) => holds({ status })).reduce((all, status) => all + totals.counts[status], 0);
    const owned = index.getKeysCount({ start: [INDEXES.owned, ''], end: [INDEXES.owned, '\u{10ffff}'] });
    this.#compare('tasks that attempts hold', sum(isHeld), owned);
    this.#compare('waiting tasks', totals.waitingTasks, sum(isWaiting));
    this.#compare(
      'settled tasks',
      totals.settledTasks,
      sum(({ status }) => isOutcome(status)),
    );
    const classes = Array.from(small.class.getRange(), ({ value }) => value as ClassRow);
    const pending = classes.reduce((all, row) => all + row.pending, 0);
    const waiting = classes.reduce((all, row) => all + row.waiting, 0);
    this.#compare('claimable tasks of all classes', pending, totals.counts.pending);
    this.#compare('waiting tasks of all classes', waiting, totals.waitingTasks);
    this.#compare('classes', totals.waitingClasses, classes.filter((row) => row.waiting > 0).length);
  }

  /** Only if nobody has written since the first page: what is counted page by page is true of no moment else. */
  #checkClients(): void {
    const { meta, small } = this.#dbs;
    if (readTotals(meta).stamp !== this.#stamp) return;
    for (const [client, tasks] of this.#unsettled) {
      const noted = (small.client.get(queueKey(client)) as number | undefined) ?? 0;
      this.#compare(`unsettled tasks of ${client}`, noted, tasks);
    }
    this.#compare('clients with unsettled tasks', small.client.getCount(), this.#unsettled.size);
  }

  #compare(what: string, noted: number, counted: number): void {
    if (noted !== counted) this.#fault('count', `${noted} ${what} are noted, and ${counted} are there`);
  }

  #fault(kind: StoreFault['kind'], says: string, taskId?: string): void {
    this.#total += 1;
    if (this.#faults.length >= FAULTS_SHOWN) return;
    this.#faults.push(taskId === undefined ? { kind, says } : { kind, taskId, says });
  }

  #snapshot(): void {
    this.#dbs.root.resetReadTxn();
  }
}

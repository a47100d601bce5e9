/**
 * The limits that tasks share: how many are claimed, and when the last ones were. A limit is asked about the first task
 * of a line only, so those behind it cost nothing while it is closed.
 */
import type { LimitUse } from './store.ts';
import type { TaskRow } from './task-row.ts';

const WINDOW_MS = 60_000;
/** When to go on dropping claims that do not count any more, where they are too many for one step. */
const DROP_MS = 1_000;
/** As many classes of a limit are remembered without asking whether they wait. */
const QUEUES_UNASKED = 8;

/** One limit. Its claims are numbered; those within the window are a part of the last ones. */
export interface LimitRow {
  readonly key: string;
  concurrency: number | null;
  perMinute: number | null;
  claimed: number;
  /** Tasks that have not settled. */
  tasks: number;
  /** The claims that are remembered: from the first to the one before the next. */
  firstClaim: number;
  nextClaim: number;
  /** Classes in which tasks of it may be pending. */
  queues: string[];
  /** How many classes there may be before those are left out in which nothing waits; absent in a row of an earlier version. */
  queuesMax?: number;
  /** When to look at it next: it opens then, or may be forgotten. */
  wakeAtMs: number | null;
}

/** Where limits and the times of their claims are kept. */
export interface LimitTable {
  get(key: string): LimitRow | undefined;
  /** Keeps a row, new or changed, and where it stands in the order of `wakeAtMs`. */
  set(row: LimitRow): void;
  delete(row: LimitRow): void;
  /** The one that is to be looked at first, if its time has come. */
  firstDue(nowMs: number): LimitRow | undefined;
  claimAt(row: LimitRow, claim: number): number;
  /** Remembers the next claim, and counts it. */
  addClaim(row: LimitRow, atMs: number): void;
  /** Forgets the newest claim, which must be there: it does not count. */
  dropLastClaim(row: LimitRow): void;
  /** Need not remember the claims before this one any longer: it drops them, or some of them. */
  dropClaims(row: LimitRow, before: number): void;
}

export interface LimitsOwner {
  /** Whether a class has claimable tasks, of whichever limit. */
  hasWaiting(queue: string): boolean;
  /** A limit was closed and is open: these classes are to be looked at. */
  onOpened(queues: readonly string[]): void;
}

export class LimitRows {
  readonly #limits: LimitTable;
  readonly #owner: LimitsOwner;

  constructor(limits: LimitTable, owner: LimitsOwner) {
    this.#limits = limits;
    this.#owner = owner;
  }

  /** A task with a limit comes in; its numbers count from now on. */
  admit(row: TaskRow, nowMs: number): void {
    if (row.limit === null) return;
    const { key, concurrency = null, perMinute = null } = row.limit;
    const limit = this.#limits.get(key) ?? newLimit(key);
    limit.tasks += 1;
    if (limit.concurrency === concurrency && limit.perMinute === perMinute && limit.tasks > 1) {
      this.#limits.set(limit);
      return;
    }
    const wasClosed = !this.#isOpenNow(limit, nowMs);
    limit.concurrency = concurrency;
    limit.perMinute = perMinute;
    this.#review(limit, wasClosed, nowMs);
  }

  /** A task of it may be pending in this class. */
  enter(row: TaskRow): void {
    const limit = this.#limitOf(row);
    if (limit === undefined || limit.queues.includes(row.queue)) return;
    // One that is never closed is never told of as open, and would remember each class there ever was. Asked whenever there
    // are twice as many as were left the last time, which is at most two questions for each class that comes.
    if (limit.queues.length >= (limit.queuesMax ?? QUEUES_UNASKED)) this.#leaveOutEmpty(limit);
    limit.queues.push(row.queue);
    this.#limits.set(limit);
  }

  /** A task has settled. */
  leave(row: TaskRow, nowMs: number): void {
    const limit = this.#limitOf(row);
    if (limit === undefined) return;
    limit.tasks -= 1;
    if (limit.tasks === 0) this.#rest(limit, nowMs);
    else this.#limits.set(limit);
  }

  /** Whether its limit, if it has one, lets a task be claimed. */
  isOpen(row: TaskRow, nowMs: number): boolean {
    const limit = this.#limitOf(row);
    return limit === undefined || this.#isOpenNow(limit, nowMs);
  }

  claim(row: TaskRow, nowMs: number): void {
    const limit = this.#limitOf(row);
    if (limit === undefined) return;
    limit.claimed += 1;
    if (limit.perMinute !== null) {
      this.#limits.addClaim(limit, nowMs);
      this.#limits.dropClaims(limit, this.#firstWithin(limit, nowMs));
    }
    this.#arm(limit, nowMs);
  }

  /**
   * What was claimed of the limit got no node, and nothing has begun: it is none of those that begin in a minute. Which of
   * the claims was its own is not known; it was made just now, as the newest was.
   */
  unclaim(row: TaskRow, nowMs: number): void {
    const limit = this.#limitOf(row);
    if (limit === undefined || limit.firstClaim === limit.nextClaim) return;
    const wasClosed = !this.#isOpenNow(limit, nowMs);
    this.#limits.dropLastClaim(limit);
    this.#review(limit, wasClosed, nowMs);
  }

  /** A claimed task of the limit is over, or waits again. */
  free(row: TaskRow, nowMs: number): void {
    const limit = this.#limitOf(row);
    if (limit === undefined) return;
    const wasClosed = !this.#isOpenNow(limit, nowMs);
    limit.claimed -= 1;
    this.#review(limit, wasClosed, nowMs);
  }

  /** Tells of what the passing of time has opened, and forgets what neither tasks nor claims are left of. */
  wakeDue(nowMs: number): void {
    for (let limit = this.#limits.firstDue(nowMs); limit !== undefined; limit = this.#limits.firstDue(nowMs)) {
      limit.wakeAtMs = null;
      if (limit.tasks === 0) this.#rest(limit, nowMs);
      else this.#review(limit, true, nowMs);
    }
  }

  use(key: string, nowMs: number): LimitUse | null {
    const limit = this.#limits.get(key);
    if (limit === undefined) return null;
    const { concurrency, perMinute, claimed } = limit;
    const claimedInMinute = limit.nextClaim - this.#firstWithin(limit, nowMs);
    if (limit.tasks === 0 && claimedInMinute === 0) return null;
    const atMs = hasRoom(limit) ? this.#opensAtMs(limit, nowMs) : Number.POSITIVE_INFINITY;
    const opensInMs = atMs === Number.POSITIVE_INFINITY ? null : Math.max(0, Math.ceil(atMs - nowMs));
    return { key, concurrency, perMinute, claimed, claimedInMinute, opensInMs };
  }

  #limitOf({ limit }: TaskRow): LimitRow | undefined {
    return limit === null ? undefined : this.#limits.get(limit.key);
  }

  #isOpenNow(limit: LimitRow, nowMs: number): boolean {
    return hasRoom(limit) && this.#opensAtMs(limit, nowMs) <= nowMs;
  }

  #review(limit: LimitRow, wasClosed: boolean, nowMs: number): void {
    if (!this.#isOpenNow(limit, nowMs)) {
      this.#arm(limit, nowMs);
      return;
    }
    // What only time has opened is told when its wake is due: that stays as it is.
    if (wasClosed) {
      this.#leaveOutEmpty(limit);
      this.#owner.onOpened(limit.queues);
    }
    this.#limits.set(limit);
  }

  #leaveOutEmpty(limit: LimitRow): void {
    limit.queues = limit.queues.filter((queue) => this.#owner.hasWaiting(queue));
    limit.queuesMax = Math.max(QUEUES_UNASKED, 2 * limit.queues.length);
  }

  /** No task of it is left: it is kept for as long as claims of it count. */
  #rest(limit: LimitRow, nowMs: number): void {
    const within = this.#firstWithin(limit, nowMs);
    this.#limits.dropClaims(limit, within);
    if (limit.firstClaim === limit.nextClaim) {
      this.#limits.delete(limit);
      return;
    }
    const isOver = within === limit.nextClaim;
    limit.wakeAtMs = isOver ? nowMs + DROP_MS : this.#limits.claimAt(limit, limit.nextClaim - 1) + WINDOW_MS;
    this.#limits.set(limit);
  }

  #arm(limit: LimitRow, nowMs: number): void {
    const atMs = this.#opensAtMs(limit, nowMs);
    limit.wakeAtMs = atMs > nowMs && atMs !== Number.POSITIVE_INFINITY ? atMs : null;
    this.#limits.set(limit);
  }

  /** When its rate lets a task be claimed: a time that has passed if it does now, infinity if never. */
  #opensAtMs(limit: LimitRow, nowMs: number): number {
    if (limit.perMinute === null) return Number.NEGATIVE_INFINITY;
    if (limit.perMinute <= 0) return Number.POSITIVE_INFINITY;
    const first = this.#firstWithin(limit, nowMs);
    const surplus = limit.nextClaim - first - limit.perMinute;
    return surplus < 0 ? Number.NEGATIVE_INFINITY : this.#limits.claimAt(limit, first + surplus) + WINDOW_MS;
  }

  /** The first claim that is within the window; the next one if none is. Claims are in the order of their times. */
  #firstWithin(limit: LimitRow, nowMs: number): number {
    let low = limit.firstClaim;
    let high = limit.nextClaim;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#limits.claimAt(limit, middle) <= nowMs - WINDOW_MS) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function newLimit(key: string): LimitRow {
  const numbers = { concurrency: null, perMinute: null, claimed: 0, tasks: 0, firstClaim: 0, nextClaim: 0 };
  return { key, ...numbers, queues: [], wakeAtMs: null };
}

function hasRoom({ concurrency, claimed }: LimitRow): boolean {
  return concurrency === null || claimed < concurrency;
}

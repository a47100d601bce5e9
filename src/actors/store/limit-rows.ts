/**
 * The limits that tasks share: how many are claimed, and when the last ones were. A limit is asked about the first task
 * of a line only, so those behind it cost nothing while it is closed.
 */
import { LazyHeap } from '../lazy-heap.ts';
import type { LimitUse } from './store.ts';
import type { LimitRow, TaskRow, Wake } from './task-row.ts';

const WINDOW_MS = 60_000;

export class LimitRows {
  readonly #limits = new Map<string, LimitRow>();
  readonly #idle = new Set<LimitRow>();
  readonly #wakes = new LazyHeap<Wake>(
    (a, b) => a.atMs - b.atMs,
    (wake) => !wake.isOver,
  );
  readonly #onOpened: (queues: Set<string>) => void;

  /** `onOpened` is told the classes of a limit that was closed and is open. */
  constructor(onOpened: (queues: Set<string>) => void) {
    this.#onOpened = onOpened;
  }

  /** A task with a limit comes in; its numbers count from now on. */
  admit(row: TaskRow, nowMs: number): void {
    if (row.limit === null) return;
    const { key, concurrency = null, perMinute = null } = row.limit;
    const limit = this.#limits.get(key) ?? newLimit(key);
    this.#limits.set(key, limit);
    this.#idle.delete(limit);
    limit.tasks += 1;
    row.limitRow = limit;
    if (limit.concurrency === concurrency && limit.perMinute === perMinute) return;
    const wasClosed = !this.isOpen(limit, nowMs);
    limit.concurrency = concurrency;
    limit.perMinute = perMinute;
    this.#review(limit, wasClosed, nowMs);
  }

  /** A task has settled. */
  leave(row: TaskRow): void {
    const { limitRow: limit } = row;
    if (limit === null) return;
    row.limitRow = null;
    limit.tasks -= 1;
    if (limit.tasks === 0) this.#idle.add(limit);
  }

  isOpen(limit: LimitRow, nowMs: number): boolean {
    return hasRoom(limit) && opensAtMs(limit, nowMs) <= nowMs;
  }

  claim(limit: LimitRow, nowMs: number): void {
    limit.claimed += 1;
    if (limit.perMinute === null) return;
    limit.claims.push(nowMs);
    this.#armWake(limit, nowMs);
  }

  /** A claimed task of the limit is over, or waits again. */
  free(limit: LimitRow, nowMs: number): void {
    const wasClosed = !this.isOpen(limit, nowMs);
    limit.claimed -= 1;
    this.#review(limit, wasClosed, nowMs);
  }

  /** Tells of what the passing of time has opened, and forgets what neither tasks nor claims are left of. */
  wakeDue(nowMs: number): void {
    for (let wake = this.#wakes.first(); wake !== undefined && wake.atMs <= nowMs; wake = this.#wakes.first()) {
      this.#wakes.take();
      wake.isOver = true;
      wake.limit.wake = null;
      this.#review(wake.limit, true, nowMs);
    }
    for (const limit of this.#idle) {
      if (claimsIn(limit, nowMs) > 0) continue;
      this.#idle.delete(limit);
      this.#limits.delete(limit.key);
      this.#dropWake(limit);
    }
  }

  use(key: string, nowMs: number): LimitUse | null {
    const limit = this.#limits.get(key);
    if (limit === undefined) return null;
    const { concurrency, perMinute, claimed } = limit;
    const claimedInMinute = claimsIn(limit, nowMs);
    if (limit.tasks === 0 && claimedInMinute === 0) return null;
    const atMs = hasRoom(limit) ? opensAtMs(limit, nowMs) : Number.POSITIVE_INFINITY;
    const opensInMs = atMs === Number.POSITIVE_INFINITY ? null : Math.max(0, Math.ceil(atMs - nowMs));
    return { key, concurrency, perMinute, claimed, claimedInMinute, opensInMs };
  }

  #review(limit: LimitRow, wasClosed: boolean, nowMs: number): void {
    if (!this.isOpen(limit, nowMs)) this.#armWake(limit, nowMs);
    else if (wasClosed) this.#onOpened(limit.queues);
  }

  #armWake(limit: LimitRow, nowMs: number): void {
    const atMs = opensAtMs(limit, nowMs);
    if (atMs === limit.wake?.atMs) return;
    this.#dropWake(limit);
    if (atMs <= nowMs || atMs === Number.POSITIVE_INFINITY) return;
    limit.wake = { limit, atMs, isOver: false };
    this.#wakes.push(limit.wake);
  }

  #dropWake(limit: LimitRow): void {
    if (limit.wake === null) return;
    limit.wake.isOver = true;
    limit.wake = null;
    this.#wakes.drop();
  }
}

function newLimit(key: string): LimitRow {
  const numbers = { concurrency: null, perMinute: null, claimed: 0, tasks: 0 };
  return { key, ...numbers, claims: [], start: 0, queues: new Set(), wake: null };
}

function hasRoom({ concurrency, claimed }: LimitRow): boolean {
  return concurrency === null || claimed < concurrency;
}

/** When its rate lets a task be claimed: a time that has passed if it does now, infinity if never. */
function opensAtMs(limit: LimitRow, nowMs: number): number {
  if (limit.perMinute === null) return Number.NEGATIVE_INFINITY;
  if (limit.perMinute <= 0) return Number.POSITIVE_INFINITY;
  const surplus = claimsIn(limit, nowMs) - limit.perMinute;
  const claim = limit.claims[limit.start + surplus];
  return surplus < 0 || claim === undefined ? Number.NEGATIVE_INFINITY : claim + WINDOW_MS;
}

/** How many claims are within the window; older ones are forgotten on the way. */
function claimsIn(limit: LimitRow, nowMs: number): number {
  while (limit.start < limit.claims.length && (limit.claims[limit.start] ?? nowMs) <= nowMs - WINDOW_MS) {
    limit.start += 1;
  }
  if (limit.start > 1_024 && limit.start * 2 > limit.claims.length) {
    limit.claims = limit.claims.slice(limit.start);
    limit.start = 0;
  }
  return limit.claims.length - limit.start;
}

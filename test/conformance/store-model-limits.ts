/** Shared limits as naively as they can be put: every claim is remembered for ever, and counted at each question. */
import type { LimitUse, TaskLimit } from '../../src/actors/store/store.ts';
import { isSettled, type ModelTask } from './store-model-task.ts';

const MINUTE_MS = 60_000;

export class ModelLimits {
  readonly #tasks: readonly ModelTask[];
  readonly #numbers = new Map<string, TaskLimit>();
  readonly #claims: { readonly key: string; readonly atMs: number }[] = [];

  constructor(tasks: readonly ModelTask[]) {
    this.#tasks = tasks;
  }

  /** The numbers submitted last count. */
  set({ limit }: ModelTask): void {
    if (limit !== undefined) this.#numbers.set(limit.key, limit);
  }

  claim({ limit }: ModelTask, nowMs: number): void {
    const key = limit?.key;
    if (key !== undefined && this.#numbers.get(key)?.perMinute !== undefined) this.#claims.push({ key, atMs: nowMs });
  }

  /** It got no node: the newest claim of its limit does not count. */
  unclaim({ limit }: ModelTask): void {
    const at = this.#claims.findLastIndex(({ key }) => key === limit?.key);
    if (at >= 0) this.#claims.splice(at, 1);
  }

  isOpen({ limit }: ModelTask, nowMs: number): boolean {
    return limit === undefined || this.#opensInMs(limit.key, nowMs) === 0;
  }

  use(key: string, nowMs: number): LimitUse | null {
    const numbers = this.#numbers.get(key);
    const claimedInMinute = this.#claimed(key, nowMs);
    const isUsed = this.#tasks.some((task) => task.limit?.key === key && !isSettled(task)) || claimedInMinute > 0;
    if (numbers === undefined || !isUsed) return null;
    const { concurrency = null, perMinute = null } = numbers;
    const opensInMs = this.#opensInMs(key, nowMs);
    return { key, concurrency, perMinute, claimed: this.#held(key), claimedInMinute, opensInMs };
  }

  #opensInMs(key: string, nowMs: number): number | null {
    const { concurrency, perMinute } = this.#numbers.get(key) ?? { key };
    if (concurrency !== undefined && this.#held(key) >= concurrency) return null;
    if (perMinute === undefined || this.#claimed(key, nowMs) < perMinute) return 0;
    const times = this.#claims.filter((claim) => claim.key === key).map(({ atMs }) => atMs + MINUTE_MS);
    const atMs = times.find((time) => this.#claimed(key, time) < perMinute);
    return atMs === undefined ? null : Math.ceil(atMs - nowMs);
  }

  #held(key: string): number {
    return this.#tasks.filter((task) => task.limit?.key === key && task.status === 'held').length;
  }

  #claimed(key: string, nowMs: number): number {
    return this.#claims.filter((claim) => claim.key === key && claim.atMs > nowMs - MINUTE_MS).length;
  }
}

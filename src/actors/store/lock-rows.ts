/** Named locks with fencing tokens. One counter serves all keys, so tokens rise for ever though no lapsed lock is kept. */
import type { Lock } from './rows.ts';
import type { Table } from './tables.ts';

export class LockRows {
  readonly #locks: Table<Lock>;
  readonly #nextToken: () => number;

  constructor(locks: Table<Lock>, nextToken: () => number) {
    this.#locks = locks;
    this.#nextToken = nextToken;
  }

  /** A new token for the holder, or null while another one has the lock. */
  take(key: string, holder: string, ttlMs: number, nowMs: number): { readonly token: number } | null {
    const lock = this.#locks.get(key);
    if (lock !== undefined && lock.holder !== holder && nowMs <= lock.untilMs) return null;
    const token = this.#nextToken();
    this.#locks.set(key, { key, holder, token, untilMs: nowMs + ttlMs });
    return { token };
  }

  /** Frees the lock, if the token is its present one. */
  free(key: string, token: number): void {
    if (this.#locks.get(key)?.token === token) this.#locks.delete(key);
  }

  forgetLapsed(nowMs: number): void {
    for (const { key, untilMs } of this.#locks.values()) if (nowMs > untilMs) this.#locks.delete(key);
  }
}

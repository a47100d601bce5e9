/** Named locks with fencing tokens. One counter serves all keys, so tokens rise for ever though no lapsed lock is kept. */

interface Lock {
  readonly holder: string;
  readonly token: number;
  readonly untilMs: number;
}

export class LockRows {
  readonly #locks = new Map<string, Lock>();
  #token = 0;

  /** A new token for the holder, or null while another one has the lock. */
  take(key: string, holder: string, ttlMs: number, nowMs: number): { readonly token: number } | null {
    const lock = this.#locks.get(key);
    if (lock !== undefined && lock.holder !== holder && nowMs <= lock.untilMs) return null;
    this.#token += 1;
    this.#locks.set(key, { holder, token: this.#token, untilMs: nowMs + ttlMs });
    return { token: this.#token };
  }

  /** Frees the lock, if the token is its present one. */
  free(key: string, token: number): void {
    if (this.#locks.get(key)?.token === token) this.#locks.delete(key);
  }

  forgetLapsed(nowMs: number): void {
    for (const [key, lock] of this.#locks) if (nowMs > lock.untilMs) this.#locks.delete(key);
  }
}

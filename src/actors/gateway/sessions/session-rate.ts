/**
 * How often each peer may do something: every session has a bucket of its own, so that one that floods takes nothing from
 * another. Beyond it the peer is refused, and told when to come back.
 */
import { PincerError } from '../../../protocol/failure.ts';
import type { Limits } from '../../../protocol/limits.ts';
import type { Clock } from '../../../protocol/ports.ts';
import { TokenBucket } from '../../../transport/token-bucket.ts';
import type { Session } from './session.ts';

type RateName = Extract<keyof Limits, `${string}PerSecondMax`>;

export class SessionRate {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #words: string;
  readonly #buckets = new WeakMap<Session, TokenBucket>();

  /** `done` says what peers do, in the past tense, with `%` for how often: `sent more than % messages`. */
  constructor({ clock, limits }: { clock: Clock; limits: Limits }, name: RateName, done: string) {
    this.#clock = clock;
    this.#perSecond = limits[name];
    this.#words = `${done.replace('%', String(limits[name]))} in a second (${name})`;
  }

  /** @throws PincerError `RATE_EXCEEDED` with `retryAfterMs`, for a peer that has done it too often. */
  spend(session: Session): void {
    const now = this.#clock.now();
    const bucket = this.#buckets.get(session) ?? new TokenBucket(this.#perSecond, now);
    this.#buckets.set(session, bucket);
    const waitMs = bucket.take(1, now);
    if (waitMs === 0) return;
    // Refused, so not taken.
    bucket.take(-1, now);
    const retryAfterMs = Math.ceil(waitMs);
    throw new PincerError('RATE_EXCEEDED', `'${session.peerId}' ${this.#words}`, { retryAfterMs });
  }
}

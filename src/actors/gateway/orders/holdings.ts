/**
 * Leases that channels hold, so that one instance of a channel speaks to its platform at a time. The store keeps them;
 * nothing here ends one: its holder frees it, or stops renewing it, and then its time runs out.
 */
import { PincerError } from '../../../protocol/failure.ts';
import type { Limits } from '../../../protocol/limits.ts';
import type { Store } from '../../store/store.ts';
import type { Session } from '../sessions/session.ts';

export class Holdings {
  readonly #store: Store;
  readonly #limits: Pick<Limits, 'channelLeasesMax'>;
  /** What each session holds, by key, with the token of its last answer; 0 while it has none yet. */
  readonly #held = new WeakMap<Session, Map<string, number>>();

  constructor(store: Store, limits: Pick<Limits, 'channelLeasesMax'>) {
    this.#store = store;
    this.#limits = limits;
  }

  /**
   * Takes or renews a lease for the process behind a session: another process of the same name is another holder.
   * @throws PincerError `FORBIDDEN` for who is no channel, `RATE_EXCEEDED` beyond `channelLeasesMax`.
   */
  async take(session: Session, key: string, ttlMs: number): Promise<{ status: string; token?: number }> {
    check(session);
    const held = this.#held.get(session) ?? new Map<string, number>();
    const { channelLeasesMax } = this.#limits;
    if (held.size >= channelLeasesMax && !held.has(key)) {
      throw new PincerError('RATE_EXCEEDED', `a channel may hold ${channelLeasesMax} leases at once`);
    }
    this.#held.set(session, held.set(key, held.get(key) ?? 0));
    try {
      const lease = await this.#store.lease(nameOf(key), `${session.peerId}#${session.incarnation}`, ttlMs);
      if (lease === null) {
        held.delete(key);
        return { status: 'taken' };
      }
      held.set(key, lease.token);
      return { status: 'held', token: lease.token };
    } catch (error) {
      // What was only reserved is not held; what is renewed may be held still.
      if (held.get(key) === 0) held.delete(key);
      throw error;
    }
  }

  /** Frees a lease that the session holds, by its last token; nobody frees another’s. */
  async free(session: Session, key: string, token: number): Promise<{ status: string }> {
    check(session);
    const held = this.#held.get(session);
    if (held?.get(key) !== token) return { status: 'not held' };
    held.delete(key);
    await this.#store.unlease(nameOf(key), token);
    return { status: 'freed' };
  }
}

/** Apart from whatever else the store is asked to lock. */
function nameOf(key: string): string {
  return `channel:${key}`;
}

function check({ kind, peerId }: Session): void {
  if (kind !== 'channel') {
    throw new PincerError('FORBIDDEN', `leases are for channels, and '${peerId}' is registered as ${kind}`);
  }
}

/** How many requests are let in: all who have the key share one bucket, and each address without it has a small one. */
import type { Clock } from '../protocol/ports.ts';
import { TokenBucket } from '../transport/token-bucket.ts';

/** Addresses that are remembered; beyond, the oldest is forgotten, and starts with a full bucket if it returns. */
const STRANGERS_MAX = 4_096;
/** What one address without the key may ask, as a share of what all with the key may. */
const STRANGER_SHARE = 1 / 10;

export interface Turnstile {
  /** Milliseconds to wait; 0 = come in. Who is turned away is not counted. */
  admit(): number;
  admitStranger(address: string): number;
}

export function createTurnstile(clock: Clock, perSecond: number): Turnstile {
  const known = gateOf(perSecond, clock.now());
  const strangers = new Map<string, Gate>();
  return {
    admit: () => known(clock.now()),
    admitStranger(address) {
      let gate = strangers.get(address);
      if (gate === undefined) {
        const [oldest] = strangers.keys();
        if (strangers.size >= STRANGERS_MAX && oldest !== undefined) strangers.delete(oldest);
        gate = gateOf(Math.max(1, perSecond * STRANGER_SHARE), clock.now());
        strangers.set(address, gate);
      }
      return gate(clock.now());
    },
  };
}

type Gate = (now: number) => number;

/** A bucket that nobody draws from while it is in debt, so that waiting always helps. */
function gateOf(perSecond: number, startedAt: number): Gate {
  const bucket = new TokenBucket(perSecond, startedAt);
  let closedUntil = 0;
  return (now) => {
    if (now < closedUntil) return closedUntil - now;
    closedUntil = now + bucket.take(1, now);
    return 0;
  };
}

/**
 * Whether anybody inspects a system of actors, and which of them live. Mostly nobody does, and then what inspectors would be
 * told need not be made; xstate looks for them only when it is. Asked of a count, and not of xstate, which does not say, and
 * does not list its actors either.
 */
import type { AnyActorRef } from 'xstate';

export interface Onlookers {
  /** How many inspect the system now. */
  count: number;
  /** Who has actors in the system, and which of them live now; parents come first. */
  readonly casts: (() => Iterable<AnyActorRef>)[];
}

type System = AnyActorRef['system'];

const known = new WeakMap<System, Onlookers>();

/** Of a system that was there before anybody counted. */
const PERHAPS: Onlookers = Object.freeze({ count: 1, casts: [] });

/** Counts who inspects a system from now on. To be called with its first actor, before anybody can have begun. */
export function countOnlookers(system: System): void {
  const onlookers: Onlookers = { count: 0, casts: [] };
  const inspect = system.inspect.bind(system);
  known.set(system, onlookers);
  system.inspect = (observer) => {
    const subscription = inspect(observer);
    let isOver = false;
    onlookers.count += 1;
    return {
      unsubscribe() {
        if (!isOver) onlookers.count -= 1;
        isOver = true;
        subscription.unsubscribe();
      },
    };
  };
}

/** Those of a system; of one that nobody counts there may always be some. */
export function onlookersOf(system: System): Onlookers {
  return known.get(system) ?? PERHAPS;
}

/** Says which actors of a system live, from now on, to those who will inspect it. For whoever lives as long as the system. */
export function addCast(system: System, cast: () => Iterable<AnyActorRef>): void {
  known.get(system)?.casts.push(cast);
}

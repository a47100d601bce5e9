/**
 * Lets somebody look on while charts run: xstate’s inspection, begun late and ended at any time. Who begins is first told of
 * the actors that are there; whose observer throws is told no more, and nobody else notices.
 * @see https://stately.ai/docs/inspection
 */
import type { AnyActorRef, InspectionEvent } from 'xstate';
import { PincerError } from '../protocol/failure.ts';
import type { Limits } from '../protocol/limits.ts';
import type { Log } from '../protocol/ports.ts';
import { onlookersOf } from './onlookers.ts';

/**
 * Who is told what the charts do: a function, or an object with `next`, such as the `inspect` of an inspector that
 * `@statelyai/inspect` makes.
 */
export type Inspector = ((event: InspectionEvent) => void) | { next?(event: InspectionEvent): void };

/** Ends what it stands for. */
export interface Inspection {
  unsubscribe(): void;
}

/** Of whom an inspector is told, by session id. */
interface Told {
  /** The actors, and their parents. */
  readonly actors: Map<string, string>;
  /** How many of them each parent has. */
  readonly under: Map<string, number>;
}

/**
 * @throws PincerError `OPTION_INVALID` for an inspector that is neither a function nor has a `next`.
 */
export function inspect(
  root: AnyActorRef,
  inspector: Inspector,
  { limits, log }: { readonly limits: Limits; readonly log: Log },
): Inspection {
  const tell = tellerOf(inspector);
  const told: Told = { actors: new Map(), under: new Map() };
  let end: () => void = () => {};
  let isOver = false;
  const next = (event: InspectionEvent): void => {
    if (isOver || !concerns(event, told, limits.inspectedMax)) return;
    try {
      tell(event);
    } catch (error) {
      isOver = true;
      end();
      log.error('inspect.failed', { error: String(error) });
    }
  };
  for (const cast of onlookersOf(root.system).casts) for (const actor of cast()) introduce(actor, root, next);
  const { unsubscribe } = root.system.inspect({ next });
  end = unsubscribe;
  if (isOver) end();
  return {
    unsubscribe() {
      isOver = true;
      end();
    },
  };
}

/** Tells of an actor that has been there before, and of where it is. */
function introduce(actor: AnyActorRef, root: AnyActorRef, next: (event: InspectionEvent) => void): void {
  const snapshot = actor.getSnapshot();
  if (snapshot.status !== 'active') return;
  const about = { rootId: root.sessionId, actorRef: actor };
  next({ type: '@xstate.actor', ...about });
  next({ type: '@xstate.snapshot', ...about, event: { type: 'xstate.init' }, snapshot });
}

/** Whether an event is of an actor that the inspector is told of; a new one is, unless there are many beside it. */
function concerns(event: InspectionEvent, { actors, under }: Told, max: number): boolean {
  const { sessionId, _parent } = event.actorRef as AnyActorRef;
  if (event.type === '@xstate.actor') {
    const parent = _parent?.sessionId ?? '';
    const beside = under.get(parent) ?? 0;
    if (beside >= max) return false;
    under.set(parent, beside + 1);
    actors.set(sessionId, parent);
    return true;
  }
  const parent = actors.get(sessionId);
  if (parent === undefined) return false;
  if (event.type === '@xstate.snapshot' && (event.snapshot as { status: string }).status !== 'active') {
    actors.delete(sessionId);
    under.set(parent, (under.get(parent) ?? 1) - 1);
  }
  return true;
}

function tellerOf(inspector: Inspector): (event: InspectionEvent) => void {
  if (typeof inspector === 'function') return inspector;
  if (typeof inspector?.next === 'function') return (event) => inspector.next?.(event);
  throw new PincerError('OPTION_INVALID', 'inspect: the inspector is neither a function nor has a `next`');
}

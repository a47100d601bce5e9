/**
 * Lets somebody look on while charts run: xstate’s inspection, begun late and ended at any time. Who begins is first told of
 * the actors that are there; whose observer throws is told no more, and nobody else notices.
 * @see https://stately.ai/docs/inspection
 */
import type { AnyActorRef, InspectionEvent } from 'xstate';
import { PincerError } from '../../protocol/failure.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Log } from '../../protocol/ports.ts';
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

/** Of whom an inspector is told, by session id: of so many under one parent at a time. */
class Told {
  readonly #max: number;
  /** The actors, and their parents. */
  readonly #actors = new Map<string, string>();
  /** How many of them each parent has. */
  readonly #under = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Whether an event is of one of them; an actor that is new is, unless there are many beside it. */
  concerns(event: InspectionEvent): boolean {
    const actor = event.actorRef as AnyActorRef;
    if (event.type === '@xstate.actor') return this.#add(actor);
    // Of one that fails there is no snapshot any more: its parent is told.
    const isFailure = event.type === '@xstate.event' && event.event.type.startsWith('xstate.error.actor.');
    if (isFailure && event.sourceRef !== undefined) this.#drop(event.sourceRef.sessionId);
    if (!this.#actors.has(actor.sessionId)) return false;
    const isEnd = event.type === '@xstate.snapshot' && (event.snapshot as { status: string }).status !== 'active';
    if (isEnd) this.#drop(actor.sessionId);
    return true;
  }

  #add({ sessionId, _parent }: AnyActorRef): boolean {
    const parent = _parent?.sessionId ?? '';
    const beside = this.#under.get(parent) ?? 0;
    if (beside >= this.#max) return false;
    this.#under.set(parent, beside + 1);
    this.#actors.set(sessionId, parent);
    return true;
  }

  #drop(sessionId: string): void {
    const parent = this.#actors.get(sessionId);
    if (parent === undefined) return;
    this.#actors.delete(sessionId);
    const beside = (this.#under.get(parent) ?? 1) - 1;
    if (beside > 0) this.#under.set(parent, beside);
    else this.#under.delete(parent);
  }
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
  const told = new Told(limits.inspectedMax);
  let end: () => void = () => {};
  let isOver = false;
  const next = (event: InspectionEvent): void => {
    if (isOver || !told.concerns(event)) return;
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

function tellerOf(inspector: Inspector): (event: InspectionEvent) => void {
  if (typeof inspector === 'function') return inspector;
  if (typeof inspector?.next === 'function') return (event) => inspector.next?.(event);
  throw new PincerError('OPTION_INVALID', 'inspect: the inspector is neither a function nor has a `next`');
}

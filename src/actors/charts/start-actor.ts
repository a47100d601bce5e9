/**
 * Starts the actor of a chart whose commands its owner carries out: the root of a system, or a singleton under one.
 * Every one has an error observer: an unobserved error would end the process. Events for a chart that has ended are
 * dropped: they are for nobody, and xstate would say so on the console.
 */
import {
  type Actor,
  type ActorLogic,
  type AnyActorRef,
  type AnyEventObject,
  type AnyStateMachine,
  createActor,
  type EmittedFrom,
  type InputFrom,
  type Snapshot,
} from 'xstate';
import { type Charts, logicOf } from './charts.ts';
import { addCast, countOnlookers } from './onlookers.ts';

export function startActor<Machine extends AnyStateMachine>(
  machine: Machine,
  options: {
    charts: Charts;
    id: string;
    parent?: AnyActorRef;
    input?: InputFrom<Machine>;
    onCommand(command: EmittedFrom<Machine>): void;
    /** The chart threw, or the one that carries out its commands did. */
    onError(error: unknown): void;
  },
): Actor<Machine> {
  const { charts, id, parent, input, onCommand, onError } = options;
  const above = parent === undefined ? null : listenerUnder(parent, id);
  const actor = createActor(logicOf(machine, charts), {
    id,
    ...(above === null ? {} : { parent: above }),
    ...(input === undefined ? {} : { input }),
  } as never) as unknown as Actor<Machine>;
  if (above === null) countOnlookers(actor.system);
  addCast(actor.system, () => (above === null ? [actor] : [above, actor]));
  const send = actor.send.bind(actor);
  actor.send = (event) => {
    if ((actor.getSnapshot() as Snapshot<unknown>).status === 'active') send(event);
  };
  actor.subscribe({ error: onError });
  actor.on('*' as never, (command: unknown) => {
    try {
      onCommand(command as EmittedFrom<Machine>);
    } catch (error) {
      // xstate would throw it once more, where nothing can catch it.
      onError(error);
    }
  });
  actor.start();
  return actor;
}

const idle: Snapshot<undefined> = { status: 'active', output: undefined, error: undefined };

/** Takes no notice of anything, for ever. */
const listener: ActorLogic<Snapshot<undefined>, AnyEventObject> = {
  getInitialSnapshot: () => idle,
  getPersistedSnapshot: (snapshot) => snapshot,
  transition: (snapshot) => snapshot,
};

/** A singleton may end after the chart above it, and says so to its parent: to one that is still there to hear it. */
function listenerUnder(parent: AnyActorRef, id: string): AnyActorRef {
  const actor = createActor(listener, { parent, id: `${id}-listener` });
  actor.start();
  return actor;
}

/**
 * Starts the actor of a chart whose commands its owner carries out: the root of a system, or a singleton under one.
 * Every one has an error observer: an unobserved error would end the process.
 */
import {
  type Actor,
  type AnyActorRef,
  type AnyStateMachine,
  createActor,
  type EmittedFrom,
  type InputFrom,
} from 'xstate';

export function startActor<Machine extends AnyStateMachine>(
  machine: Machine,
  options: {
    id: string;
    parent?: AnyActorRef;
    input?: InputFrom<Machine>;
    onCommand(command: EmittedFrom<Machine>): void;
    onError(error: unknown): void;
  },
): Actor<Machine> {
  const { id, parent, input, onCommand, onError } = options;
  const actor = createActor(machine, {
    id,
    ...(parent === undefined ? {} : { parent }),
    ...(input === undefined ? {} : { input }),
  } as never) as unknown as Actor<Machine>;
  actor.subscribe({ error: onError });
  actor.on('*' as never, (command: unknown) => onCommand(command as EmittedFrom<Machine>));
  actor.start();
  return actor;
}

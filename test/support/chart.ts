/** Runs a chart as an actor, feeds it events, and keeps the commands it emits. */
import {
  type AnyStateMachine,
  createActor,
  type EmittedFrom,
  type EventFromLogic,
  type InputFrom,
  type SnapshotFrom,
} from 'xstate';

/** What came of one event: where the chart is then, and the commands that the event led to. */
export interface Play<Machine extends AnyStateMachine> {
  readonly value: unknown;
  readonly commands: readonly EmittedFrom<Machine>[];
  readonly snapshot: SnapshotFrom<Machine>;
}

/** Starts a chart and sends the events; `commands` are those of the last event, or of the start if there is none. */
export function play<Machine extends AnyStateMachine>(
  machine: Machine,
  input: InputFrom<Machine>,
  events: readonly EventFromLogic<Machine>[] = [],
): Play<Machine> {
  const turns = playAll(machine, input, events);
  const last = turns.at(-1);
  if (last === undefined) throw new Error('a play has at least its start');
  return last;
}

/**
 * The start and every event in turn, each with its own commands. What the chart throws is thrown here; a chart that has
 * ended hears nothing more, as its host has forgotten it.
 */
export function playAll<Machine extends AnyStateMachine>(
  machine: Machine,
  input: InputFrom<Machine>,
  events: readonly EventFromLogic<Machine>[],
): Play<Machine>[] {
  let commands: EmittedFrom<Machine>[] = [];
  const actor = createActor(machine as AnyStateMachine, { input });
  let thrown: unknown = null;
  actor.subscribe({
    error: (error) => {
      thrown = error;
    },
  });
  actor.on('*', (command) => {
    commands.push(command as EmittedFrom<Machine>);
  });
  const turn = (act: () => void): Play<Machine> => {
    commands = [];
    act();
    if (thrown !== null) throw thrown;
    const snapshot = actor.getSnapshot();
    return { value: snapshot.value, commands, snapshot: snapshot as SnapshotFrom<Machine> };
  };
  return [
    turn(() => actor.start()),
    ...events.map((event) =>
      turn(() => {
        if (actor.getSnapshot().status === 'active') actor.send(event);
      }),
    ),
  ];
}

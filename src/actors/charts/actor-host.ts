/**
 * Many short-lived actors of one chart under one parent: tasks, nodes, sessions, attempts. A custom actor logic with a
 * Map of its own, since a machine copies its children at each spawn (10 000 spawns took 42 s; here 19 µs each).
 * @see docs/decisions/0001-actor-host.md
 */
import {
  Actor,
  type ActorLogic,
  type AnyActorRef,
  type AnyStateMachine,
  createActor,
  type EmittedFrom,
  type EventFromLogic,
  type InputFrom,
  type Snapshot,
  type SnapshotFrom,
} from 'xstate';
import { TransitMap } from '../transit-map.ts';
import { type Charts, logicOf } from './charts.ts';
import { type End, Life, type LifeOwner } from './life.ts';
import { addCast, onlookersOf } from './onlookers.ts';

/** What a host tells its owner. All are called synchronously. */
export interface HostOwner<Machine extends AnyStateMachine> {
  /** A chart emitted a command. If carrying it out throws, its actor has failed as if its chart had thrown. */
  onCommand(id: string, command: EmittedFrom<Machine>): void;
  /** A chart reached its final state, and is gone. */
  onDone(id: string): void;
  /** A chart threw, and is gone: one task, node or session fails, never the process. */
  onError(id: string, error: unknown): void;
}

export interface Host<Machine extends AnyStateMachine> {
  /** Starts an actor. The id must not be taken. */
  spawn(id: string, input: InputFrom<Machine>): void;
  /** Sends an event; false if there is no such actor. */
  tell(id: string, event: EventFromLogic<Machine>): boolean;
  snapshot(id: string): SnapshotFrom<Machine> | undefined;
  /** Ends an actor without a word: what it stood for lives elsewhere now. */
  drop(id: string): void;
  has(id: string): boolean;
  ids(): IterableIterator<string>;
  readonly size: number;
}

type HostEvent =
  | { type: 'host.drop'; id: string }
  | { type: 'host.fail'; error: unknown }
  | { type: `xstate.done.actor.${string}`; actorId: string }
  | { type: `xstate.error.actor.${string}`; actorId: string; error: unknown };

export function createHost<Machine extends AnyStateMachine>(
  machine: Machine,
  options: { charts: Charts; parent: AnyActorRef; id: string; owner: HostOwner<Machine> },
): Host<Machine> {
  const { charts, parent, id: hostId, owner } = options;
  const chart = logicOf(machine, charts) as AnyStateMachine;
  const actors = new TransitMap<string, Actor<AnyStateMachine>>();
  const commands = owner as LifeOwner;
  // The state never changes: what changes is the Map beside it. One shared snapshot keeps the inspector quiet.
  const active: Snapshot<undefined> = { status: 'active', output: undefined, error: undefined };

  const logic: ActorLogic<Snapshot<undefined>, HostEvent> = {
    getInitialSnapshot: () => active,
    getPersistedSnapshot: (snapshot) => snapshot,
    transition(snapshot, event, scope) {
      if (event.type === 'host.drop') {
        const actor = actors.get(event.id);
        if (actor !== undefined && actors.delete(event.id)) scope.stopChild(actor);
      } else if (event.type === 'host.fail') throw event.error;
      else if ('actorId' in event) reap(event.actorId, 'error' in event ? event : undefined);
      return snapshot;
    },
  };

  const host = createActor(logic, { parent, id: hostId });
  const onlookers = onlookersOf(host.system);
  /** Those of which the owner is told now, and after that. */
  const ends: End[] = [];
  host.start();
  addCast(host.system, () => [host, ...actors.values()]);

  /** As in life.ts, commands go straight to the owner: a listener for each actor would cost as much as all else it does. */
  const life: AnyStateMachine = Object.create(chart, {
    getInitialSnapshot: {
      value(scope: LifeScope, input: unknown) {
        scope.emit = toOwner;
        return chart.getInitialSnapshot(scope as never, input);
      },
    },
  });

  function reap(id: string, failure: End['failure']): void {
    if (!actors.delete(id)) return;
    if (failure === undefined) owner.onDone(id);
    else owner.onError(id, failure.error);
  }

  /** As the events are that the host gets while somebody inspects: one after another, and what the owner throws ends it. */
  function onEnd(end: End): void {
    ends.push(end);
    if (ends.length > 1) return;
    try {
      for (const { id, failure } of ends) reap(id, failure);
    } catch (error) {
      host.send({ type: 'host.fail', error });
    } finally {
      ends.length = 0;
    }
  }

  /** What the owner throws ends the actor, with the commands it has left: xstate tells its parent, which is the host. */
  function toOwner(this: LifeScope, command: unknown): void {
    owner.onCommand(this.id, command as EmittedFrom<Machine>);
  }

  return {
    spawn(id, input) {
      if (actors.has(id)) throw new Error(`${hostId}: '${id}' exists already`);
      const actor =
        charts === 'compiled'
          ? (new Life(chart, {
              parent: host,
              id,
              input,
              owner: commands,
              onEnd,
              onlookers,
            }) as unknown as Actor<AnyStateMachine>)
          : new Actor(life, { parent: host, id, input });
      actors.set(id, actor);
      actor.start();
    },
    tell(id, event) {
      const actor = actors.get(id);
      if (actor === undefined) return false;
      actor.send(event as never);
      return true;
    },
    snapshot: (id) => actors.get(id)?.getSnapshot() as SnapshotFrom<Machine> | undefined,
    drop(id) {
      host.send({ type: 'host.drop', id });
    },
    has: (id) => actors.has(id),
    ids: () => actors.keys(),
    get size() {
      return actors.size;
    },
  };
}

/** What a chart is given beside its events: among others, who it is and where its commands go. */
interface LifeScope {
  readonly id: string;
  emit(command: unknown): void;
}

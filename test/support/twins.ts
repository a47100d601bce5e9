/**
 * Two actors of one chart, the one interpreted by xstate, the other compiled, that live through the same events. Whatever
 * can be seen of them is compared after every one, and must be the same.
 */
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import {
  type AnyActor,
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  type InspectionEvent,
  type Snapshot,
} from 'xstate';

export interface TwinOptions {
  readonly input?: unknown;
  /** A persisted snapshot to begin from. */
  readonly snapshot?: Snapshot<unknown>;
  /** Whether somebody looks on while they live. */
  readonly isInspected?: boolean;
  /** What actions, guards and assigns of the chart write down; emptied before each turn of each twin. */
  readonly notes?: unknown[];
}

/** All that can be seen of a snapshot. */
export function faceOf(snapshot: unknown, types: readonly string[]): object {
  const { machine, _nodes, ...shown } = snapshot as Record<string, unknown>;
  const { tags, can, hasTag, matches, getMeta } = snapshot as AnyMachineSnapshot;
  if (can === undefined) return { ...shown, error: errorOf(shown['error']) };
  const call = (method: (given: never) => unknown, given?: unknown): unknown =>
    outcomeOf(() => method.call(snapshot, given as never));
  return {
    ...shown,
    error: errorOf(shown['error']),
    keys: Object.keys(snapshot as object),
    nodes: (_nodes as { id: string }[]).map(({ id }) => id),
    machine: (machine as { id: string }).id,
    tags: [...tags],
    tagged: [...tags, 'nothing'].map((tag) => call(hasTag, tag)),
    can: types.map((type) => call(can, { type })),
    matching: [shown['value'], 'nothing'].map((value) => call(matches, value)),
    meta: call(getMeta),
    json: outcomeOf(() => JSON.stringify(snapshot)),
  };
}

class Twin {
  readonly actor: AnyActor;
  readonly #log: unknown[] = [];
  readonly #types: readonly string[];
  readonly #notes: unknown[];
  #before: unknown;
  #shown: object = {};

  constructor(machine: AnyStateMachine, { input, snapshot, isInspected, notes = [] }: TwinOptions) {
    this.#types = machine.events;
    this.#notes = notes;
    notes.length = 0;
    this.actor = createActor(machine, {
      input,
      id: 'twin',
      ...(snapshot === undefined ? {} : { snapshot }),
      ...(isInspected === true ? { inspect: (seen: InspectionEvent) => this.#inspected(seen) } : {}),
    } as never);
    this.actor.on('*', (command) => this.#log.push(['emitted', command]));
    this.actor.subscribe({
      next: (next) => this.#log.push(['next', next.value, next === this.actor.getSnapshot()]),
      error: (error) => this.#log.push(['error', errorOf(error)]),
      complete: () => this.#log.push(['complete']),
    });
  }

  /** What can be seen of one turn, and of the actor after it. */
  turn(act: (actor: AnyActor) => void): object {
    this.#log.length = 0;
    this.#notes.length = 0;
    const thrown = outcomeOf(() => void act(this.actor));
    const snapshot = this.actor.getSnapshot();
    const isSame = snapshot === this.#before;
    // A snapshot does not change: it is looked at once.
    if (!isSame) this.#shown = this.#show();
    this.#before = snapshot;
    return { thrown, log: [...this.#log], notes: [...this.#notes], isSame, shown: this.#shown };
  }

  #show(): object {
    const persisted = outcomeOf(() => JSON.stringify(this.actor.getPersistedSnapshot()));
    return { ...faceOf(this.actor.getSnapshot(), this.#types), persisted };
  }

  #inspected(seen: InspectionEvent): void {
    const { type, event, snapshot, action, _transitions, sourceRef } = { ...seen } as Record<string, unknown>;
    const taken = (_transitions as { eventType: string; source: { id: string }; target?: { id: string }[] }[]) ?? [];
    this.#log.push([
      type,
      event,
      action,
      sourceRef === undefined,
      snapshot === undefined ? null : faceOf(snapshot, []),
      taken.map(({ eventType, source, target }) => [eventType, source.id, target?.map(({ id }) => id)]),
    ]);
  }
}

export class Twins {
  readonly #interpreted: Twin;
  readonly #compiled: Twin;
  readonly #story: unknown[] = [];

  constructor(machine: AnyStateMachine, compiled: AnyStateMachine, options: TwinOptions = {}) {
    this.#interpreted = new Twin(machine, options);
    this.#compiled = new Twin(compiled, options);
    this.#compare('created', () => {});
    this.#compare('started', (actor) => actor.start());
  }

  get snapshot() {
    return this.#interpreted.actor.getSnapshot();
  }

  get isOver(): boolean {
    return this.snapshot.status !== 'active';
  }

  send(event: unknown): this {
    this.#compare(event, (actor) => actor.send(event as AnyEventObject));
    return this;
  }

  #compare(what: unknown, act: (actor: AnyActor) => void): void {
    this.#story.push(what);
    const expected = this.#interpreted.turn(act);
    const actual = this.#compiled.turn(act);
    // Quick for the many that are the same; of a difference the reader wants to see all.
    if (!isDeepStrictEqual(actual, expected)) expect({ story: this.#story, ...actual }).toEqual(expected);
  }
}

function outcomeOf(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return ['threw', errorOf(error)];
  }
}

function errorOf(error: unknown): unknown {
  return error instanceof Error ? [error.constructor.name, error.message, errorOf(error.cause)] : error;
}

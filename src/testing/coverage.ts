/**
 * What of a chart was seen while walking through it. Walking decides without doing: no action of the chart is executed.
 */
import {
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyTransitionDefinition,
  createEmptyActor,
} from 'xstate';
import { isForbidden, keyOf, leavesOf, type OutlineState, outlineOf } from './outline.ts';

/** What was reached of one kind of thing, and what was missed; both sorted as the chart is written. */
export interface Reach {
  readonly reached: readonly string[];
  readonly missing: readonly string[];
}

/** What a set of paths reaches of a chart. */
export interface Coverage {
  /** Innermost states by key, also those that are left at once. */
  readonly states: Reach;
  /** `running · task.cancel → cancelling`: every transition from every innermost state in which it can be taken. */
  readonly transitions: Reach;
  /** The types of event the chart has a transition for. */
  readonly events: Reach;
}

/** A snapshot, and the names of the transitions that led to it. */
interface Footstep {
  readonly snapshot: AnyMachineSnapshot;
  readonly taken: readonly string[];
}

/** Walks through one chart and remembers what it saw. */
export class Walk {
  readonly #machine: AnyStateMachine;
  readonly #names: ReadonlyMap<string, ReadonlyMap<AnyTransitionDefinition, string>>;
  readonly #scope: Parameters<AnyStateMachine['transition']>[2];
  readonly #states = new Set<string>();
  readonly #events = new Set<string>();
  readonly #transitions = new Set<string>();
  /** Where the microstep that comes next starts from; null before the first. */
  #before: AnyMachineSnapshot | null = null;
  #taken: string[] = [];

  constructor(machine: AnyStateMachine) {
    this.#machine = machine;
    this.#names = transitionNames(machine);
    const self = createEmptyActor() as AnyActorRef;
    const nothing = () => {};
    this.#scope = {
      self,
      system: self.system,
      id: machine.id,
      sessionId: machine.id,
      logger: nothing,
      defer: nothing,
      stopChild: nothing,
      emit: nothing,
      actionExecutor: nothing,
    };
    self.system.inspect((seen) => {
      if (seen.type !== '@xstate.microstep') return;
      for (const transition of seen._transitions) this.#note(transition);
      this.#before = seen.snapshot as AnyMachineSnapshot;
    });
  }

  start(input: unknown): Footstep {
    return this.#follow(null, () => this.#machine.getInitialSnapshot(this.#scope, input));
  }

  step(from: AnyMachineSnapshot, event: { readonly type: string }): Footstep {
    this.#events.add(event.type);
    return this.#follow(from, () => this.#machine.transition(from, event, this.#scope));
  }

  /** The names of all transitions taken from the start, given these events. */
  along(input: unknown, events: Iterable<{ readonly type: string }>): Set<string> {
    let { snapshot, taken } = this.start(input);
    const all = new Set(taken);
    for (const event of events) {
      ({ snapshot, taken } = this.step(snapshot, event));
      for (const name of taken) all.add(name);
    }
    return all;
  }

  coverage(): Coverage {
    const leaves = outlineOf(this.#machine).states.filter(isLeaf);
    return {
      states: split(
        leaves.map(({ key }) => key),
        this.#states,
      ),
      transitions: split(
        [...this.#names.values()].flatMap((names) => [...names.values()]),
        this.#transitions,
      ),
      events: split(this.#machine.events, this.#events),
    };
  }

  #follow(from: AnyMachineSnapshot | null, move: () => AnyMachineSnapshot): Footstep {
    this.#before = from;
    this.#taken = [];
    const snapshot = move();
    for (const leaf of leavesOf(snapshot.value)) this.#states.add(leaf);
    for (const name of this.#taken) this.#transitions.add(name);
    return { snapshot, taken: this.#taken };
  }

  #note(transition: AnyTransitionDefinition): void {
    const source = keyOf(transition.source);
    const active = this.#before === null ? [source] : leavesOf(this.#before.value);
    for (const leaf of active.filter((key) => key === source || source === '' || key.startsWith(`${source}.`))) {
      this.#states.add(leaf);
      const name = this.#names.get(leaf)?.get(transition);
      if (name !== undefined) this.#taken.push(name);
    }
  }
}

/** Whether a state has no states inside it that a snapshot would name instead. */
export function isLeaf({ type }: OutlineState): boolean {
  return type === 'atomic' || type === 'final';
}

/** By innermost state: the transitions that can be taken there, and their names. */
function transitionNames(machine: AnyStateMachine): Map<string, Map<AnyTransitionDefinition, string>> {
  const { states, transitions } = outlineOf(machine);
  const resting = states.filter((state) => isLeaf(state) && state.type !== 'final');
  return new Map(
    resting.map(({ key: leaf, isTransient }) => {
      const chain = chainOf(leaf);
      const named = transitions
        .filter(({ source, event }) => chain.includes(source) && !(isTransient && event !== null))
        .filter(({ source, event }) => event === null || !isSwallowed(machine, chain, source, event))
        .map(({ definition, event, guard, targets }) => {
          const condition = guard === '' ? '' : ` [${guard}]`;
          return [
            definition,
            `${leaf} · ${event ?? 'always'}${condition} → ${targets.join(' + ') || 'itself'}`,
          ] as const;
        });
      return [leaf, new Map(named)];
    }),
  );
}

/** Whether a state further in takes, or forbids, the event whatever the guards say. */
function isSwallowed(machine: AnyStateMachine, chain: readonly string[], source: string, event: string): boolean {
  return chain.slice(0, chain.indexOf(source)).some((key) => {
    const node = machine.getStateNodeById(`${machine.id}.${key}`);
    const branches = [...(node.transitions.get(event) ?? []), ...(node.transitions.get('*') ?? [])];
    return branches.some((branch) => isForbidden(branch) || branch.guard === undefined);
  });
}

/** A key and those around it, innermost first, down to the chart itself. */
function chainOf(key: string): string[] {
  if (key === '') return [''];
  return [key, ...chainOf(key.slice(0, Math.max(0, key.lastIndexOf('.'))))];
}

function split(all: readonly string[], seen: ReadonlySet<string>): Reach {
  return { reached: all.filter((name) => seen.has(name)), missing: all.filter((name) => !seen.has(name)) };
}

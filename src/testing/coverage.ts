/**
 * What of a chart was seen while walking through it. Walking decides without doing: no action of the chart is executed.
 */
import {
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode,
  type AnyTransitionDefinition,
  createEmptyActor,
} from 'xstate';
import { isFitting } from '../compile/moves.ts';
import { isWildcard, keyOf, leavesOf, nodesBelow, type OutlineState, outlineOf } from './outline.ts';

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
  /** The types of event the chart has a transition for; a wildcard is reached when it is taken. */
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
  /** The innermost states that the microstep which comes next starts from. */
  #before: readonly string[] = [];
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
      this.#before = leavesOf((seen.snapshot as AnyMachineSnapshot).value);
    });
  }

  /** @throws Error for a chart that fails to start, which xstate makes a snapshot of. */
  start(input: unknown): Footstep {
    const machine = this.#machine;
    const first = machine.resolveState({ value: {}, context: {} } as never);
    const footstep = this.#follow(first, () => machine.getInitialSnapshot(this.#scope, input));
    const { status, error } = footstep.snapshot;
    if (status !== 'error') return footstep;
    const why = error instanceof Error ? error.message : String(error);
    const given = input === undefined ? ' without input' : '';
    throw new Error(`chart ${machine.id} does not start${given}: ${why}`, { cause: error });
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

  #follow(from: AnyMachineSnapshot, move: () => AnyMachineSnapshot): Footstep {
    this.#before = leavesOf(from.value);
    this.#taken = [];
    const snapshot = move();
    for (const leaf of leavesOf(snapshot.value)) this.#states.add(leaf);
    for (const name of this.#taken) this.#transitions.add(name);
    return { snapshot, taken: this.#taken };
  }

  #note(transition: AnyTransitionDefinition): void {
    const source = keyOf(transition.source);
    if (isWildcard(transition.eventType)) this.#events.add(transition.eventType);
    for (const leaf of this.#before.filter((key) => key === source || source === '' || key.startsWith(`${source}.`))) {
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
  const { transitions } = outlineOf(machine);
  const resting = nodesBelow(machine.root).filter(({ type }) => type === 'atomic');
  return new Map(
    resting.map((node) => {
      const leaf = keyOf(node);
      const chain = chainOf(node);
      const isTransient = (node.always ?? []).some(isUnguarded);
      const named = transitions
        .filter(({ event }) => !(isTransient && event !== null))
        .filter(({ definition: { source }, event }) => {
          const depth = chain.indexOf(source);
          return depth >= 0 && !chain.slice(0, depth).some((inner) => swallows(inner, event));
        })
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

/** Whether a state takes, or forbids, the event whatever the guards say, so that no state around it ever gets it. */
function swallows(node: AnyStateNode, event: string | null): boolean {
  if (event === null) return (node.always ?? []).some(isUnguarded);
  const fitting = [...node.transitions].filter(([type]) => type === event || isFitting(type, event));
  return fitting.some(([, branches]) => branches.some(isUnguarded));
}

function isUnguarded({ guard }: AnyTransitionDefinition): boolean {
  return guard === undefined;
}

/** A state and those around it, innermost first, down to the chart itself. */
function chainOf(node: AnyStateNode): AnyStateNode[] {
  return node.parent === undefined ? [node] : [node, ...chainOf(node.parent)];
}

function split(all: readonly string[], seen: ReadonlySet<string>): Reach {
  return { reached: all.filter((name) => seen.has(name)), missing: all.filter((name) => !seen.has(name)) };
}

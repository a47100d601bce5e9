/**
 * `compile`: a machine of flat states as tables and closures. What xstate works out at each event (which transitions, which
 * states are left and entered, what the names stand for) is worked out once; what remains is done as xstate does it.
 */
import type { AnyEventObject, AnyMachineSnapshot, AnyStateMachine, AnyStateNode, MachineContext } from 'xstate';
import { merged, refuseSpawning, refuseToSpawn, type Scope } from './actions.ts';
import { type End, endOf } from './ends.ts';
import { type DoingsOf, isReserved, type Move, type Moves, movesOf, stepsOf } from './moves.ts';
import { siteOf } from './refusal.ts';
import { flatStatesOf } from './shape.ts';
import { type Face, faceOf, type Snapshots, snapshotsOf } from './snapshots.ts';

/** A state of the chart, with all that may happen in it. */
interface State {
  readonly face: Face;
  readonly moves: Moves;
  /** Null unless the state is final. */
  readonly end: End | null;
}

/**
 * Compiles a machine into the same actor logic, several times as fast: what comes back is used wherever the machine is,
 * and gives the same snapshots, emitted events, outputs, errors and inspection events. The machine itself stays as it is
 * and shines through (`config`, `root`, `states`, `provide`, which gives an interpreted one). What xstate itself sends (its
 * types begin with `xstate.`), and snapshots that have children, are left to the machine.
 * @throws CompileRefusal for a machine that uses what the compiler does not know: it names the construct and the state.
 * @example
 * const actor = createActor(compile(lightMachine)).start();
 */
export function compile<Machine extends AnyStateMachine>(machine: Machine): Machine {
  // What is not typed may be any actor logic, which has no chart.
  if (machine?.config === undefined || machine.root === undefined) {
    throw new TypeError('compile takes a machine, as createMachine or setup(…).createMachine makes one');
  }
  const { transition, getInitialSnapshot } = new CompiledChart(machine);
  return Object.create(machine, {
    transition: { value: transition, enumerable: true, writable: true, configurable: true },
    getInitialSnapshot: { value: getInitialSnapshot, enumerable: true, writable: true, configurable: true },
  }) as Machine;
}

class CompiledChart {
  readonly #machine: AnyStateMachine;
  readonly #states: ReadonlyMap<unknown, State>;
  readonly #snapshots: Snapshots;
  readonly #maxIterations: number;
  readonly #begin: Pick<Move, 'steps' | 'target'>;

  constructor(machine: AnyStateMachine) {
    const { root } = machine;
    const { context } = machine.config as { readonly context?: unknown };
    const nodes = flatStatesOf(machine);
    const [initial] = root.initial.target as readonly [AnyStateNode];
    if (typeof context === 'function') refuseSpawning(context, siteOf(machine, root.id));
    this.#machine = machine;
    const doingsOf = allDoings(machine, [root, ...nodes]);
    this.#states = new Map(nodes.map((node) => [node.key, stateOf(machine, node, doingsOf)]));
    this.#snapshots = snapshotsOf(machine, faceOf(initial.key, [root]));
    this.#maxIterations = machine.options.maxIterations ?? Number.POSITIVE_INFINITY;
    this.#begin = {
      target: initial,
      steps: [
        ...doingsOf(root).entry,
        ...stepsOf(machine, root.initial.actions, siteOf(machine, root.id)),
        ...doingsOf(initial).entry,
      ],
    };
  }

  readonly getInitialSnapshot = (scope: Scope, input?: unknown): AnyMachineSnapshot => {
    const event = { type: 'xstate.init', input };
    const { context } = this.#machine.config as { readonly context?: unknown };
    const isMade = typeof context === 'function';
    let first: AnyMachineSnapshot | null = null;
    try {
      if (isMade) {
        const made: unknown = context({ spawn: refuseToSpawn, input, self: scope.self });
        first = this.#snapshots.first(merged(Object(made), undefined));
      } else first = this.#snapshots.first((context || {}) as MachineContext);
      return this.#settle(this.#take(this.#begin, first, event, scope), event, scope);
    } catch (error) {
      return this.#snapshots.failed(first ?? this.#snapshots.first({}), error);
    }
  };

  readonly transition = (snapshot: AnyMachineSnapshot, event: AnyEventObject, scope: Scope): AnyMachineSnapshot => {
    // Not destructured: what is no event at all then fails with xstate’s own words.
    const type = event.type;
    const state = this.#states.get(snapshot.value);
    if (state === undefined || !canGoOn(snapshot, state)) return this.#machine.transition(snapshot, event, scope);
    let moves = state.moves.byType.get(type);
    if (moves === undefined) {
      if (isReserved(type)) return this.#machine.transition(snapshot, event, scope);
      moves = state.moves.others(type);
    }
    const move = choose(moves, snapshot, event);
    const next = move === null ? snapshot : this.#take(move, snapshot, event, scope);
    inspect(scope, event, next, move === null ? [] : move.definitions);
    return this.#settle(next, event, scope);
  };

  /** Makes moves that need no event until there is none. */
  #settle(from: AnyMachineSnapshot, event: AnyEventObject, scope: Scope): AnyMachineSnapshot {
    let snapshot = from;
    let isChanged = true;
    for (let count = 1; snapshot.status === 'active'; count += 1) {
      if (count > this.#maxIterations) throw new Error(endless(this.#maxIterations));
      const move = isChanged ? choose(this.#stateOf(snapshot.value).moves.always, snapshot, event) : null;
      if (move === null) return snapshot;
      const next = this.#take(move, snapshot, event, scope);
      isChanged = next !== snapshot;
      snapshot = next;
      inspect(scope, event, snapshot, move.definitions);
    }
    return snapshot;
  }

  #take(
    { steps, target }: Pick<Move, 'steps' | 'target'>,
    snapshot: AnyMachineSnapshot,
    event: AnyEventObject,
    scope: Scope,
  ): AnyMachineSnapshot {
    let { context } = snapshot;
    for (const step of steps) context = step(context, event, scope);
    const { face, end } = this.#stateOf(target.key);
    if (end === null) {
      // Nothing has changed: xstate gives back the very same snapshot, and so do we.
      if (context === snapshot.context && snapshot._nodes[1] === target) return snapshot;
      return this.#snapshots.next(snapshot, face, context);
    }
    const output = end.output(context, event, scope);
    for (const step of end.exits) context = step(context, event, scope);
    return this.#snapshots.done(snapshot, end.face, context, output);
  }

  #stateOf(value: unknown): State {
    return this.#states.get(value) as State;
  }
}

function allDoings(machine: AnyStateMachine, nodes: readonly AnyStateNode[]): DoingsOf {
  const doings = new Map(
    nodes.map((node) => {
      const steps = (actions: readonly unknown[]) => stepsOf(machine, actions, siteOf(machine, node.id));
      return [node, { entry: steps(node.entry), exit: steps(node.exit) }];
    }),
  );
  return (node) => doings.get(node) ?? { entry: [], exit: [] };
}

function stateOf(machine: AnyStateMachine, node: AnyStateNode, doingsOf: DoingsOf): State {
  return {
    face: faceOf(node.key, [machine.root, node]),
    moves: movesOf(machine, node, doingsOf),
    end: node.type === 'final' ? endOf(machine, node, doingsOf) : null,
  };
}

/** Anything else is for the machine: what has ended, what has children, what was restored without a context. */
function canGoOn({ status, context, children }: AnyMachineSnapshot, { end }: State): boolean {
  if (status !== 'active' || end !== null || !context) return false;
  for (const _ in children) return false;
  return true;
}

function choose(moves: readonly Move[], snapshot: AnyMachineSnapshot, event: AnyEventObject): Move | null {
  for (const move of moves) {
    if (move.guard === null || move.guard(snapshot, event)) return move;
  }
  return null;
}

/** Tells inspectors of a step, if there are any. */
function inspect(scope: Scope, event: AnyEventObject, snapshot: AnyMachineSnapshot, taken: unknown[]): void {
  if (isUnseen(scope)) return;
  const { system, self } = scope;
  const step = { type: '@xstate.microstep', actorRef: self, event, snapshot, _transitions: taken };
  (system as unknown as { _sendInspectionEvent(told: object): void })._sendInspectionEvent(step);
}

/** A scope may know that there are none. */
function isUnseen(scope: object): boolean {
  return 'isInspected' in scope && scope.isInspected === false;
}

const endless = (limit: number): string =>
  `Infinite loop detected: the machine has processed more than ${limit} microsteps without reaching a stable state. This usually happens when there's a cycle of transitions (e.g., eventless transitions or raised events causing state A -> B -> C -> A).`;

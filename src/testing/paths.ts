/**
 * Paths through a chart, for tests: enough of them to take every transition. A path can be looked at, replayed on the
 * chart, or run against a real system that should behave like it. The only file that imports `@xstate/graph`, which
 * accepts unbounded work and missing parts in silence; here neither passes.
 */
import { getShortestPaths } from '@xstate/graph';
import type { AnyMachineSnapshot, AnyStateMachine, EventFromLogic, InputFrom, SnapshotFrom } from 'xstate';
import { PincerError } from '../protocol/failure.ts';
import { checkOptions, type Names } from '../protocol/options.ts';
import { type Coverage, isLeaf, Walk } from './coverage.ts';
import { isWildcard, leavesOf, outlineOf } from './outline.ts';

/** One step of a path: an event, and the snapshot after it. */
export interface PathStep<Machine extends AnyStateMachine> {
  readonly event: EventFromLogic<Machine>;
  readonly snapshot: SnapshotFrom<Machine>;
}

/** A way through a chart, from its start. */
export interface Path<Machine extends AnyStateMachine> {
  /** `pending → task.placed → assigned`: made to be the title of a test. */
  readonly description: string;
  readonly input: InputFrom<Machine> | undefined;
  readonly start: SnapshotFrom<Machine>;
  readonly steps: readonly PathStep<Machine>[];
}

type EventOf<Machine extends AnyStateMachine, Type extends string> = Extract<EventFromLogic<Machine>, { type: Type }>;
type PayloadOf<Machine extends AnyStateMachine, Type extends string> = Omit<EventOf<Machine, Type>, 'type'>;
type TypeOf<Machine extends AnyStateMachine> = EventFromLogic<Machine>['type'];
type BareTypeOf<Machine extends AnyStateMachine> = {
  [Type in TypeOf<Machine>]: keyof PayloadOf<Machine, Type> extends never ? Type : never;
}[TypeOf<Machine>];

/** The payloads to try for each type of event. Types without a payload may be left out. */
export type EventCases<Machine extends AnyStateMachine> = {
  readonly [Type in Exclude<TypeOf<Machine>, BareTypeOf<Machine>>]: readonly PayloadOf<Machine, Type>[];
} & { readonly [Type in BareTypeOf<Machine>]?: readonly Record<string, never>[] };

/** What the paths are made from. */
export interface PathOptions<Machine extends AnyStateMachine> {
  /**
   * Payloads by type of event, or what may happen in a given snapshot. What the chart would ignore is left out. For a
   * wildcard the types that are named here are tried.
   */
  readonly events: EventCases<Machine> | ((snapshot: SnapshotFrom<Machine>) => readonly EventFromLogic<Machine>[]);
  readonly input?: InputFrom<Machine>;
  /** The most steps the search may take before it gives up. Default 2 000. */
  readonly limit?: number;
  /** What makes two snapshots the same. Default: state and context. Leave out what does not matter if the limit is reached. */
  readonly serialize?: (snapshot: SnapshotFrom<Machine>) => string;
}

const PATH_OPTIONS: Names<PathOptions<AnyStateMachine>> = { events: true, input: true, limit: true, serialize: true };

/** What a real system does for each event of a path, and how it is compared with each state reached. */
export interface PathActs<Machine extends AnyStateMachine> {
  readonly events: { readonly [Type in TypeOf<Machine>]?: (event: EventOf<Machine, Type>) => unknown };
  /** By the key of the innermost state: `running`, `serving.draining`. */
  readonly states: Readonly<Record<string, (snapshot: SnapshotFrom<Machine>) => unknown>>;
}

/**
 * Paths from the start of a chart that together enter every state and take every transition that the given events can
 * take: every event in every state, every branch. As few and as short as is cheap to find.
 * @throws Error when the limit is reached, which mostly means that something in the context grows without bound; and for
 *   a chart that does not start, as one whose context is made from an input does without it.
 * @throws PincerError `OPTION_INVALID` without a machine or without events.
 * @example
 * const paths = pathsOf(doorMachine, { events: { 'door.push': [{ force: 1 }, { force: 9 }] } });
 * assertCovered(doorMachine, paths);
 * for (const path of paths) it(path.description, () => runPath(path, { events, states }));
 */
export function pathsOf<Machine extends AnyStateMachine>(
  machine: Machine,
  options: PathOptions<Machine>,
): Path<Machine>[] {
  // What is not typed may be any actor logic, which has no chart.
  if (machine?.config === undefined || machine.root === undefined)
    throw new PincerError('OPTION_INVALID', 'pathsOf: takes a machine, as createMachine makes one');
  checkOptions(options, 'pathsOf', 'events, the payloads of each type of event', PATH_OPTIONS);
  const walk = new Walk(machine);
  const { input } = options;
  const start = walk.start(input).snapshot as SnapshotFrom<Machine>;
  const candidates: Candidate<Machine>[] = [];
  for (const { steps, end } of shortestPaths(machine, options)) {
    for (const event of enabledEvents(options, end)) {
      const { snapshot, taken } = walk.step(end, event);
      candidates.push({ steps: [...steps, { event, snapshot: snapshot as SnapshotFrom<Machine> }], taken });
    }
  }
  const chosen = choose(candidates, (steps) => walk.along(input, steps.map(eventOf)));
  return (chosen.length > 0 ? chosen : [[]]).map((found) => {
    // Walked once more: the search takes snapshots for one that `serialize` tells not apart, whichever way led there.
    let snapshot = start;
    const steps = found.map(({ event }): PathStep<Machine> => {
      snapshot = walk.step(snapshot, event).snapshot as SnapshotFrom<Machine>;
      return { event, snapshot };
    });
    return { description: describe(start, steps), input, start, steps };
  });
}

/**
 * What a set of paths reaches of a chart, and what it misses: states (those left at once count when passed through),
 * transitions (`running · task.cancel → cancelling`) and event types.
 */
export function coverageOf<Machine extends AnyStateMachine>(
  machine: Machine,
  paths: readonly Path<Machine>[],
): Coverage {
  const walk = new Walk(machine);
  for (const { input, steps } of paths) walk.along(input, steps.map(eventOf));
  return walk.coverage();
}

/**
 * Runs a path against a real system: for each step what the event stands for, then the check of the state reached.
 * Everything is awaited. The check of the initial state comes first.
 * @throws Error that says where on the path it happened, with the failure as its cause; also when an act is missing.
 */
export async function runPath<Machine extends AnyStateMachine>(
  path: Path<Machine>,
  acts: PathActs<Machine>,
): Promise<void> {
  const events: Readonly<Record<string, ((event: EventFromLogic<Machine>) => unknown) | undefined>> =
    acts.events as never;
  const visit = async (snapshot: SnapshotFrom<Machine>) => {
    for (const leaf of leavesOf((snapshot as AnyMachineSnapshot).value))
      await required(acts.states[leaf], `check for the state ${leaf}`)(snapshot);
  };
  await at(path, 0, () => visit(path.start));
  for (const [index, { event, snapshot }] of path.steps.entries()) {
    await at(path, index + 1, async () => {
      await required(events[event.type], `executor for the event ${event.type}`)(event);
      await visit(snapshot);
    });
  }
}

/**
 * Makes sure that nothing of a chart is left out: every state and transition is on one of the paths, every event type
 * is sent, and, when acts are given, each has an executor and each state that lasts has a check.
 * @throws Error that names everything that is missing.
 */
export function assertCovered<Machine extends AnyStateMachine>(
  machine: Machine,
  paths: readonly Path<Machine>[],
  acts?: PathActs<Machine>,
): void {
  const { states, transitions, events } = coverageOf(machine, paths);
  const missing = [
    ...states.missing.map((state) => `state never reached: ${state}`),
    ...events.missing.map((type) => `event never sent: ${type}`),
    ...transitions.missing.map((transition) => `transition never taken: ${transition}`),
  ];
  if (acts !== undefined) {
    const sent = new Set([
      ...machine.events.filter((type) => !isWildcard(type)),
      ...paths.flatMap(({ steps }) => steps.map(({ event }) => event.type)),
    ]);
    const lasting = outlineOf(machine).states.filter((state) => isLeaf(state) && !state.isTransient);
    missing.push(
      ...[...sent].filter((type) => !(type in acts.events)).map((type) => `no executor for the event: ${type}`),
      ...lasting.filter(({ key }) => !(key in acts.states)).map(({ key }) => `no check for the state: ${key}`),
      ...Object.keys(acts.states)
        .filter((key) => !lasting.some((state) => state.key === key))
        .map((key) => `check for a state that the chart does not have: ${key}`),
    );
  }
  if (missing.length > 0) throw new Error(`chart ${machine.id} is not covered:\n  ${missing.join('\n  ')}`);
}

interface Candidate<Machine extends AnyStateMachine> {
  readonly steps: readonly PathStep<Machine>[];
  /** The transitions of the last step. */
  readonly taken: readonly string[];
}

/** The shortest way to every distinct snapshot, nearest first. */
function shortestPaths<Machine extends AnyStateMachine>(machine: Machine, options: PathOptions<Machine>) {
  const { input, limit = 2_000, serialize = serialized } = options;
  try {
    const paths = getShortestPaths(machine as AnyStateMachine, {
      input,
      limit,
      events: (snapshot) => enabledEvents(options, snapshot as SnapshotFrom<Machine>),
      serializeState: (snapshot) => serialize(snapshot as SnapshotFrom<Machine>),
    });
    return paths
      .map(({ steps: [, ...steps], state }) => ({
        steps: steps.map(
          ({ event, state: snapshot }): PathStep<Machine> => ({
            event: event as EventFromLogic<Machine>,
            snapshot: snapshot as SnapshotFrom<Machine>,
          }),
        ),
        end: state as SnapshotFrom<Machine>,
      }))
      .sort((one, other) => one.steps.length - other.steps.length);
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('limit exceeded'))) throw error;
    throw new Error(
      `chart ${machine.id} has more than ${limit} steps to search: bound its context, try fewer payloads, or say with 'serialize' what matters`,
      { cause: error },
    );
  }
}

/** State and context; JSON by itself would take all maps and sets for the same empty object. */
function serialized(snapshot: unknown): string {
  const { value, context } = snapshot as AnyMachineSnapshot;
  return JSON.stringify({ value, context }, (_key, part: unknown) => {
    if (part instanceof Map || part instanceof Set) return [...part];
    return typeof part === 'bigint' ? `${part}n` : part;
  });
}

/** The events that a snapshot does something with. */
function enabledEvents<Machine extends AnyStateMachine>(
  { events }: PathOptions<Machine>,
  snapshot: SnapshotFrom<Machine>,
): EventFromLogic<Machine>[] {
  const { status, machine, can } = snapshot as AnyMachineSnapshot;
  if (status !== 'active') return [];
  const cases = events as Readonly<Record<string, readonly object[] | undefined>>;
  const tried: readonly EventFromLogic<Machine>[] =
    typeof events === 'function'
      ? events(snapshot)
      : typesOf(machine.events, cases).flatMap((type) =>
          (cases[type] ?? [{}]).map((payload) => ({ ...payload, type }) as EventFromLogic<Machine>),
        );
  return tried.filter((event) => can.call(snapshot as AnyMachineSnapshot, event));
}

/** Those that the chart names, and those that are named to it for its wildcards. */
function typesOf(types: readonly string[], cases: object): string[] {
  return [...new Set([...types.filter((type) => !isWildcard(type)), ...Object.keys(cases)])];
}

/** Takes the shortest candidate for each transition, then leaves out what the others cover together. */
function choose<Machine extends AnyStateMachine>(
  candidates: readonly Candidate<Machine>[],
  along: (steps: readonly PathStep<Machine>[]) => ReadonlySet<string>,
): (readonly PathStep<Machine>[])[] {
  const covered = new Set<string>();
  const chosen: { readonly steps: readonly PathStep<Machine>[]; readonly taken: ReadonlySet<string> }[] = [];
  for (const { steps, taken } of candidates) {
    if (taken.every((name) => covered.has(name))) continue;
    const all = along(steps);
    for (const name of all) covered.add(name);
    chosen.push({ steps, taken: all });
  }
  const kept = new Set(chosen);
  for (const path of chosen) {
    const others = [...kept].filter((other) => other !== path);
    if ([...path.taken].every((name) => others.some(({ taken }) => taken.has(name)))) kept.delete(path);
  }
  return [...kept].map(({ steps }) => steps);
}

function describe<Machine extends AnyStateMachine>(
  start: SnapshotFrom<Machine>,
  steps: readonly PathStep<Machine>[],
): string {
  const named = (snapshot: SnapshotFrom<Machine>) => leavesOf((snapshot as AnyMachineSnapshot).value).join(' + ');
  return [named(start), ...steps.flatMap(({ event, snapshot }) => [event.type, named(snapshot)])].join(' → ');
}

function eventOf<Machine extends AnyStateMachine>({ event }: PathStep<Machine>): EventFromLogic<Machine> {
  return event;
}

function required<Act>(act: Act | undefined, what: string): Act {
  if (act === undefined) throw new Error(`there is no ${what}`);
  return act;
}

/** Runs one step, and says of a failure where it happened: after how many steps of which path. */
async function at<Machine extends AnyStateMachine>(
  path: Path<Machine>,
  steps: number,
  act: () => Promise<void>,
): Promise<void> {
  try {
    await act();
  } catch (error) {
    const walked = describe(path.start, path.steps.slice(0, steps));
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${why}\n  on the path ${walked}`, { cause: error });
  }
}

/**
 * A chart as plain rows: its states, and what may happen in each. Read from the machine itself, so that the pictures
 * and the path tests speak of the same transitions, under the same names.
 */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

/** One state of a chart. */
export interface OutlineState {
  /** Its path in the chart, joined by dots: `running`, `serving.draining`. */
  readonly key: string;
  /** The key of the state around it; empty at the top. */
  readonly parent: string;
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  /** Whether the state around it starts in it. */
  readonly isInitial: boolean;
  /** Whether it is always left at once, so that nothing ever rests in it. */
  readonly isTransient: boolean;
  readonly description: string;
  readonly entry: readonly string[];
  readonly exit: readonly string[];
  /** The events that it ignores although a state around it would take them. */
  readonly forbids: readonly string[];
}

/** One transition of a chart, as it was written: on a state, or on a state around it. */
export interface OutlineTransition {
  /** The key of the state it is written on; empty for the chart itself. */
  readonly source: string;
  /** The type of its event; null for one that is taken without an event. */
  readonly event: string | null;
  /** The name of its guard, `else` for the rest after guarded ones, or empty. */
  readonly guard: string;
  readonly actions: readonly string[];
  /** The keys of the states it leads to; empty when it stays where it is. */
  readonly targets: readonly string[];
  readonly definition: AnyTransitionDefinition;
}

/** The states and transitions of a chart, in the order in which they are written. Forbidden transitions are left out. */
export interface Outline {
  readonly states: readonly OutlineState[];
  readonly transitions: readonly OutlineTransition[];
}

/** Reads a machine; it is not run. */
export function outlineOf(machine: AnyStateMachine): Outline {
  const nodes = nodesBelow(machine.root);
  return {
    states: nodes.filter((node) => node !== machine.root).map(stateOf),
    transitions: nodes.flatMap((node) => [
      ...[...node.transitions.values()].flatMap((branches) => branchesOf(branches, false)),
      ...branchesOf(node.always ?? [], true),
    ]),
  };
}

/** The path of a state node as a key. */
export function keyOf(node: AnyStateNode): string {
  return node.path.join('.');
}

/** The keys of the innermost states of a state value. */
export function leavesOf(value: unknown, around = ''): string[] {
  const inside = (key: string) => (around === '' ? key : `${around}.${key}`);
  if (typeof value === 'string') return [inside(value)];
  return Object.entries(value as Record<string, unknown>).flatMap(([key, below]) => leavesOf(below, inside(key)));
}

/** A state and all within it, in the order in which they are written. */
export function nodesBelow(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap(nodesBelow)];
}

function stateOf(node: AnyStateNode): OutlineState {
  const { parent } = node;
  return {
    key: keyOf(node),
    parent: parent === undefined ? '' : keyOf(parent),
    type: node.type,
    isInitial: parent?.type === 'parallel' || parent?.config.initial === node.key,
    isTransient: (node.always ?? []).some((branch) => branch.guard === undefined),
    description: node.description ?? '',
    entry: node.entry.map(nameOf),
    exit: node.exit.map(nameOf),
    forbids: [...node.transitions].filter(([, branches]) => branches.every(isForbidden)).map(([type]) => type),
  };
}

function branchesOf(branches: readonly AnyTransitionDefinition[], isEventless: boolean): OutlineTransition[] {
  return branches
    .filter((branch) => !isForbidden(branch))
    .map((branch) => ({
      source: keyOf(branch.source),
      event: isEventless ? null : branch.eventType,
      guard: branch.guard !== undefined ? nameOf(branch.guard) : branches.length > 1 ? 'else' : '',
      actions: branch.actions.map(nameOf),
      targets: (branch.target ?? []).map(keyOf),
      definition: branch,
    }));
}

/** `{ 'some.event': undefined }`: the event is swallowed here, whatever a state around this one would do with it. */
function isForbidden(branch: AnyTransitionDefinition): boolean {
  return branch.target === undefined && branch.actions.length === 0 && branch.reenter !== true;
}

/** `*` and `job.*` stand for types of events; there is no event of such a type itself. */
export function isWildcard(type: string): boolean {
  return type === '*' || type.endsWith('.*');
}

/** `stopFor(timeout)`: the name of an action or guard, with its parameter where that is a plain word. */
function nameOf(item: unknown): string {
  if (typeof item === 'string') return item;
  const { type, name, params } = item as { type?: string; name?: string; params?: unknown };
  const said = type ?? (name === undefined || name === '' ? 'inline' : name);
  return ['string', 'number', 'boolean'].includes(typeof params) || params === null ? `${said}(${params})` : said;
}

/**
 * Transitions as moves: from one state, under one guard, a list of steps and the state they end in. Which states are left
 * and entered is settled here, once, by xstate’s rules for states that lie directly in the chart.
 */
import type {
  AnyEventObject,
  AnyMachineSnapshot,
  AnyStateMachine,
  AnyStateNode,
  AnyTransitionDefinition,
} from 'xstate';
import { compileAction, type Step } from './actions.ts';
import { compileGuard, type Guard } from './guards.ts';
import { type Site, siteOf } from './refusal.ts';

/** A transition as seen from one state. */
export interface Move {
  readonly guard: Guard | null;
  readonly steps: readonly Step[];
  /** The state that is active afterwards. */
  readonly target: AnyStateNode;
  /** What an inspector is told. */
  readonly definitions: AnyTransitionDefinition[];
}

/** The moves that one state may make. */
export interface Moves {
  /** By the type of the event: what is tried, in this order. */
  readonly byType: ReadonlyMap<string, readonly Move[]>;
  /** For a type that is not among them: what the wildcards make of it. */
  others(type: string): readonly Move[];
  /** What is tried without an event. */
  readonly always: readonly Move[];
}

const WILDCARD = '*';

/** What is left to xstate: its own events (the end of a child, an error, a stop), and what is no type of an event. */
export function isReserved(type: unknown): boolean {
  return typeof type !== 'string' || type === WILDCARD || type.startsWith('xstate.');
}

/** What is done on the way into a state, and on the way out of it. */
export interface Doings {
  readonly entry: readonly Step[];
  readonly exit: readonly Step[];
}

/** The doings of each state, and of the chart itself. */
export type DoingsOf = (node: AnyStateNode) => Doings;

/** Compiles everything that may happen in one state. */
export function movesOf(machine: AnyStateMachine, leaf: AnyStateNode, doingsOf: DoingsOf): Moves {
  const chain = [leaf, machine.root];
  const compiled = new Map<AnyTransitionDefinition, Move>();
  for (const node of chain) {
    for (const definition of [...node.transitions.values()].flat()) {
      if (definition.eventType === WILDCARD || !isReserved(definition.eventType))
        compiled.set(definition, compileMove(machine, leaf, definition, doingsOf, true));
    }
  }
  const tried = (type: string): Move[] => {
    const candidates = chain.flatMap((node) => candidatesOf(node, type));
    return reachable(candidates.flatMap((definition) => compiled.get(definition) ?? []));
  };
  const descriptors = chain.flatMap((node) => [...node.transitions.keys()]);
  const hasWildcards = descriptors.some((descriptor) => descriptor.endsWith(WILDCARD));
  const types = descriptors.filter((descriptor) => !isReserved(descriptor));
  const nothing: readonly Move[] = [];
  return {
    byType: new Map(types.map((type) => [type, tried(type)])),
    // Not kept: there is no end to the types that a stranger may send.
    others: hasWildcards ? tried : () => nothing,
    always: reachable(
      chain.flatMap((node) =>
        (node.always ?? []).map((definition) => compileMove(machine, leaf, definition, doingsOf, false)),
      ),
    ),
  };
}

/** The actions of a list, compiled. */
export function stepsOf(machine: AnyStateMachine, actions: readonly unknown[], site: Site): Step[] {
  return actions.map((action) => compileAction(machine, action, site));
}

function compileMove(
  machine: AnyStateMachine,
  leaf: AnyStateNode,
  definition: AnyTransitionDefinition,
  doingsOf: DoingsOf,
  hasEvent: boolean,
): Move {
  const { source, guard, actions } = definition;
  const site = siteOf(machine, source.id);
  const target = targetOf(machine, definition, site);
  const isTaken = target !== undefined && !(target === source && !definition.reenter);
  // A transition of the chart itself that reenters leaves the chart, and enters it again.
  const around = isTaken && source === machine.root && definition.reenter ? [machine.root] : [];
  const left = isTaken ? [leaf, ...around] : [];
  const entered = isTaken ? [...around, target] : [];
  return {
    guard: guard === undefined ? null : guardOf(machine, definition, site, hasEvent),
    steps: [
      ...left.flatMap((node) => doingsOf(node).exit),
      ...stepsOf(machine, actions, site),
      ...entered.flatMap((node) => doingsOf(node).entry),
    ],
    target: isTaken ? target : leaf,
    definitions: [definition],
  };
}

function targetOf(machine: AnyStateMachine, { target }: AnyTransitionDefinition, site: Site): AnyStateNode | undefined {
  if (target === undefined) return undefined;
  const [node, ...others] = target;
  if (node === undefined || others.length > 0) return site.refuse('a transition that does not have one target');
  if (node.parent !== machine.root) return site.refuse('a transition to the chart itself');
  return node;
}

/** What a guard throws is told with its name and place, except by transitions without an event: so does xstate. */
function guardOf(
  machine: AnyStateMachine,
  { guard, source }: AnyTransitionDefinition,
  site: Site,
  hasEvent: boolean,
): Guard {
  const compiled = compileGuard(machine, guard, site);
  if (!hasEvent) return compiled;
  const name = typeof guard === 'object' ? (guard as { readonly type: string }).type : guard;
  const named = typeof name === 'string' ? `'${name}' ` : '';
  return (snapshot: AnyMachineSnapshot, event: AnyEventObject) => {
    try {
      return compiled(snapshot, event);
    } catch (error) {
      const { message } = error as Error;
      throw new Error(
        `Unable to evaluate guard ${named}in transition for event '${event.type}' in state node '${source.id}':\n${message}`,
      );
    }
  };
}

/** Nothing is tried after a move without a guard. */
function reachable(moves: readonly Move[]): Move[] {
  const last = moves.findIndex(({ guard }) => guard === null);
  return last === -1 ? [...moves] : moves.slice(0, last + 1);
}

/** What a state tries for a type of event: what names it, then the wildcards that fit, the longest first. */
function candidatesOf(node: AnyStateNode, type: string): AnyTransitionDefinition[] {
  const { transitions } = node;
  const wildcards = [...transitions.keys()]
    .filter((descriptor) => descriptor !== type && isFitting(descriptor, type))
    .sort((one, other) => other.length - one.length);
  return [type, ...wildcards].flatMap((descriptor) => transitions.get(descriptor) ?? []);
}

/** `*` fits every type, `task.*` fits `task` and all that begins with `task.`. */
export function isFitting(descriptor: string, type: string): boolean {
  if (descriptor === WILDCARD) return true;
  if (!descriptor.endsWith('.*')) return false;
  const stem = descriptor.slice(0, -2);
  if (stem.split('.').includes(WILDCARD)) return false;
  return type === stem || type.startsWith(`${stem}.`);
}

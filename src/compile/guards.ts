/**
 * Guards as closures: names are looked up once, `and`, `or` and `not` become plain calls, parameters are bound.
 * What a guard sees and in which order it is asked is as in xstate.
 */
import { type AnyEventObject, type AnyMachineSnapshot, type AnyStateMachine, and, not, or } from 'xstate';
import type { Site } from './refusal.ts';

/** Whether a transition may be taken from a snapshot. */
export type Guard = (snapshot: AnyMachineSnapshot, event: AnyEventObject) => boolean;

type Facts = { readonly context: unknown; readonly event: AnyEventObject };
type Predicate = (facts: Facts, params: unknown) => boolean;

/** `and`, `or`, `not` and `stateIn`: a function that must not be called, with its check beside it. */
interface BuiltIn {
  readonly guards: readonly unknown[];
  check(snapshot: AnyMachineSnapshot, facts: Facts, self: BuiltIn): boolean;
}

const checkOf = (guard: unknown): unknown => (guard as BuiltIn).check;
const AND = checkOf(and([]));
const OR = checkOf(or([]));
const NOT = checkOf(not(() => true));

/** Compiles a guard as it is written in a transition. */
export function compileGuard(machine: AnyStateMachine, guard: unknown, site: Site): Guard {
  return compileNamed(machine, guard, site, new Set());
}

function compileNamed(machine: AnyStateMachine, guard: unknown, site: Site, around: ReadonlySet<unknown>): Guard {
  if (typeof guard === 'function') return compileFunction(machine, guard, undefined, site, around);
  const name = typeof guard === 'string' ? guard : (guard as { readonly type?: unknown } | null)?.type;
  if (typeof name !== 'string') site.refuse('a guard that is neither a name nor a function');
  if (around.has(name)) site.refuse(`the guard '${name}', which refers to itself`);
  const within = new Set(around).add(name);
  const implementation: unknown = (machine.implementations.guards as Record<string, unknown>)[name];
  if (implementation === undefined) site.refuse(`the guard '${name}', which is not implemented`);
  // A guard may be another name for one; parameters stop there, as in xstate.
  if (typeof implementation !== 'function') return compileNamed(machine, implementation, site, within);
  const params = typeof guard === 'object' ? (guard as { readonly params?: unknown }).params : undefined;
  return compileFunction(machine, implementation, params, site, within);
}

function compileFunction(
  machine: AnyStateMachine,
  implementation: unknown,
  params: unknown,
  site: Site,
  around: ReadonlySet<unknown>,
): Guard {
  if (checkOf(implementation) !== undefined) return compileBuiltIn(machine, implementation as BuiltIn, site, around);
  const predicate = implementation as Predicate;
  if (typeof params === 'function') {
    return (snapshot, event) => {
      const { context } = snapshot;
      return predicate({ context, event }, params({ context, event }));
    };
  }
  return (snapshot, event) => predicate({ context: snapshot.context, event }, params);
}

function compileBuiltIn(machine: AnyStateMachine, guard: BuiltIn, site: Site, around: ReadonlySet<unknown>): Guard {
  const { check, guards } = guard;
  // `stateIn`, and whatever is still to come, is asked as xstate asks it.
  if (check !== AND && check !== OR && check !== NOT) {
    return (snapshot, event) => guard.check(snapshot, { context: snapshot.context, event }, guard);
  }
  const parts = guards.map((part) => compileNamed(machine, part, site, around));
  if (check === AND) return (snapshot, event) => parts.every((part) => part(snapshot, event));
  if (check === OR) return (snapshot, event) => parts.some((part) => part(snapshot, event));
  const [part] = parts as [Guard];
  return (snapshot, event) => !part(snapshot, event);
}

/**
 * Actions as steps from one context to the next. What has an effect goes through the actor’s own executor, so that
 * inspection, deferral until the start and xstate’s `transition` see it as they always do.
 */
import type { ActorScope, AnyEventObject, AnyStateMachine, EventObject, MachineContext } from 'xstate';
import type { Site } from './refusal.ts';

// biome-ignore lint/suspicious/noExplicitAny: so does xstate’s AnyActorScope, which it does not export
export type Scope = ActorScope<any, any, any, any>;

/** Runs one action; gives the context after it. */
export type Step = (context: MachineContext, event: AnyEventObject, scope: Scope) => MachineContext;

type Bind = (context: MachineContext, event: AnyEventObject) => unknown;
type Maker = (given: object, params: unknown) => unknown;

interface BuiltIn {
  readonly type: string;
  readonly assignment?: unknown;
  readonly event?: unknown;
}

/** A name of `spawn` in the source of a function: the only sign before it is called. */
const SPAWNS = /\bspawn\b/;

/** Compiles an action as it is written in a state or a transition. */
export function compileAction(machine: AnyStateMachine, action: unknown, site: Site): Step {
  const { name, implementation, params } = resolve(machine, action, site);
  if (implementation !== undefined && typeof implementation !== 'function') {
    site.refuse(`the action '${name}', which is not a function`);
  }
  const bind = bindOf(params);
  if (implementation === undefined || !('resolve' in implementation)) {
    return customStep(name, implementation as Parameters<typeof customStep>[1], bind);
  }
  const { type, assignment, event } = implementation as unknown as BuiltIn;
  if (type === 'xstate.assign') return assignStep(assignment, bind, site);
  if (type === 'xstate.emit') return emitStep(event, bind);
  return site.refuse(`the action '${type}'`);
}

function resolve(machine: AnyStateMachine, action: unknown, site: Site) {
  if (typeof action === 'function') {
    return { name: action.name || '(anonymous)', implementation: action as unknown, params: undefined };
  }
  const name = typeof action === 'string' ? action : (action as { readonly type?: unknown } | null)?.type;
  if (typeof name !== 'string') return site.refuse('an action that is neither a name nor a function');
  const implementation: unknown = (machine.implementations.actions as Record<string, unknown>)[name];
  const params = typeof action === 'object' ? (action as { readonly params?: unknown }).params : undefined;
  return { name, implementation, params };
}

function bindOf(params: unknown): Bind {
  if (typeof params !== 'function') return () => params;
  return (context, event) => params({ context, event });
}

/** Also an action that nobody has implemented: it does nothing, and is seen to. */
function customStep(type: string, exec: Parameters<Scope['actionExecutor']>[0]['exec'], bind: Bind): Step {
  return (context, event, scope) => {
    const info = { context, event, self: scope.self, system: scope.system };
    scope.actionExecutor({ type, info, params: bind(context, event), exec });
    return context;
  };
}

function emitStep(emitted: unknown, bind: Bind): Step {
  const make = typeof emitted === 'function' ? (emitted as Maker) : null;
  return (context, event, scope) => {
    const params = bind(context, event);
    const { self, system } = scope;
    const command = (make === null ? emitted : make({ context, event, self, system }, params)) as EventObject;
    if (canEmitLater(scope)) scope.emitLater(command);
    else {
      scope.actionExecutor({
        type: 'xstate.emit',
        info: { context, event, self, system },
        params: { event: command },
        exec: () => scope.defer(() => scope.emit(command)),
      });
    }
    return context;
  };
}

/** A scope that does in one go what its executor would make of an `emit`: inspection, deferral until the start, and after. */
interface EmittingScope {
  emitLater(command: unknown): void;
}

function canEmitLater(scope: object): scope is EmittingScope {
  return 'emitLater' in scope;
}

function assignStep(assignment: unknown, bind: Bind, site: Site): Step {
  if (typeof assignment === 'function') {
    refuseSpawning(assignment, site);
    const change = assignment as Maker;
    return (context, event, scope) => {
      const params = bind(context, event);
      return merged(context, change(assignArgs(context, event, scope), params));
    };
  }
  const changes = Object.entries(assignment as object).map(([key, change]) => {
    if (typeof change === 'function') refuseSpawning(change, site);
    return [key, typeof change === 'function' ? (change as Maker) : null, change] as const;
  });
  if (changes.every(([, make]) => make === null)) {
    const fixed = Object.fromEntries(changes.map(([key, , change]) => [key, change]));
    return (context, event) => {
      bind(context, event);
      return merged(context, fixed);
    };
  }
  return (context, event, scope) => {
    const params = bind(context, event);
    const args = assignArgs(context, event, scope);
    const partial: Record<string, unknown> = {};
    for (const [key, make, value] of changes) partial[key] = make === null ? value : make(args, params);
    return merged(context, partial);
  };
}

/** `Object.assign({}, context, change)`, which takes three times as long. They differ for this one key alone. */
export function merged(context: object, change: unknown): MachineContext {
  const copy = Object.hasOwn(context, '__proto__') ? Object.assign({}, context) : { ...context };
  return Object.assign(copy, change);
}

function assignArgs(context: MachineContext, event: AnyEventObject, scope: Scope): object {
  return { context, event, spawn: refuseToSpawn, self: scope.self, system: scope.system };
}

/** Refuses a function that names `spawn`: a compiled chart has no children. */
export function refuseSpawning(assignment: unknown, site: Site): void {
  if (SPAWNS.test(String(assignment))) site.refuse('spawn in an assign');
}

/** What `spawn` is in a compiled chart, for a function that hid its name from the compiler. */
export function refuseToSpawn(): never {
  throw new Error('a compiled chart has no children: run this one interpreted');
}

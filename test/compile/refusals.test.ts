/** What the compiler does not know it refuses, by name and place, before anything runs; what it cannot see fails loudly. */
import { describe, expect, it, vi } from 'vitest';
import {
  type AnyStateMachine,
  and,
  assign,
  cancel,
  createActor,
  createMachine,
  enqueueActions,
  fromPromise,
  log,
  not,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate';
import { compile } from '../../src/compile/compile.ts';
import { CompileRefusal } from '../../src/compile/refusal.ts';

const child = fromPromise(async () => 1);
const base = setup({
  types: { context: {} as { n: number }, events: {} as { type: string } },
  actors: { child },
  guards: { yes: () => true },
  actions: { spawnsByName: assign(({ spawn }) => ({ n: spawn('child') === null ? 0 : 1 })) },
});
const chart = (config: object, implementations: object = {}): AnyStateMachine =>
  base
    .createMachine({
      id: 'chart',
      context: { n: 0 },
      initial: 'a',
      states: { a: {} },
      ...config,
    } as unknown as Parameters<typeof base.createMachine>[0])
    .provide(implementations as never);
const inA = (config: object, implementations: object = {}) => chart({ states: { a: config, b: {} } }, implementations);
const doing = (actions: unknown, implementations: object = {}) => inA({ on: { go: { actions } } }, implementations);

const refused: Readonly<Record<string, readonly [AnyStateMachine, string, string]>> = {
  'states within a state': [inA({ initial: 'x', states: { x: {} } }), 'chart.a', 'states within a state'],
  'parallel states': [inA({ type: 'parallel', states: { x: {}, y: {} } }), 'chart.a', 'parallel states'],
  'a parallel chart': [chart({ type: 'parallel', initial: undefined }), 'chart', 'parallel states'],
  'a chart without states': [createMachine({ id: 'chart' }), 'chart', 'a chart without states'],
  'a history state': [chart({ states: { a: {}, h: { type: 'history' } } }), 'chart.h', 'a history state'],
  'invoke in a state': [inA({ invoke: { src: 'child' } }), 'chart.a', 'invoke'],
  'invoke in the chart': [chart({ invoke: { src: child } }), 'chart', 'invoke'],
  'after in a state': [inA({ after: { 100: 'b' } }), 'chart.a', 'after'],
  'after in the chart': [chart({ after: { 100: '.a' } }), 'chart', 'after'],
  'two targets': [
    inA({ on: { go: ['a', 'b'].map((target) => ({ target: [target, 'b'] })) } }),
    'chart.a',
    'a transition that does not have one target',
  ],
  'no target, as a list': [
    inA({ on: { go: { target: [] } } }),
    'chart.a',
    'a transition that does not have one target',
  ],
  'the chart as a target': [inA({ on: { go: '#chart' } }), 'chart.a', 'a transition to the chart itself'],
  raise: [doing(raise({ type: 'x' })), 'chart.a', "the action 'xstate.raise'"],
  'a delayed raise': [doing(raise({ type: 'x' }, { delay: 10 })), 'chart.a', "the action 'xstate.raise'"],
  sendTo: [doing(sendTo('someone', { type: 'x' })), 'chart.a', "the action 'xstate.sendTo'"],
  sendParent: [doing(sendParent({ type: 'x' })), 'chart.a', "the action 'xstate.sendTo'"],
  cancel: [doing(cancel('x')), 'chart.a', "the action 'xstate.cancel'"],
  log: [doing(log('x')), 'chart.a', "the action 'xstate.log'"],
  spawnChild: [doing(spawnChild(child)), 'chart.a', "the action 'xstate.spawnChild'"],
  stopChild: [doing(stopChild('x')), 'chart.a', "the action 'xstate.stopChild'"],
  enqueueActions: [doing(enqueueActions(() => {})), 'chart.a', "the action 'xstate.enqueueActions'"],
  'one of them by name': [doing('x', { actions: { x: raise({ type: 'y' }) } }), 'chart.a', "the action 'xstate.raise'"],
  'one of them in entry': [inA({ entry: raise({ type: 'x' }) }), 'chart.a', "the action 'xstate.raise'"],
  'one of them in the exit of the chart': [chart({ exit: log('x') }), 'chart', "the action 'xstate.log'"],
  'one of them at the start': [
    chart({ initial: { target: 'a', actions: log('x') } }),
    'chart',
    "the action 'xstate.log'",
  ],
  'one of them without an event': [
    inA({ always: { guard: 'yes', actions: log('x') } }),
    'chart.a',
    "the action 'xstate.log'",
  ],
  'spawn in an assign': [doing('spawnsByName'), 'chart.a', 'spawn in an assign'],
  'spawn for one property': [
    doing(
      assign({ n: ({ spawn }: { spawn: (src: string) => unknown }) => (spawn('child') === null ? 0 : 1) } as never),
    ),
    'chart.a',
    'spawn in an assign',
  ],
  'spawn in the context': [
    chart({ context: (given: { spawn: (src: string) => unknown }) => ({ n: given.spawn('child') }) }),
    'chart',
    'spawn in an assign',
  ],
  'a guard that is not there': [
    inA({ on: { go: { guard: 'nowhere', target: 'b' } } }),
    'chart.a',
    "the guard 'nowhere', which is not implemented",
  ],
  'one in a combination': [
    inA({ on: { go: { guard: and(['yes', not('nowhere')] as never), target: 'b' } } }),
    'chart.a',
    "the guard 'nowhere', which is not implemented",
  ],
  'a guard that refers to itself': [
    inA({ on: { go: { guard: 'one', target: 'b' } } }, { guards: { one: 'two', two: not('one') } }),
    'chart.a',
    "the guard 'one', which refers to itself",
  ],
  'a guard that is nothing': [
    inA({ on: { go: { guard: {}, target: 'b' } } }),
    'chart.a',
    'a guard that is neither a name nor a function',
  ],
  'an action that is nothing': [doing({ no: 'type' }), 'chart.a', 'an action that is neither a name nor a function'],
  'an action that is no function': [
    doing('x', { actions: { x: 'y' } }),
    'chart.a',
    "the action 'x', which is not a function",
  ],
  'an output by property': [
    chart({ output: { n: () => 1 } }),
    'chart',
    'an output with a function for each of its properties',
  ],
};

describe('compile', () => {
  it.each(Object.entries(refused))('refuses %s', (_name, [machine, state, construct]) => {
    const error = thrownBy(() => compile(machine));
    expect(error).toBeInstanceOf(CompileRefusal);
    expect({ ...(error as CompileRefusal) }).toEqual({ name: 'CompileRefusal', machine: 'chart', state, construct });
    expect(String(error)).toBe(
      `CompileRefusal: the chart 'chart' cannot be compiled: ${construct}, in '${state}'; run it interpreted`,
    );
  });

  it('refuses also what stands in a state that is never reached', () => {
    expect(() => compile(chart({ states: { a: {}, b: { exit: log('x') } } }))).toThrow(/'chart.b'/);
    expect(() => compile(chart({ states: { a: {}, b: { type: 'final', exit: log('x') } } }))).toThrow(/'chart.b'/);
    expect(() => compile(chart({ states: { a: {}, b: { type: 'final', on: { x: { actions: log('x') } } } } }))).toThrow(
      /'chart.b'/,
    );
  });
});

describe('spawn, when its name was hidden from the compiler', () => {
  const hidden = 'spa'.concat('wn');

  it('is an error of the actor, which says what to do', () => {
    const machine = doing(
      assign((given) => ({ n: (given as never as Record<string, (src: string) => number>)[hidden]?.('child') })),
    );
    const errors: unknown[] = [];
    const actor = createActor(compile(machine));
    actor.subscribe({ error: (error) => errors.push(error) });
    actor.start().send({ type: 'go' });
    expect(actor.getSnapshot().status).toBe('error');
    expect(errors).toEqual([new Error('a compiled chart has no children: run this one interpreted')]);
  });

  it('is one also at the start', () => {
    const machine = chart({
      context: (given: Record<string, (src: string) => number>) => ({ n: given[hidden]?.('child') }),
    });
    const actor = createActor(compile(machine));
    const onError = vi.fn();
    actor.subscribe({ error: onError });
    actor.start();
    expect(onError).toHaveBeenCalledWith(new Error('a compiled chart has no children: run this one interpreted'));
  });
});

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Each thing that the compiler knows, in a chart of its own: compiled, it is the same as interpreted. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AnyActor, type AnyStateMachine, and, assign, createActor, emit, not, or, setup, stateIn } from 'xstate';
import { compile } from '../../src/compile/compile.ts';
import { Twins } from '../support/twins.ts';

/** What the charts below write down; the twins compare it, and empty it at every turn. */
const notes: unknown[] = [];

interface Context {
  readonly n: number;
  readonly words?: readonly string[];
}
type Event = { type: string; by?: number; word?: string };

const base = setup({
  types: { context: {} as Context, events: {} as Event, emitted: {} as { type: string; n?: number; by?: unknown } },
  guards: {
    isOdd: ({ context }) => context.n % 2 === 1,
    isBig: ({ context }) => context.n > 2,
    isAbove: ({ context, event }, floor: number) => {
      notes.push(['isAbove', context.n, event.type, floor]);
      return context.n > floor;
    },
    throws: () => {
      throw new RangeError('a guard');
    },
    isOddOrBig: or(['isOdd', 'isBig']),
    isNeither: and([not('isOdd'), not('isBig')]),
  },
  actions: {
    count: assign(({ context }, by: number | undefined) => ({ n: context.n + (by ?? 1) })),
    reset: assign({ n: 0, words: () => [] }),
    fix: assign({ n: 7 }),
    note: ({ context, event, self, system }, params: unknown) => {
      notes.push([context, event, (self as AnyActor).id, typeof system.inspect, params]);
    },
    say: emit(({ context }, by: unknown) => ({ type: 'said', n: context.n, by })),
    greet: emit({ type: 'hello' }),
    fail: () => {
      throw new RangeError('an action');
    },
    failToAssign: assign(() => {
      throw new RangeError('an assign');
    }),
    failToSay: emit(() => {
      throw new RangeError('an emit');
    }),
    missing: (() => {}) as () => void,
  },
});

type Config = Parameters<typeof base.createMachine>[0];

const chart = (config: object): AnyStateMachine =>
  base.createMachine({ id: 'chart', context: { n: 0 }, initial: 'a', ...config } as unknown as Config);

interface Case {
  readonly machine: AnyStateMachine;
  readonly input?: unknown;
  readonly events?: readonly unknown[];
}

const go = { type: 'go' };
const by = (n: number) => ({ type: 'go', by: n });
const goes = (n: number) => Array.from({ length: n }, () => go);

const cases: Readonly<Record<string, Case>> = {
  'a transition to another state, with exit, its actions and entry': {
    machine: chart({
      entry: { type: 'note', params: 'root in' },
      exit: { type: 'note', params: 'root out' },
      states: {
        a: {
          exit: [{ type: 'note', params: 'a out' }, 'count'],
          on: { go: { target: 'b', actions: ['note', 'say'] } },
        },
        b: { entry: ['count', 'say'], on: { go: 'a' } },
      },
    }),
    events: goes(4),
  },
  'an initial state with actions of its own': {
    machine: chart({
      entry: 'count',
      initial: { target: 'a', actions: ['count', 'note', 'say'] },
      states: { a: { entry: ['note', 'greet'] } },
    }),
    events: [go],
  },
  'a context that is made from the input': {
    machine: chart({
      context: ({ input, self }: { input: { n: number }; self: AnyActor }) => ({ n: input.n, words: [self.id] }),
      states: { a: { on: { go: { actions: 'count' } } } },
    }),
    input: { n: 40 },
    events: goes(2),
  },
  'contexts and changes with a key that would be a prototype': {
    machine: chart({
      context: ({ input }: { input: object }) => input,
      states: { a: { on: { go: { actions: assign(({ event }) => event['change'] as object) } } } },
    }),
    input: JSON.parse('{ "__proto__": { "isAdmin": true }, "n": 1 }'),
    events: [
      { type: 'go', change: JSON.parse('{ "__proto__": { "isRoot": true }, "n": 2 }') },
      { type: 'go', change: { n: 3 } },
    ],
  },
  'a context with such a key that is given': {
    machine: chart({
      context: JSON.parse('{ "__proto__": { "isAdmin": true }, "n": 1 }'),
      states: { a: { on: { go: { actions: 'count' } } } },
    }),
    events: goes(2),
  },
  'a context of which nothing is made': {
    machine: chart({ context: () => undefined, states: { a: { on: { go: { actions: 'fix' } } } } }),
    events: [go],
  },
  'a context that cannot be made': {
    machine: chart({
      context: () => {
        throw new Error('no context');
      },
      states: { a: {} },
    }),
    events: [go],
  },
  'no context at all': {
    machine: chart({ context: undefined, states: { a: { on: { go: { actions: 'fix' } } } } }),
    events: [go],
  },
  'several candidates, of which the first that may be taken is': {
    machine: chart({
      states: {
        a: {
          on: {
            go: [
              { guard: 'isBig', target: 'b' },
              { guard: 'isOdd', actions: [{ type: 'count', params: 2 }, 'note'] },
              { actions: 'count' },
            ],
          },
        },
        b: {},
      },
    }),
    events: goes(5),
  },
  'no candidate that may be taken, and one of the chart behind it': {
    machine: chart({
      on: { go: { actions: ['count', { type: 'note', params: 'root' }] }, stop: '.b' },
      states: { a: { on: { go: { guard: 'isBig', target: 'b' } } }, b: { on: { go: undefined } } },
    }),
    events: [...goes(6), { type: 'stop' }],
  },
  'a forbidden event': {
    machine: chart({ on: { go: '.b' }, states: { a: { on: { go: undefined } }, b: {}, c: {} } }),
    events: [go],
  },
  'a transition that changes nothing': {
    machine: chart({ states: { a: { on: { go: { actions: 'note' }, stay: {}, self: 'a' } } } }),
    events: [go, { type: 'stay' }, { type: 'self' }],
  },
  'a transition to its own state, with and without reentering': {
    machine: chart({
      states: {
        a: {
          entry: { type: 'note', params: 'in' },
          exit: { type: 'note', params: 'out' },
          on: {
            go: { target: 'a', actions: 'count' },
            again: { target: 'a', reenter: true },
            counted: { target: 'a', reenter: true, actions: 'count' },
            inPlace: { reenter: true, actions: 'note' },
          },
        },
      },
    }),
    events: [go, { type: 'again' }, { type: 'counted' }, { type: 'inPlace' }],
  },
  'transitions of the chart itself: to the active state, to another, reentering, in place': {
    machine: chart({
      entry: { type: 'note', params: 'root in' },
      exit: { type: 'note', params: 'root out' },
      on: {
        a: '.a',
        b: { target: '.b', actions: 'say' },
        again: { target: '.a', reenter: true, actions: { type: 'note', params: 'again' } },
        inPlace: { reenter: true, actions: 'note' },
      },
      states: {
        a: { entry: { type: 'note', params: 'a in' }, exit: { type: 'note', params: 'a out' } },
        b: { entry: { type: 'note', params: 'b in' }, exit: { type: 'note', params: 'b out' } },
      },
    }),
    events: ['a', 'b', 'b', 'again', 'again', 'inPlace', 'b', 'again'].map((type) => ({ type })),
  },
  'a target by its id': {
    machine: chart({ states: { a: { on: { go: '#there' } }, b: { id: 'there', on: { go: '#chart.a' } } } }),
    events: goes(2),
  },
  'transitions without an event, several in a row': {
    machine: chart({
      states: {
        a: { on: { go: 'b' } },
        b: {
          entry: 'count',
          always: [
            { guard: 'isBig', target: 'd' },
            { target: 'c', actions: 'say' },
          ],
        },
        c: { always: { target: 'a', actions: ['note', 'greet'] } },
        d: { type: 'final' },
      },
    }),
    events: goes(4),
  },
  'transitions without an event that an event without a transition makes possible': {
    machine: chart({
      states: { a: { always: { guard: ({ event }: { event: Event }) => event.type === 'wake', target: 'b' } }, b: {} },
    }),
    events: [go, { type: 'wake' }],
  },
  'transitions without an event, of the chart itself, that stay in place': {
    machine: chart({
      always: [{ guard: 'isBig', target: '.b' }, { guard: 'isOdd', actions: 'count' }, { guard: 'isOdd' }],
      states: { a: { on: { go: { actions: 'count' } } }, b: {} },
    }),
    events: goes(4),
  },
  'an endless loop, with a limit': {
    machine: chart({
      options: { maxIterations: 5 },
      states: {
        a: { on: { go: 'b' } },
        b: { entry: 'count', always: 'c' },
        c: { always: 'b' },
      },
    }),
    events: goes(2),
  },
  'an endless loop at the start': {
    machine: chart({
      options: { maxIterations: 3 },
      states: { a: { always: 'b' }, b: { entry: 'count', always: 'a' } },
    }),
    events: [go],
  },
  'a loop that just keeps within the limit': {
    machine: chart({
      options: { maxIterations: 3 },
      states: { a: { on: { go: 'b' } }, b: { always: 'c' }, c: { always: 'a' } },
    }),
    events: goes(2),
  },
  'guards: combined, inline, by another name, with parameters that are given or worked out': {
    machine: chart({
      states: {
        a: {
          on: {
            go: [
              { guard: { type: 'isAbove', params: 5 }, target: 'b' },
              {
                guard: { type: 'isAbove', params: ({ event }: { event: Event }) => event.by },
                actions: ['note', 'count'],
              },
              { guard: ({ context }: { context: Context }) => context.n === 0, actions: 'count' },
            ],
            odd: { guard: 'isOddOrBig', actions: 'count' },
            neither: { guard: 'isNeither', actions: 'count' },
            all: { guard: and(['isOdd', not('isBig'), ({ event }) => event.type === 'all']), actions: 'count' },
            some: { guard: or([and(['isOdd', 'isBig']), not('isOdd')]), actions: 'count' },
            inside: { guard: stateIn('a'), target: 'b' },
          },
        },
        b: { on: { inside: { guard: not(stateIn('#chart.a')), target: 'a' }, go: 'a' } },
      },
    }),
    events: [
      ...['all', 'neither', 'odd', 'odd', 'some', 'all', 'neither', 'inside', 'inside'].map((type) => ({ type })),
      ...[by(9), by(0), by(1), by(9), by(-1), by(0), by(0), by(0), by(0), by(0)],
    ],
  },
  'a guard that is a name for another': {
    machine: chart({ states: { a: { on: { go: { guard: 'alias', actions: 'count' } } } } }).provide({
      guards: {
        alias: 'isNotOdd',
        isNotOdd: { type: 'really', params: 9 },
        really: (_: unknown, p: unknown) => p === undefined,
      },
    } as never),
    events: goes(2),
  },
  'actions: named, inline, nameless, nowhere to be found, with parameters that are given or worked out': {
    machine: chart({
      states: {
        a: {
          entry: ({ context }: { context: Context }) => notes.push(['inline', context]),
          on: {
            go: {
              actions: [
                {
                  type: 'count',
                  params: ({ context, event }: { context: Context; event: Event }) => context.n + (event.by ?? 0),
                },
                'say',
                { type: 'say', params: ({ context }: { context: Context }) => context.n },
                { type: 'note', params: undefined },
                { type: 'note', params: null },
                { type: 'nowhere', params: 3 },
                'nobody',
                function named() {
                  notes.push('named');
                },
                assign({ n: ({ context }: { context: Context }) => context.n * 2, words: ['x'] }),
                assign(() => undefined as never),
                emit(({ context }: { context: Context }) => ({ type: 'inline', n: context.n })),
              ],
            },
            reset: { actions: 'reset' },
            fix: { actions: ['fix', 'greet', 'fix'] },
          },
        },
      },
    }),
    events: [by(1), by(2), { type: 'reset' }, { type: 'fix' }, { type: 'fix' }],
  },
  'effects of entry while it starts': {
    machine: chart({
      entry: ['note', 'greet', 'say'],
      states: { a: { entry: ['count', 'say', 'note'], always: 'b' }, b: { entry: ['say', 'note'] } },
    }),
  },
  'final states: outputs of state and chart, entry and exit on the way out': {
    machine: chart({
      output: ({ context, event, self }: { context: Context; event: unknown; self: AnyActor }) => {
        notes.push('chart output');
        return { context, event, id: self.id };
      },
      exit: ['count', { type: 'note', params: 'root out' }],
      states: {
        a: { exit: 'say', on: { go: { target: 'z', actions: 'count' }, fix: 'y', bare: 'x' } },
        z: {
          type: 'final',
          entry: ['count', { type: 'note', params: 'z in' }],
          exit: { type: 'note', params: 'z out' },
          output: ({ context, event }: { context: Context; event: unknown }) => {
            notes.push('state output');
            return [context.n, event];
          },
        },
        y: { type: 'final', output: { fixed: true }, tags: ['end', 'y'] },
        x: { type: 'final' },
      },
      tags: ['chart'],
    }),
    events: [go, go],
  },
  'a final state with an output and a chart without one': {
    machine: chart({
      states: {
        a: { on: { go: 'z' } },
        z: { type: 'final', output: () => notes.push('asked') },
      },
    }),
    events: goes(2),
  },
  'a chart that is done as soon as it starts': {
    machine: chart({
      output: { fixed: 1 },
      states: { a: { entry: 'say', always: 'z' }, z: { type: 'final', exit: ['say', 'note'] } },
    }),
    events: [go],
  },
  'an output that throws': {
    machine: chart({
      output: () => {
        throw new Error('an output');
      },
      states: { a: { on: { go: 'z' } }, z: { type: 'final' } },
    }),
    events: goes(2),
  },
  'wildcards: whole, partial, the longest first, behind what names the type': {
    machine: chart({
      on: {
        '*': { actions: { type: 'note', params: 'root *' } },
        'job.*': { actions: { type: 'note', params: 'root job.*' } },
      },
      states: {
        a: {
          on: {
            'job.start': { guard: 'isOdd', actions: { type: 'note', params: 'job.start' } },
            'job.*': { guard: 'isBig', actions: { type: 'note', params: 'job.*' } },
            'job.start.*': { guard: 'isOdd', actions: { type: 'note', params: 'job.start.*' } },
            'quiet.*': undefined,
            more: { actions: 'count' },
            next: 'b',
          },
        },
        b: { on: { '*': { actions: { type: 'note', params: 'b *' } } } },
      },
    }),
    events: [
      ...['job', 'job.start', 'job.start.now', 'jobs', 'quiet', 'quiet.please', 'job.*', '*', 'more'],
      ...[
        'job.start',
        'job.start.now',
        'more',
        'more',
        'job.start',
        'job.other',
        'xstate.mine',
        'next',
        'any',
        'job',
        '*',
      ],
    ].map((type) => ({ type })),
  },
  'tags, meta and descriptions': {
    machine: chart({
      tags: ['all'],
      meta: { of: 'chart' },
      states: {
        a: {
          tags: 'one',
          meta: { of: 'a' },
          description: 'The first.',
          on: { go: { target: 'b', meta: 1, description: 'x' } },
        },
        b: { tags: ['two', 'all'], on: { go: 'c' } },
        c: { type: 'final', tags: ['end'], meta: { of: 'c' } },
      },
    }),
    events: goes(3),
  },
  'wildcards that stand within a type, and types of which others are the beginning': {
    machine: chart({
      states: {
        a: {
          on: {
            'job.*.done.*': { actions: { type: 'note', params: 'within' } },
            '*.done.*': { actions: { type: 'note', params: 'in front' } },
            'job.*': { actions: { type: 'note', params: 'job.*' } },
            tick: { actions: { type: 'note', params: 'tick' } },
          },
        },
      },
    }),
    events: ['job.a.done.b', 'job.*.done', 'job.*.done.x', '*.done', '*.done.z', 'a.done.b', 'ti', 'ti.x', 'tick'].map(
      (type) => ({ type }),
    ),
  },
  'a guard that throws': {
    machine: chart({ states: { a: { on: { go: { guard: 'throws', target: 'b' } } }, b: {} } }),
    events: goes(2),
  },
  'a guard with parameters that throws, in the chart': {
    machine: chart({
      on: {
        go: {
          guard: { type: 'isAbove', params: ({ event }: { event: { no: { thing: 1 } } }) => event.no.thing },
          target: '.b',
        },
      },
      states: { a: {}, b: {} },
    }),
    events: goes(2),
  },
  'an inline guard that throws what is no error': {
    machine: chart({
      states: {
        a: {
          on: {
            go: {
              guard: () => {
                throw 'a word';
              },
              target: 'b',
            },
          },
        },
        b: {},
      },
    }),
    events: goes(2),
  },
  'a guard without an event that throws': {
    machine: chart({ states: { a: { on: { go: 'b' } }, b: { always: { guard: 'throws', target: 'a' } } } }),
    events: goes(2),
  },
  ...Object.fromEntries(
    ['fail', 'failToAssign', 'failToSay'].flatMap((type): [string, Case][] => [
      [
        `${type}, after other effects of one transition`,
        {
          machine: chart({
            states: { a: { on: { go: { target: 'b', actions: ['count', 'say', 'note', type, 'say'] } } }, b: {} },
          }),
          events: goes(2),
        },
      ],
      [`${type}, at the start`, { machine: chart({ states: { a: { entry: ['say', 'count', type] } } }), events: [go] }],
    ]),
  ),
  'parameters that throw': {
    machine: chart({
      states: {
        a: {
          on: {
            go: {
              actions: [
                'say',
                { type: 'count', params: ({ event }: { event: { no: { thing: 1 } } }) => event.no.thing },
              ],
            },
          },
        },
      },
    }),
    events: goes(2),
  },
  'an action that sends to its own actor': {
    machine: chart({
      states: {
        a: { on: { go: { target: 'b', actions: ({ self }: { self: AnyActor }) => self.send({ type: 'back' }) } } },
        b: { entry: 'say', on: { back: { target: 'a', actions: 'count' } } },
      },
    }),
    events: goes(2),
  },
  'an action that reads the snapshot of its own actor': {
    machine: chart({
      states: {
        a: {
          on: {
            go: {
              target: 'b',
              actions: [
                'count',
                ({ self }: { self: AnyActor }) => notes.push([self.getSnapshot().value, self.getSnapshot().context]),
              ],
            },
          },
        },
        b: {},
      },
    }),
    events: [go],
  },
  'states with odd names': {
    machine: chart({
      initial: 'constructor',
      states: {
        constructor: { on: { go: 'to string' } },
        'to string': { on: { go: 'constructor', __proto__x: 'constructor' } },
      },
    }),
    events: [go, { type: '__proto__' }, go, { type: 'constructor' }],
  },
  'a chart with nowhere to go': { machine: chart({ states: { a: {} } }), events: [go, { type: 'other' }] },
};

beforeEach(() => {
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(Object.entries(cases))('%s', (_name, { machine, input, events = [] }) => {
  it.each([false, true])('is the same (inspected: %s)', (isInspected) => {
    const twins = new Twins(machine, compile(machine), { input, isInspected, notes });
    for (const event of events) twins.send(event);
  });

  it('is the same from each snapshot that was kept on the way', () => {
    const before = createActor(machine, { input } as never);
    before.subscribe({ error: () => {} });
    before.start();
    for (const [index, event] of events.entries()) {
      const kept = before.getPersistedSnapshot();
      const twins = new Twins(machine, compile(machine), { snapshot: JSON.parse(JSON.stringify(kept)), notes });
      for (const later of events.slice(index)) twins.send(later);
      before.send(event as never);
    }
  });
});

describe('the cases', () => {
  it('tell a compiled chart that differs from one that does not', () => {
    const machine = cases['an initial state with actions of its own']?.machine as AnyStateMachine;
    const other = machine.provide({ actions: { say: emit({ type: 'something else' }) } as never });
    expect(() => new Twins(machine, compile(other), { notes })).toThrow(/deeply equal/);
  });
});

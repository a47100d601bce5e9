/** Charts that nobody would write, made by chance from all that the compiler knows: compiled, they are the same too. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type AnyStateMachine, and, assign, createMachine, emit, not, or, stateIn } from 'xstate';
import { compile } from '../../src/compile/compile.ts';
import { Twins } from '../support/twins.ts';

const notes: unknown[] = [];
const states = ['a', 'b', 'c', 'd'] as const;
const types = ['go', 'go.on', 'go.on.now', 'stop', 'stop.it', 'nobody.knows', 'xstate.mine'];

type Given = { context: { n: number }; event: { type: string } };

const implementations = {
  guards: {
    odd: ({ context }: Given) => context.n % 2 === 1,
    above: ({ context }: Given, floor: number) => context.n > floor,
    either: or(['odd', { type: 'above', params: 3 }] as never),
    fails: ({ context }: Given) => {
      if (context.n === 4) throw new Error(`at ${context.n}`);
      return false;
    },
  },
  actions: {
    count: assign(({ context }: Given, by: number | undefined) => ({ n: context.n + (by ?? 1) })),
    reset: assign({ n: 0 }),
    say: emit(({ context }: Given, params: unknown) => ({ type: 'said', n: context.n, params })),
    note: ({ context, event }: Given, params: unknown) => notes.push([context.n, event, params]),
    fail: ({ context }: Given) => {
      if (context.n > 6) throw new Error(`at ${context.n}`);
    },
  },
};

const guard = fc.constantFrom(
  ...['odd', 'either', 'fails'],
  { type: 'above', params: 2 },
  { type: 'above', params: ({ event }: Given) => event.type.length - 3 },
  not('odd'),
  and(['odd', not('either')]),
  stateIn('b'),
  ({ event }: Given) => event.type.length > 4,
);
const action = fc.constantFrom(
  ...['count', 'reset', 'say', 'note', 'fail', 'nowhere'],
  { type: 'count', params: 2 },
  { type: 'say', params: ({ context }: Given) => context.n * 10 },
  { type: 'note', params: null },
);
const actions = fc.array(action, { maxLength: 3 });
const transition = (prefix: string) =>
  fc.record(
    {
      target: fc.constantFrom(...states.map((state) => `${prefix}${state}`)),
      guard,
      actions,
      reenter: fc.boolean(),
    },
    { requiredKeys: [] },
  );
const transitions = (prefix: string) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.array(transition(prefix), { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );
const handled = (prefix: string) =>
  fc.dictionary(fc.constantFrom('go', 'go.*', 'go.on', 'go.on.*', 'stop', 'stop.*', '*'), transitions(prefix));
/** Rarely: most charts with many of these never come to rest. */
const always = (prefix: string) =>
  fc.oneof(
    { weight: 9, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc
        .array(fc.tuple(transition(prefix), guard), { minLength: 1, maxLength: 2 })
        .map((list) => list.map(([one, when]) => ({ ...one, guard: when }))),
    },
  );
const doings = { entry: actions, exit: actions, tags: fc.subarray(['x', 'y', 'z']) };
const output = fc.constantFrom(undefined, 7, ({ context, event }: Given) => [context.n, event]);
const state = fc.record({ on: handled(''), always: always(''), ...doings });
const end = fc.record({ type: fc.constant('final'), output, ...doings });

const config = fc.record({
  initial: fc.constantFrom('a', 'b', { target: 'a', actions: ['say', 'count'] }),
  context: fc.constantFrom({ n: 0 }, { n: 3 }, () => ({ n: 1 })),
  options: fc.constant({ maxIterations: 12 }),
  on: handled('.'),
  always: always('.'),
  output,
  ...doings,
  states: fc.record({ a: state, b: state, c: state, d: fc.oneof(end, state) }),
});

beforeEach(() => {
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
});

it('A chart made by chance is the same compiled as interpreted', () => {
  const seen = { lives: 0, moves: 0, ends: 0, failures: 0 };
  const events = fc.array(
    // xstate’s development build takes no event of this type.
    fc.oneof({ weight: 50, arbitrary: fc.constantFrom(...types) }, { weight: 1, arbitrary: fc.constant('*') }),
    { minLength: 8, maxLength: 12 },
  );
  fc.assert(
    fc.property(config, events, fc.boolean(), (made, sent, isInspected) => {
      const machine: AnyStateMachine = createMachine({ id: 'chance', ...made } as never, implementations as never);
      const twins = new Twins(machine, compile(machine), { isInspected, notes });
      for (const type of sent) {
        const before = twins.snapshot;
        twins.send({ type });
        if (twins.snapshot !== before) seen.moves += 1;
      }
      seen.lives += 1;
      if (twins.snapshot.status === 'done') seen.ends += 1;
      if (twins.snapshot.status === 'error') seen.failures += 1;
    }),
    { numRuns: 600 },
  );
  // Chance has not been wasted on charts in which nothing happens.
  expect(seen.lives).toBe(600);
  for (const count of [seen.moves / 5, seen.ends * 3, seen.failures * 3]) expect(count).toBeGreaterThan(150);
}, 120_000);

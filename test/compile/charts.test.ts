/**
 * Every chart of Pincer, compiled, beside itself interpreted: along every generated path, and through long random lives
 * with events that are illegal, malformed or late. What can be seen of the two is the same after each of 100 000 events.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { compile } from '../../src/compile/compile.ts';
import { type ChartName, charts } from '../../src/machines/index.ts';
import { assertCovered } from '../../src/testing/paths.ts';
import { eventsOf, inputsOf, reach } from '../support/reach.ts';
import { Twins } from '../support/twins.ts';

const LIVES = 200;
const EVENTS = 60;
/** What is still sent to a chart that has ended, before the next one is begun. */
const LATE = 2;
const names = Object.keys(charts) as ChartName[];
const sent = { all: 0, hostile: 0, late: 0 };

/** Events that no chart expects, and some that are none at all. */
const strangers: readonly unknown[] = [
  { type: 'nobody.knows' },
  { type: '' },
  { type: '*' },
  { type: 'task.*' },
  { type: '__proto__' },
  { type: 'constructor' },
  { type: 'toString' },
  { type: 'x'.repeat(10_000) },
  { type: 7 },
  { type: null },
  { type: Symbol.iterator },
  {},
  [],
  null,
  undefined,
  7,
  'task.cancel',
  { type: 'xstate.init', input: { taskId: 'other' } },
  { type: 'xstate.stop' },
  { type: 'xstate.done.actor.nobody', output: 7, actorId: 'nobody' },
  { type: 'xstate.error.actor.nobody', error: new Error('not ours'), actorId: 'nobody' },
  { type: 'xstate.done.state.task' },
];

beforeEach(() => {
  // The development build says so when an event comes too late.
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(names)('the %s chart, compiled', (name) => {
  const machine: AnyStateMachine = charts[name];
  const compiled = compile(machine);
  const events = eventsOf(name);
  const hostile = [...strangers, ...events.flatMap(({ type }) => spoilt(type))];

  it.each([true, false])('is the same on every path (inspected: %s)', (isInspected) => {
    const paths = reach(name);
    assertCovered(machine, paths);
    for (const { input, steps } of paths) {
      const twins = new Twins(machine, compiled, { input, isInspected });
      for (const { event } of steps) twins.send(event);
      sent.all += steps.length;
    }
  });

  it('is the same whatever happens, in whatever order', () => {
    const life = fc.record({
      isInspected: fc.nat(3).map((n) => n === 0),
      start: fc.nat(),
      choices: fc.array(fc.nat(), { minLength: EVENTS, maxLength: EVENTS }),
    });
    fc.assert(
      fc.property(life, ({ isInspected, start, choices }) => {
        const begin = (n: number) => {
          const inputs = inputsOf(name);
          return new Twins(machine, compiled, { input: inputs[n % inputs.length], isInspected });
        };
        let twins = begin(start);
        let late = 0;
        for (const choice of choices) {
          if (twins.isOver) late += 1;
          if (late > LATE) {
            twins = begin(choice);
            late = 0;
          }
          twins.send(pick(twins, choice));
        }
      }),
      { numRuns: LIVES },
    );
  }, 120_000);

  /** Two of three are events that the chart does something with just then, one in twelve is hostile. */
  function pick(twins: Twins, choice: number): unknown {
    const which = choice % 12;
    const rest = Math.floor(choice / 12);
    const of = (list: readonly unknown[]): unknown => list[rest % list.length];
    sent.all += 1;
    if (twins.isOver) sent.late += 1;
    if (which === 0) {
      sent.hostile += 1;
      return of(hostile);
    }
    const enabled = which < 4 || twins.isOver ? [] : events.filter((event) => twins.snapshot.can(event));
    return of(enabled.length > 0 ? enabled : events);
  }
});

describe('the comparison', () => {
  it('was made after 100 000 events, hostile and late ones among them', () => {
    expect(sent.all).toBeGreaterThanOrEqual(100_000);
    expect(sent.hostile).toBeGreaterThan(5_000);
    expect(sent.late).toBeGreaterThan(5_000);
  });
});

/** A known event without what it should carry, or with something else. */
function spoilt(type: string): unknown[] {
  return [
    { type },
    { type, failure: null, result: null, nodeId: 7, attempt: 'one' },
    {
      type,
      get failure() {
        throw new Error('a trap');
      },
      get isFinal() {
        throw new TypeError('another trap');
      },
    },
  ];
}

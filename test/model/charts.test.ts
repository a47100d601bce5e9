/**
 * Every chart as its own model: paths that take every transition, and random events in any order, legal or not. What
 * must hold whatever happens is in test/support/invariants.ts.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AnyStateMachine, type AnyStateNode, initialTransition, transition } from 'xstate';
import { type ChartName, charts } from '../../src/machines/index.ts';
import { assertCovered, coverageOf } from '../../src/testing/paths.ts';
import { playAll } from '../support/chart.ts';
import { invariants, type Turn } from '../support/invariants.ts';
import { eventsOf, inputsOf, reach } from '../support/reach.ts';

const SEQUENCES = 100;
const EVENTS_MAX = 30;

describe.each(Object.keys(charts) as ChartName[])('the %s chart', (name) => {
  const machine: AnyStateMachine = charts[name];
  const paths = reach(name);

  it('can enter every state and take every transition', () => {
    assertCovered(machine, paths);
    const { states, transitions, events } = coverageOf(machine, paths);
    expect(states.reached.length).toBeGreaterThan(1);
    expect(transitions.reached.length).toBeGreaterThan(states.reached.length);
    expect([...events.reached].sort()).toEqual([...new Set(eventsOf(name).map(({ type }) => type))].sort());
  });

  it('ends each path where it was predicted to end, and keeps its invariants', () => {
    for (const { description, input, start, steps } of paths) {
      const turns = live(
        machine,
        input,
        steps.map(({ event }) => event),
      );
      const predicted = [start, ...steps.map(({ snapshot }) => snapshot)];
      expect(
        turns.map(({ value, context }) => [value, context]),
        description,
      ).toEqual(predicted.map(({ value, context }) => [value, context]));
      invariants[name](live(machine, input, numbered(steps.map(({ event }) => event))));
    }
  });

  it('keeps its invariants whatever happens, in whatever order', () => {
    const life = fc.record({
      input: fc.constantFrom(...inputsOf(name)),
      choices: fc.array(fc.nat(), { maxLength: EVENTS_MAX, size: 'max' }),
    });
    fc.assert(
      fc.property(life, ({ input, choices }) => {
        const turns = live(machine, input, numbered(wander(machine, input, eventsOf(name), choices)));
        for (let length = 1; length <= turns.length; length += 1) invariants[name](turns.slice(0, length));
      }),
      { numRuns: SEQUENCES, verbose: fc.VerbosityLevel.Verbose },
    );
  });

  it('can always come to an end', () => {
    const ends = paths.filter(({ start, steps }) => (steps.at(-1)?.snapshot ?? start).status === 'done');
    expect(ends.length).toBeGreaterThan(0);
  });

  it('has no timers, no children and no endless moves', () => {
    const nodes = nodesBelow(machine.root);
    expect(nodes.flatMap(({ after, invoke }) => [...after, ...invoke])).toEqual([]);
    const words = JSON.stringify(machine.config, (_key, value) => (typeof value === 'function' ? value.name : value));
    expect(words).not.toMatch(/"(after|invoke|delay|xstate\.(spawnChild|raise|sendTo|cancel))"/);
    expect(machine.options?.maxIterations).toBeGreaterThan(0);
  });
});

describe('the charts', () => {
  it('are known by the names they give themselves', () => {
    expect(Object.values(charts).map(({ id }) => id)).toEqual(Object.keys(charts));
  });
});

function live(machine: AnyStateMachine, input: unknown, events: readonly { readonly type: string }[]): Turn[] {
  return playAll(machine, input, events).map(({ value, commands, snapshot }, index) => ({
    event: events[index - 1] ?? null,
    value: String(value),
    context: snapshot.context,
    commands,
  }));
}

/** Events by choice: three of four that the chart does something with just then, the fourth whatever it is. */
function wander(
  machine: AnyStateMachine,
  input: unknown,
  events: readonly { readonly type: string }[],
  choices: readonly number[],
) {
  let [snapshot] = initialTransition(machine, input);
  return choices.flatMap((choice) => {
    const enabled = choice % 4 === 0 ? events : events.filter((event) => snapshot.can(event));
    const event = enabled[Math.floor(choice / 4) % Math.max(1, enabled.length)];
    if (event === undefined) return [];
    [snapshot] = transition(machine, snapshot, event);
    return [event];
  });
}

/** As the store does it: every placement has a number of its own, greater than all before it. */
function numbered(events: readonly { readonly type: string }[]) {
  return events.map((event, index) => ('attempt' in event ? { ...event, attempt: index + 1 } : event));
}

function nodesBelow(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap(nodesBelow)];
}

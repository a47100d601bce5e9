import { describe, expect, it } from 'vitest';
import { type AnyStateMachine, assign, createMachine, initialTransition, setup, transition } from 'xstate';
import { assertCovered, coverageOf, type PathActs, pathsOf, runPath } from '../../src/testing/paths.ts';

type DoorEvent =
  | { type: 'door.push'; force: number }
  | { type: 'door.lock' }
  | { type: 'door.unlock' }
  | { type: 'door.break' };

/** A door that opens when it is pushed hard enough, and that can be locked. */
const doorMachine = setup({
  types: { context: {} as { pushes: number }, events: {} as DoorEvent },
  guards: { isHard: (_, push: { force: number }) => push.force > 5 },
  actions: { count: assign({ pushes: ({ context }) => context.pushes + 1 }) },
}).createMachine({
  id: 'door',
  context: { pushes: 0 },
  initial: 'hanging',
  on: { 'door.break': '.broken' },
  states: {
    hanging: { always: 'closed' },
    closed: {
      on: {
        'door.push': { guard: { type: 'isHard', params: ({ event }) => event }, target: 'open', actions: 'count' },
        'door.lock': 'locked',
      },
    },
    open: { on: { 'door.lock': { actions: () => expect.fail('a walk must not act') } } },
    locked: { on: { 'door.unlock': 'closed', 'door.break': undefined } },
    broken: { type: 'final' },
  },
});

const pushes = [{ force: 1 }, { force: 9 }];
const paths = pathsOf(doorMachine, { events: { 'door.push': pushes } });

/** A real door, as far as a test goes. */
function aDoor(isStuck = false) {
  let state = 'closed';
  const seen: string[] = [];
  const is = (expected: string) => async () => {
    seen.push(expected);
    if (state !== expected) throw new Error(`the door is ${state}, not ${expected}`);
  };
  const acts = {
    events: {
      'door.push': async (push: { force: number }) => {
        if (push.force > 5 && !isStuck) state = 'open';
      },
      'door.lock': () => {
        if (state === 'closed') state = 'locked';
      },
      'door.unlock': () => {
        state = 'closed';
      },
      'door.break': () => {
        state = 'broken';
      },
    },
    states: { closed: is('closed'), open: is('open'), locked: is('locked'), broken: is('broken') },
  } satisfies PathActs<typeof doorMachine>;
  return { acts, seen };
}

describe('the paths of a chart', () => {
  it('take every transition, in few and short ways, without doing anything', () => {
    expect(paths.map(({ description }) => description)).toEqual([
      'closed → door.break → broken',
      'closed → door.push → open → door.break → broken',
      'closed → door.push → open → door.lock → open',
      'closed → door.lock → locked → door.unlock → closed',
    ]);
    expect(() => assertCovered(doorMachine, paths)).not.toThrow();
  });

  it('count states that are passed through, and leave out what is forbidden or does nothing', () => {
    const { states, transitions, events } = coverageOf(doorMachine, paths);
    expect(states.reached).toEqual(['hanging', 'closed', 'open', 'locked', 'broken']);
    expect(transitions.reached).toContain('hanging · always → closed');
    expect(transitions.reached).not.toContain('locked · door.break → broken');
    expect(transitions.missing).toEqual([]);
    expect(paths.flatMap(({ steps }) => steps.map(({ event }) => event))).not.toContainEqual({
      type: 'door.push',
      force: 1,
    });
    expect(events.missing).toEqual([]);
  });

  it('may be found from what can happen in each snapshot', () => {
    const found = pathsOf(doorMachine, {
      events: ({ value }): DoorEvent[] =>
        value === 'closed' ? [{ type: 'door.push', force: 9 }] : [{ type: 'door.break' }],
    });
    expect(found.map(({ description }) => description)).toEqual(['closed → door.push → open → door.break → broken']);
  });

  it('have a limit, and say what to do when it is reached', () => {
    const counter = setup({
      types: { context: {} as { ticks: number }, events: {} as { type: 'tick' } },
    }).createMachine({
      id: 'counter',
      context: { ticks: 0 },
      initial: 'on',
      states: { on: { on: { tick: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) } } } },
    });
    expect(() => pathsOf(counter, { events: {}, limit: 50 })).toThrow(/chart counter has more than 50 steps to search/);
    const bounded = pathsOf(counter, { events: {}, limit: 50, serialize: ({ value }) => JSON.stringify(value) });
    expect(bounded.map(({ description }) => description)).toEqual(['on → tick → on']);
  });
});

describe('a chart of whatever shape', () => {
  const inA = (a: object, chart: object = {}, id = 'odd'): AnyStateMachine =>
    createMachine({ id, initial: 'a', ...chart, states: { a, z: { type: 'final' } } } as never);
  const found = (machine: AnyStateMachine, events: object = {}): string[] => {
    const paths = pathsOf(machine, { events } as never);
    assertCovered(machine, paths);
    return paths.map(({ description }) => description);
  };

  it('may have dots in its names', () => {
    const dotted = createMachine({
      id: 'my.app',
      initial: 'a.b',
      on: { stop: '.z' },
      states: { 'a.b': { id: 'first' }, z: {} },
    });
    expect(() => assertCovered(dotted, pathsOf(dotted, { events: {} }))).not.toThrow();
  });

  it('has its wildcards tried with the types that are named, and no other', () => {
    const machine = createMachine({
      id: 'odd',
      initial: 'a',
      states: { a: { on: { 'job.*': 'b' } }, b: { on: { '*': 'a' } } },
    });
    const events = { 'job.start': [{}], anything: [{}] };
    const paths = pathsOf(machine, { events } as never);
    expect(paths.map(({ description }) => description)).toEqual(['a → job.start → b → job.start → a']);
    const acts = { events: { 'job.start': () => {} }, states: { a: () => {}, b: () => {} } };
    expect(() => assertCovered(machine, paths, acts)).not.toThrow();
    expect(() => assertCovered(machine, paths, { ...acts, events: {} })).toThrow(
      /is not covered:\n {2}no executor for the event: job.start$/,
    );
    expect(() => assertCovered(machine, pathsOf(machine, { events: {} }))).toThrow(/event never sent: job\.\*/);
  });

  it('need not take what a state further in always takes first', () => {
    expect(found(inA({ on: { 'job.*': 'z' } }, { on: { 'job.start': '.a' } }), { 'job.start': [{}] })).toEqual([
      'a → job.start → z',
    ]);
  });

  it('must take what a state further in leaves to it when its guard says no', () => {
    const machine = inA({ on: { stop: { guard: () => false } } }, { on: { stop: '.z' } });
    expect(coverageOf(machine, []).transitions.missing).toContain('a · stop → z');
  });

  it('may leave its first state without an event, from further out', () => {
    const machine = inA(
      {},
      { context: { n: 1 }, always: { guard: ({ context }: never) => context !== null, target: '.z' } },
    );
    expect(found(machine)).toEqual(['z']);
  });

  it('is told why it does not start', () => {
    const machine = createMachine({
      id: 'odd',
      types: {} as { input: { n: number }; context: { n: number } },
      context: ({ input }) => ({ n: input.n }),
      initial: 'a',
      states: { a: {} },
    });
    expect(() => pathsOf(machine, { events: {} })).toThrow(/^chart odd does not start without input: Cannot read/);
    expect(pathsOf(machine, { events: {}, input: { n: 1 } })).toHaveLength(1);
  });

  it('may keep maps, sets and great numbers in its context', () => {
    const machine = createMachine({
      id: 'odd',
      types: {} as { context: { seen: Map<number, bigint> } },
      context: { seen: new Map() },
      initial: 'a',
      states: {
        a: {
          on: {
            add: {
              guard: ({ context }) => context.seen.size < 3,
              actions: assign({ seen: ({ context: { seen } }) => new Map([...seen, [seen.size, 1n]]) }),
            },
            go: { guard: ({ context }) => context.seen.size === 2, target: 'z' },
          },
        },
        z: {},
      },
    });
    expect(found(machine)).toEqual(['a → add → a → add → a → go → z']);
  });

  it('has what a guard of it throws said, and not that it has too many steps', () => {
    const machine = inA({
      on: {
        go: {
          target: 'z',
          guard: () => {
            throw new Error('cannot tell');
          },
        },
      },
    });
    expect(() => found(machine)).toThrow('cannot tell');
  });

  it('is predicted by the way that a path takes, not by another to a state that looks the same', () => {
    const machine = createMachine({
      id: 'odd',
      initial: 'a',
      states: {
        a: { initial: 'x', on: { out: 'b' }, states: { x: { on: { turn: 'y' } }, y: {}, last: { type: 'history' } } },
        b: { on: { back: 'a.last' } },
      },
    });
    for (const { steps } of pathsOf(machine, { events: {} })) {
      let [snapshot] = initialTransition(machine);
      for (const step of steps) {
        [snapshot] = transition(machine, snapshot, step.event);
        expect(step.snapshot.value).toEqual(snapshot.value);
      }
    }
  });
});

describe('a set of paths that leaves something out', () => {
  it('is told what it never reaches', () => {
    const weak = pathsOf(doorMachine, { events: { 'door.push': [{ force: 1 }] } });
    expect(coverageOf(doorMachine, weak).states.missing).toEqual(['open']);
    expect(() => assertCovered(doorMachine, weak)).toThrow(
      /chart door is not covered:\n {2}state never reached: open\n {2}event never sent: door.push\n/,
    );
    expect(() => assertCovered(doorMachine, paths.slice(0, 1))).toThrow(
      /transition never taken: closed · door.lock → locked/,
    );
  });

  it('is told which executors and checks are missing, and which names mean nothing', () => {
    const { acts } = aDoor();
    expect(() => assertCovered(doorMachine, paths, acts)).not.toThrow();
    const { open: _open, ...states } = acts.states;
    const { 'door.lock': _lock, ...events } = acts.events;
    expect(() => assertCovered(doorMachine, paths, { events, states })).toThrow(
      /no executor for the event: door.lock\n {2}no check for the state: open$/,
    );
    expect(() => assertCovered(doorMachine, paths, { ...acts, states: { ...acts.states, opened: () => {} } })).toThrow(
      /check for a state that the chart does not have: opened/,
    );
  });
});

describe('a path run against the real thing', () => {
  it('acts and checks at every step, and waits for both', async () => {
    for (const path of paths) {
      const { acts, seen } = aDoor();
      await runPath(path, acts);
      expect(seen).toHaveLength(path.steps.length + 1);
    }
  });

  it('says where on the way it went wrong', async () => {
    const path = paths[1];
    if (path === undefined) throw new Error('no such path');
    await expect(runPath(path, aDoor(true).acts)).rejects.toThrow(
      'the door is closed, not open\n  on the path closed → door.push → open',
    );
  });

  it('does not pass over an act that is missing', async () => {
    const { acts } = aDoor();
    for (const path of paths) {
      await expect(runPath(path, { events: {}, states: acts.states })).rejects.toThrow(
        /there is no executor for the event/,
      );
      await expect(runPath(path, { events: acts.events, states: {} })).rejects.toThrow(/no check for the state closed/);
    }
  });
});

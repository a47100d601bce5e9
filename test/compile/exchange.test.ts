/** A compiled chart stands where its machine stood: for snapshots, for parents and children, for xstate’s own functions. */
import { describe, expect, it } from 'vitest';
import {
  type ActorLogic,
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  getInitialMicrosteps,
  getMicrosteps,
  getNextTransitions,
  initialTransition,
  isMachineSnapshot,
  type Snapshot,
  StateMachine,
  toPromise,
  transition,
  waitFor,
} from 'xstate';
import { compile } from '../../src/compile/compile.ts';
import { type ChartName, charts } from '../../src/machines/index.ts';
import { taskMachine } from '../../src/machines/task.ts';
import { coverageOf } from '../../src/testing/paths.ts';
import { aTask, inputsOf, reach, result } from '../support/reach.ts';
import { faceOf, Twins } from '../support/twins.ts';

const names = Object.keys(charts) as ChartName[];
const compiledTask = compile(taskMachine);
const placed = { type: 'task.placed', nodeId: 'n', attempt: 1 } as const;
const started = { type: 'attempt.started' } as const;
const succeeded = { type: 'attempt.succeeded', result, runMs: 3 } as const;
const life = [placed, started, succeeded, { type: 'outcome.stored' } as const];

describe.each(names)('the %s chart, compiled', (name) => {
  const machine: AnyStateMachine = charts[name];
  const compiled: AnyStateMachine = compile(machine);
  const shown = (snapshot: unknown) => faceOf(snapshot, machine.events);
  const ways = reach(name).map(({ input, steps }) => ({ input, events: steps.map(({ event }) => event) }));

  it('goes on from what the machine has kept, and the machine from what it has kept', () => {
    for (const { input, events } of ways) {
      for (let half = 0; half <= events.length; half += 1) {
        const [before, after] = [events.slice(0, half), events.slice(half)];
        const [kept, own] = [machine, compiled].map((logic) =>
          JSON.stringify(run(logic, { input }, before).getPersistedSnapshot()),
        );
        expect(own).toBe(kept);
        const twins = new Twins(machine, compiled, { snapshot: JSON.parse(own as string) });
        for (const event of after) twins.send(event);
      }
    }
  }, 60_000);

  it('goes on from a live snapshot of the machine, and the machine from its own', () => {
    for (const { input, events } of ways) {
      let own = initialTransition(compiled, input)[0] as AnyMachineSnapshot;
      let other = initialTransition(machine, input)[0] as AnyMachineSnapshot;
      expect(shown(own)).toEqual(shown(other));
      for (const event of events) {
        // Crosswise: each goes on from where the other has got to.
        const [next, doings] = transition(compiled, other, event);
        const [expected, expectedDoings] = transition(machine, own, event);
        expect(shown(next)).toEqual(shown(expected));
        expect(doings.map(plain)).toEqual(expectedDoings.map(plain));
        [own, other] = [next as AnyMachineSnapshot, expected as AnyMachineSnapshot];
      }
    }
  });

  it('is the same to whoever reads it: config, states, definition, paths', () => {
    expect(compiled).toBeInstanceOf(StateMachine);
    const { id, config, root, states, events, options, implementations } = machine;
    expect(compiled).toMatchObject({ id, options });
    expect([compiled.config, compiled.root, compiled.states, compiled.events, compiled.implementations]).toEqual([
      config,
      root,
      states,
      events,
      implementations,
    ]);
    expect(JSON.stringify(compiled.definition)).toBe(JSON.stringify(machine.definition));
    expect(JSON.stringify(compiled)).toBe(JSON.stringify(machine));
    const paths = reach(name);
    expect(coverageOf(compiled, paths)).toEqual(coverageOf(machine, paths));
  });

  it('is asked by xstate’s own functions as the machine is', () => {
    for (const input of inputsOf(name)) {
      expect(getInitialMicrosteps(compiled, input).length).toBe(getInitialMicrosteps(machine, input).length);
      const [snapshot] = initialTransition(compiled, input);
      expect(isMachineSnapshot(snapshot)).toBe(true);
      expect(getNextTransitions(snapshot)).toEqual(getNextTransitions(initialTransition(machine, input)[0]));
      for (const type of machine.events) {
        const steps = (logic: AnyStateMachine) => getMicrosteps(logic, snapshot, { type }).map(([step]) => shown(step));
        expect(outcome(() => steps(compiled))).toEqual(outcome(() => steps(machine)));
      }
    }
  });

  it('leaves the machine as it was, and can be made interpreted again', () => {
    expect(Object.hasOwn(compiled, 'config')).toBe(false);
    const [again] = initialTransition(compiled.provide({}), inputsOf(name)[0]);
    expect((again as AnyMachineSnapshot).machine).not.toBe(machine);
    expect(machine.transition).not.toBe(compiled.transition);
  });
});

describe('a compiled chart', () => {
  it('compiled once more is the same', () => {
    const twins = new Twins(taskMachine, compile(compiledTask), { input: aTask() });
    for (const event of life) twins.send(event);
    expect(twins.isOver).toBe(true);
  });

  it('keeps its snapshots as they were, and shares what does not change', () => {
    const actor = run(compiledTask, { input: aTask() }, []);
    const before = actor.getSnapshot() as AnyMachineSnapshot;
    const copy = structuredClone(shown(before));
    for (const event of life) actor.send(event);
    expect(shown(before)).toEqual(copy);
    const other = run(compiledTask, { input: aTask() }, []).getSnapshot() as AnyMachineSnapshot;
    expect(other.tags).toBe(before.tags);
    expect(other.context).not.toBe(before.context);

    function shown({ value, context, status, tags, children }: AnyMachineSnapshot) {
      return { value, context, status, tags, children };
    }
  });

  it('tells its parent of its end and of its error, and is stopped by it, as the machine does', () => {
    const heardOf = (logic: AnyStateMachine): unknown[] => {
      const heard: unknown[] = [];
      const parent: ActorLogic<Snapshot<undefined>, { type: string; error?: Error }> = {
        getInitialSnapshot: () => ({ status: 'active', output: undefined, error: undefined }),
        getPersistedSnapshot: (snapshot) => snapshot,
        transition(snapshot, event, scope) {
          heard.push([event.type, event.error?.message]);
          if (event.type === 'spawn') {
            for (const id of ['ends', 'fails', 'stops']) {
              const child = createActor(logic, { parent: scope.self, id, input: aTask() } as never) as AnyActorRef;
              child.subscribe?.({
                complete: () => heard.push(`${id} complete`),
                error: () => heard.push(`${id} error`),
              });
              children[id] = child;
              scope.defer(() => child.start());
            }
          }
          if (event.type === 'stop') scope.stopChild(children['stops'] as AnyActorRef);
          return snapshot;
        },
      };
      const children: Record<string, AnyActorRef> = {};
      const actor = createActor(parent).start();
      actor.send({ type: 'spawn' });
      for (const event of life) children['ends']?.send(event);
      children['fails']?.send(null as never);
      children['stops']?.send(placed);
      actor.send({ type: 'stop' });
      return [heard, Object.values(children).map((child) => faceOf(child.getSnapshot(), taskMachine.events))];
    };
    const heard = heardOf(compiledTask);
    expect(heard).toEqual(heardOf(taskMachine));
    expect(heard[0]).toContainEqual(['xstate.done.actor.ends', undefined]);
    expect(heard[0]).toContain('stops complete');
  });

  it('can be waited for', async () => {
    const actor = createActor(compiledTask, { input: aTask() }).start();
    const running = waitFor(actor, (snapshot) => snapshot.matches('running'));
    const done = toPromise(actor);
    for (const event of life) actor.send(event);
    await expect(running).resolves.toMatchObject({ value: 'running' });
    await expect(done).resolves.toBeUndefined();
  });
});

function run(logic: AnyStateMachine, options: { input: unknown }, events: readonly unknown[]) {
  const actor = createActor(logic, options as never).start();
  for (const event of events) actor.send(event as never);
  return actor;
}

function plain({
  type,
  params,
  info: { context, event },
}: {
  type: string;
  params: unknown;
  info: { context: unknown; event: unknown };
}) {
  return { type, params, context, event };
}

function outcome(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return String(error);
  }
}

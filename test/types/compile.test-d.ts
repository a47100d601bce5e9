/** What is known of a machine is known of it compiled. */
import { expectTypeOf, it } from 'vitest';
import {
  type Actor,
  type AnyStateMachine,
  createActor,
  type EmittedFrom,
  type EventFromLogic,
  type InputFrom,
  type OutputFrom,
  type SnapshotFrom,
} from 'xstate';
import { compile } from '../../src/compile.ts';
import {
  type TaskCommand,
  type TaskContext,
  type TaskEvent,
  type TaskInput,
  taskMachine,
} from '../../src/machines/task.ts';

const compiled = compile(taskMachine);

it('a compiled machine has the type of the machine', () => {
  expectTypeOf(compiled).toEqualTypeOf<typeof taskMachine>();
  expectTypeOf<SnapshotFrom<typeof compiled>>().toEqualTypeOf<SnapshotFrom<typeof taskMachine>>();
  expectTypeOf<SnapshotFrom<typeof compiled>['context']>().toEqualTypeOf<TaskContext>();
  expectTypeOf<EventFromLogic<typeof compiled>>().toEqualTypeOf<TaskEvent>();
  expectTypeOf<EmittedFrom<typeof compiled>>().toEqualTypeOf<TaskCommand>();
  expectTypeOf<InputFrom<typeof compiled>>().toEqualTypeOf<TaskInput>();
  expectTypeOf<OutputFrom<typeof compiled>>().toEqualTypeOf<OutputFrom<typeof taskMachine>>();
});

it('an actor of it takes the events of the machine, and no others', () => {
  const start = (input: TaskInput) => createActor(compiled, { input });
  expectTypeOf(start).returns.toEqualTypeOf<Actor<typeof taskMachine>>();
  // @ts-expect-error a task needs its input
  void (() => createActor(compiled));
  // @ts-expect-error no chart has such an event
  void ((input: TaskInput) => start(input).send({ type: 'task.nonsense' }));
});

it('only a machine can be compiled', () => {
  expectTypeOf(compile).parameter(0).toExtend<AnyStateMachine>();
  // @ts-expect-error a config is no machine
  void (() => compile({ initial: 'a', states: { a: {} } }));
});

/**
 * What is fed to each chart so that every branch of it can be taken: its inputs, and the payloads of its events.
 */
import type { AnyStateMachine } from 'xstate';
import { type ChartName, charts } from '../../src/machines/index.ts';
import type { TaskInput } from '../../src/machines/task.ts';
import type { Failure } from '../../src/protocol/failure.ts';
import { type EventCases, type Path, pathsOf } from '../../src/testing/paths.ts';

export const crash: Failure = { code: 'NODE_LOST', message: 'the node went away', retryable: true };
export const failure: Failure = { code: 'HANDLER_FAILED', message: 'the handler threw', retryable: true };
export const refusal: Failure = { code: 'HANDLER_REFUSED', message: 'the handler refused', retryable: false };
export const lapse: Failure = { code: 'DEADLINE_PASSED', message: 'the task was not done in time', retryable: false };
export const rejection: Failure = { code: 'NODE_FULL', message: 'no free slot', retryable: true };

/** A task that may fail twice and lose two nodes; what a test does not care about. */
export function aTask(overrides: Partial<TaskInput> = {}): TaskInput {
  return {
    taskId: 't1',
    attempt: 0,
    failures: 0,
    crashes: 0,
    attemptsMax: 2,
    crashesMax: 2,
    isDelayed: false,
    ...overrides,
  };
}

export const result = new Uint8Array([1, 2, 3]);
const ends = [{ isFinal: false }, { isFinal: true }];

const cases = {
  task: {
    'task.placed': [{ nodeId: 'n1', attempt: 1 }],
    'task.adopted': [{ nodeId: 'n1', attempt: 1 }],
    'attempt.succeeded': [{ result, runMs: 5 }],
    'attempt.failed': [
      { failure, runMs: 5 },
      { failure: refusal, runMs: 5 },
    ],
    'attempt.stopped': [{ runMs: 5 }],
    'attempt.rejected': [{ failure: rejection }],
    'node.lost': [{ failure: crash }],
    'task.lapsed': [{ failure: lapse }],
  },
  attempt: { 'handler.returned': [{ result }], 'handler.threw': [{ failure }] },
  scheduler: { 'claim.returned': [{ leftover: 'nothing' }, { leftover: 'full' }, { leftover: 'unfit' }] },
  node: { 'heartbeat.received': [{ isLagging: true }, { isLagging: false }] },
  'node-life': {},
  session: { 'register.refused': [{ code: 'UNAUTHENTICATED' }], 'protocol.violated': [{ code: 'FRAME_INVALID' }] },
  link: { 'dial.failed': ends, 'reject.received': ends, 'link.closed': ends },
  gateway: {},
  discovery: {},
  channel: {},
} as const satisfies { [Name in ChartName]: EventCases<(typeof charts)[Name]> };

/** The inputs a chart is started with: all its ways to begin. */
const inputs: Readonly<Record<ChartName, readonly unknown[]>> = {
  task: [aTask(), aTask({ isDelayed: true })],
  attempt: [undefined],
  scheduler: [undefined],
  node: [{ nodeId: 'n1' }],
  'node-life': [undefined],
  session: [undefined],
  link: [undefined],
  gateway: [undefined],
  discovery: [undefined],
  channel: [undefined],
};

export function inputsOf(name: ChartName): readonly unknown[] {
  return inputs[name];
}

/** Every event of a chart, with each of its payloads. */
export function eventsOf(name: ChartName): { readonly type: string }[] {
  const payloads: Readonly<Record<string, readonly object[] | undefined>> = cases[name];
  return charts[name].events.flatMap((type) => (payloads[type] ?? [{}]).map((payload) => ({ ...payload, type })));
}

/** Enough paths to take every transition of a chart, over all its inputs. */
export function reach(name: ChartName): Path<AnyStateMachine>[] {
  const machine: AnyStateMachine = charts[name];
  return inputs[name].flatMap((input) => pathsOf(machine, { events: () => eventsOf(name), input }));
}

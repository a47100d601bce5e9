/**
 * The life of one task on the gateway that holds it: pending → assigned → running → completed | failed | cancelled.
 * An outcome counts once the store has it, so each ends through `settling`; an attempt that is told to stop stays in
 * `cancelling` until its work has ended or the grace has passed.
 */
import { and, assign, emit, setup } from 'xstate';
import type { Failure } from '../protocol/failure.ts';
import type { OutcomeStatus } from '../protocol/task-status.ts';
import { maxIterations } from './options.ts';

/** Why an attempt was told to stop. */
export type StopReason = 'cancelled' | 'timeout' | 'withdrawn';

export interface TaskInput {
  readonly taskId: string;
  /** The number of the last attempt, 0 before the first. */
  readonly attempt: number;
  readonly failures: number;
  readonly crashes: number;
  readonly attemptsMax: number;
  readonly crashesMax: number;
  readonly isDelayed: boolean;
}

export interface TaskContext extends Omit<TaskInput, 'isDelayed'> {
  readonly isDelayed: boolean;
  readonly nodeId: string | null;
  readonly stopReason: StopReason | null;
  readonly failure: Failure | null;
  readonly outcome: OutcomeStatus | null;
}

export type TaskEvent =
  | { type: 'task.due' }
  | { type: 'task.placed'; nodeId: string; attempt: number }
  | { type: 'task.adopted'; nodeId: string; attempt: number }
  | { type: 'task.cancel' }
  | { type: 'task.superseded' }
  | { type: 'task.lapsed'; failure: Failure }
  | { type: 'attempt.started' }
  | { type: 'attempt.succeeded'; result: Uint8Array; runMs: number }
  | { type: 'attempt.failed'; failure: Failure; runMs: number }
  | { type: 'attempt.stopped'; runMs: number }
  | { type: 'attempt.rejected'; failure: Failure }
  | { type: 'node.lost'; failure: Failure }
  | { type: 'deadline.passed' }
  | { type: 'grace.passed' }
  | { type: 'outcome.stored' };

export type TaskCommand =
  | { type: 'attempt.assign'; nodeId: string; attempt: number }
  | { type: 'attempt.withdraw'; nodeId: string; attempt: number; reason: StopReason }
  | { type: 'deadline.set'; span: 'run' | 'grace' }
  | {
      type: 'task.settle';
      status: OutcomeStatus;
      attempt: number;
      nodeId: string | null;
      result: Uint8Array | null;
      failure: Failure | null;
      runMs: number;
      /** What it was that the task had too many of, if it failed. */
      costs?: 'crash';
    }
  | {
      type: 'task.release';
      attempt: number;
      costs: 'failure' | 'crash' | 'nothing';
      /** Failures so far, this one included: the exponent of the backoff. */
      failures: number;
      failure: Failure | null;
      nodeId: string | null;
    };

const timedOut: Failure = {
  code: 'TASK_TIMED_OUT',
  message: 'the attempt took longer than its timeout',
  retryable: true,
};
const cancelled: Failure = { code: 'TASK_CANCELLED', message: 'the task was cancelled', retryable: false };

export const taskMachine = setup({
  types: {
    input: {} as TaskInput,
    context: {} as TaskContext,
    events: {} as TaskEvent,
    emitted: {} as TaskCommand,
    tags: {} as 'waiting' | 'placed' | 'settled',
  },
  guards: {
    isDelayed: ({ context }) => context.isDelayed,
    wasCancelled: ({ context }) => context.stopReason === 'cancelled',
    wasWithdrawn: ({ context }) => context.stopReason === 'withdrawn',
    isRetryable: ({ context }) => context.failure?.retryable ?? false,
    hasAttemptsLeft: ({ context }) => context.failures < context.attemptsMax,
    mayRetry: and(['isRetryable', 'hasAttemptsLeft']),
    maySurviveAnotherCrash: ({ context }) => context.crashes + 1 < context.crashesMax,
    isCompleted: ({ context }) => context.outcome === 'completed',
    isFailed: ({ context }) => context.outcome === 'failed',
  },
  actions: {
    takePlace: assign((_, place: { nodeId: string; attempt: number }) => ({
      nodeId: place.nodeId,
      attempt: place.attempt,
      stopReason: null,
      failure: null,
    })),
    stopFor: assign((_, stopReason: StopReason) => ({ stopReason })),
    keepFailure: assign((_, failure: Failure) => ({ failure })),
    countFailure: assign(({ context }, failure: Failure) => ({ failures: context.failures + 1, failure })),
    countCrash: assign(({ context }, failure: Failure) => ({ crashes: context.crashes + 1, failure })),
    decideOn: assign((_, outcome: OutcomeStatus) => ({ outcome })),
    assignToNode: emit(
      ({ context }) =>
        ({ type: 'attempt.assign', nodeId: context.nodeId ?? '', attempt: context.attempt }) satisfies TaskCommand,
    ),
    withdrawFromNode: emit(
      ({ context }) =>
        ({
          type: 'attempt.withdraw',
          nodeId: context.nodeId ?? '',
          attempt: context.attempt,
          reason: context.stopReason ?? 'withdrawn',
        }) satisfies TaskCommand,
    ),
    allowRunTime: emit({ type: 'deadline.set', span: 'run' } satisfies TaskCommand),
    allowGrace: emit({ type: 'deadline.set', span: 'grace' } satisfies TaskCommand),
    settleCompleted: emit(
      ({ context }, end: { result: Uint8Array; runMs: number }) =>
        ({
          type: 'task.settle',
          status: 'completed',
          attempt: context.attempt,
          nodeId: context.nodeId,
          result: end.result,
          failure: null,
          runMs: end.runMs,
        }) satisfies TaskCommand,
    ),
    settleFailed: emit(({ context }) => settleWithout('failed', context, context.failure)),
    settleCrashed: emit(({ context }) => ({
      ...settleWithout('failed', context, context.failure),
      costs: 'crash' as const,
    })),
    settleCancelled: emit(({ context }) => settleWithout('cancelled', context, cancelled)),
    releaseAfterFailure: emit(({ context }) => release('failure', context)),
    releaseAfterCrash: emit(({ context }) => release('crash', context)),
    releaseUndelivered: emit(({ context }) => release('nothing', context)),
  },
}).createMachine({
  id: 'task',
  context: ({ input }) => contextOf(input),
  initial: 'entering',
  options: { maxIterations },
  on: { 'task.superseded': '.superseded' },
  states: {
    entering: {
      description: 'Left at once.',
      always: [{ guard: 'isDelayed', target: 'delayed' }, { target: 'pending' }],
    },
    delayed: {
      description: 'Waits for its time: not before, or backoff.',
      tags: 'waiting',
      on: {
        'task.due': 'pending',
        'task.cancel': { target: 'settling', actions: ['settleCancelled', { type: 'decideOn', params: 'cancelled' }] },
        // The store has failed it where it waits: its time has passed, or what it depends on has failed.
        'task.lapsed': { target: 'failed', actions: { type: 'keepFailure', params: ({ event }) => event.failure } },
      },
    },
    pending: {
      description: 'Waits until the scheduler places it.',
      tags: 'waiting',
      on: {
        'task.placed': {
          target: 'assigned',
          actions: [{ type: 'takePlace', params: ({ event }) => event }, 'assignToNode'],
        },
        'task.adopted': {
          target: 'running',
          actions: [{ type: 'takePlace', params: ({ event }) => event }],
        },
        'task.cancel': { target: 'settling', actions: ['settleCancelled', { type: 'decideOn', params: 'cancelled' }] },
        'task.lapsed': { target: 'failed', actions: { type: 'keepFailure', params: ({ event }) => event.failure } },
      },
    },
    assigned: {
      description: 'Sent; the node has not said that it started.',
      tags: 'placed',
      on: {
        'attempt.started': 'running',
        'attempt.succeeded': {
          target: 'settling',
          actions: [
            { type: 'settleCompleted', params: ({ event }) => event },
            { type: 'decideOn', params: 'completed' },
          ],
        },
        'attempt.failed': {
          target: 'deciding',
          actions: { type: 'countFailure', params: ({ event }) => event.failure },
        },
        'attempt.stopped': { target: 'delayed', actions: 'releaseUndelivered' },
        'attempt.rejected': {
          target: 'delayed',
          actions: [{ type: 'keepFailure', params: ({ event }) => event.failure }, 'releaseUndelivered'],
        },
        'node.lost': [
          {
            guard: 'maySurviveAnotherCrash',
            target: 'pending',
            actions: [{ type: 'countCrash', params: ({ event }) => event.failure }, 'releaseAfterCrash'],
          },
          { target: 'crashed', actions: { type: 'countCrash', params: ({ event }) => event.failure } },
        ],
        'deadline.passed': { target: 'cancelling', actions: { type: 'stopFor', params: 'withdrawn' } },
        'task.cancel': { target: 'cancelling', actions: { type: 'stopFor', params: 'cancelled' } },
      },
    },
    running: {
      tags: 'placed',
      entry: 'allowRunTime',
      on: {
        'attempt.succeeded': {
          target: 'settling',
          actions: [
            { type: 'settleCompleted', params: ({ event }) => event },
            { type: 'decideOn', params: 'completed' },
          ],
        },
        'attempt.failed': {
          target: 'deciding',
          actions: { type: 'countFailure', params: ({ event }) => event.failure },
        },
        'attempt.stopped': { target: 'delayed', actions: 'releaseUndelivered' },
        'node.lost': [
          {
            guard: 'maySurviveAnotherCrash',
            target: 'pending',
            actions: [{ type: 'countCrash', params: ({ event }) => event.failure }, 'releaseAfterCrash'],
          },
          { target: 'crashed', actions: { type: 'countCrash', params: ({ event }) => event.failure } },
        ],
        'deadline.passed': { target: 'cancelling', actions: { type: 'stopFor', params: 'timeout' } },
        'task.cancel': { target: 'cancelling', actions: { type: 'stopFor', params: 'cancelled' } },
      },
    },
    cancelling: {
      description: 'Told to stop; the work has not ended yet.',
      tags: 'placed',
      entry: ['withdrawFromNode', 'allowGrace'],
      on: {
        'task.cancel': { actions: { type: 'stopFor', params: 'cancelled' } },
        'attempt.succeeded': {
          target: 'settling',
          actions: [
            { type: 'settleCompleted', params: ({ event }) => event },
            { type: 'decideOn', params: 'completed' },
          ],
        },
        'attempt.failed': 'stopped',
        'attempt.stopped': 'stopped',
        'attempt.rejected': 'stopped',
        'node.lost': 'stopped',
        'grace.passed': 'stopped',
      },
    },
    stopped: {
      description: 'The stopped attempt is over; what it was stopped for decides. Left at once.',
      always: [
        {
          guard: 'wasCancelled',
          target: 'settling',
          actions: ['settleCancelled', { type: 'decideOn', params: 'cancelled' }],
        },
        { guard: 'wasWithdrawn', target: 'delayed', actions: 'releaseUndelivered' },
        { target: 'deciding', actions: { type: 'countFailure', params: timedOut } },
      ],
    },
    deciding: {
      description: 'Retry or give up; left at once.',
      always: [{ guard: 'mayRetry', target: 'delayed', actions: 'releaseAfterFailure' }, { target: 'failing' }],
    },
    crashed: {
      description: 'One node too many was lost under it; left at once.',
      always: { target: 'settling', actions: ['settleCrashed', { type: 'decideOn', params: 'failed' }] },
    },
    failing: {
      description: 'Out of attempts; left at once.',
      always: { target: 'settling', actions: ['settleFailed', { type: 'decideOn', params: 'failed' }] },
    },
    settling: {
      description: 'The outcome is being stored; it counts once the store has it.',
      on: {
        'outcome.stored': [
          { guard: 'isCompleted', target: 'completed' },
          { guard: 'isFailed', target: 'failed' },
          { target: 'cancelled' },
        ],
      },
    },
    completed: { type: 'final', tags: 'settled' },
    failed: { type: 'final', tags: 'settled' },
    cancelled: { type: 'final', tags: 'settled' },
    superseded: { type: 'final', description: 'Another attempt or another gateway holds the task now.' },
  },
});

/** Written out: a spread that adds keys costs more than all moves of the chart together. */
function contextOf({ taskId, attempt, failures, crashes, attemptsMax, crashesMax, isDelayed }: TaskInput): TaskContext {
  return {
    taskId,
    attempt,
    failures,
    crashes,
    attemptsMax,
    crashesMax,
    isDelayed,
    nodeId: null,
    stopReason: null,
    failure: null,
    outcome: null,
  };
}

function settleWithout(
  status: OutcomeStatus,
  context: TaskContext,
  failure: Failure | null,
): Extract<TaskCommand, { type: 'task.settle' }> {
  const { attempt, nodeId } = context;
  return { type: 'task.settle', status, attempt, nodeId, result: null, failure, runMs: 0 };
}

function release(costs: 'failure' | 'crash' | 'nothing', context: TaskContext): TaskCommand {
  const { attempt, failures, failure, nodeId } = context;
  return { type: 'task.release', attempt, costs, failures, failure, nodeId };
}

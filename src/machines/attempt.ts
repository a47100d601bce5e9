/**
 * One attempt on its node: received → running → reporting → settled. The result is kept until the gateway has
 * acknowledged it; an attempt that was told to stop keeps its slot until the handler has really ended.
 */
import { assign, emit, setup } from 'xstate';
import type { Failure } from '../protocol/failure.ts';
import { maxIterations } from './options.ts';

export type AttemptStop = 'cancelled' | 'withdrawn' | 'timeout' | 'dropped' | 'stopped';
export type ReportStatus = 'success' | 'failed' | 'timeout' | 'cancelled';

export interface AttemptContext {
  readonly stopReason: AttemptStop | null;
}

export type AttemptEvent =
  | { type: 'handler.started' }
  | { type: 'handler.returned'; result: Uint8Array }
  | { type: 'handler.threw'; failure: Failure }
  | { type: 'attempt.cancel' }
  | { type: 'attempt.withdraw' }
  | { type: 'attempt.drop' }
  | { type: 'node.stop' }
  | { type: 'deadline.passed' }
  | { type: 'grace.passed' }
  | { type: 'report.acknowledged' };

export type AttemptCommand =
  | { type: 'report.started' }
  | {
      type: 'report.result';
      status: ReportStatus;
      result: Uint8Array | null;
      failure: Failure | null;
      isOverdue: boolean;
    }
  | { type: 'report.ended' }
  | { type: 'handler.abort'; reason: AttemptStop }
  | { type: 'slot.free' };

export const attemptMachine = setup({
  types: { context: {} as AttemptContext, events: {} as AttemptEvent, emitted: {} as AttemptCommand },
  guards: { wasDropped: ({ context }) => context.stopReason === 'dropped' },
  actions: {
    stopFor: assign((_, stopReason: AttemptStop) => ({ stopReason })),
    abortHandler: emit(
      ({ context }) => ({ type: 'handler.abort', reason: context.stopReason ?? 'cancelled' }) satisfies AttemptCommand,
    ),
    freeSlot: emit({ type: 'slot.free' } satisfies AttemptCommand),
    reportStarted: emit({ type: 'report.started' } satisfies AttemptCommand),
    reportEnded: emit({ type: 'report.ended' } satisfies AttemptCommand),
    reportSuccess: emit(
      (_, result: Uint8Array) =>
        ({
          type: 'report.result',
          status: 'success',
          result,
          failure: null,
          isOverdue: false,
        }) satisfies AttemptCommand,
    ),
    reportFailure: emit(
      (_, failure: Failure) =>
        ({ type: 'report.result', status: 'failed', result: null, failure, isOverdue: false }) satisfies AttemptCommand,
    ),
    reportStopped: emit(({ context }) => stopReport(context, false)),
    reportOverdue: emit(({ context }) => stopReport(context, true)),
  },
}).createMachine({
  id: 'attempt',
  context: { stopReason: null },
  initial: 'received',
  options: { maxIterations },
  states: {
    received: {
      description: 'Has a slot; the handler has not been called yet.',
      on: {
        'handler.started': { target: 'running', actions: 'reportStarted' },
        'handler.threw': {
          target: 'reporting',
          actions: ['freeSlot', { type: 'reportFailure', params: ({ event }) => event.failure }],
        },
        'attempt.cancel': {
          target: 'reporting',
          actions: [{ type: 'stopFor', params: 'cancelled' }, 'freeSlot', 'reportStopped'],
        },
        'attempt.withdraw': {
          target: 'reporting',
          actions: [{ type: 'stopFor', params: 'withdrawn' }, 'freeSlot', 'reportStopped'],
        },
        'attempt.drop': { target: 'settled', actions: 'freeSlot' },
        'node.stop': {
          target: 'reporting',
          actions: [{ type: 'stopFor', params: 'stopped' }, 'freeSlot', 'reportStopped'],
        },
        'deadline.passed': {
          target: 'reporting',
          actions: [{ type: 'stopFor', params: 'timeout' }, 'freeSlot', 'reportStopped'],
        },
      },
    },
    running: {
      on: {
        'handler.returned': {
          target: 'reporting',
          actions: ['freeSlot', { type: 'reportSuccess', params: ({ event }) => event.result }],
        },
        'handler.threw': {
          target: 'reporting',
          actions: ['freeSlot', { type: 'reportFailure', params: ({ event }) => event.failure }],
        },
        'attempt.cancel': { target: 'cancelling', actions: { type: 'stopFor', params: 'cancelled' } },
        'attempt.withdraw': { target: 'cancelling', actions: { type: 'stopFor', params: 'withdrawn' } },
        'attempt.drop': { target: 'cancelling', actions: { type: 'stopFor', params: 'dropped' } },
        'node.stop': { target: 'cancelling', actions: { type: 'stopFor', params: 'stopped' } },
        'deadline.passed': { target: 'cancelling', actions: { type: 'stopFor', params: 'timeout' } },
      },
    },
    cancelling: {
      description: 'The handler was told to stop and has not ended. Whatever it still returns does not count.',
      entry: 'abortHandler',
      on: {
        'handler.returned': 'ending',
        'handler.threw': 'ending',
        'attempt.drop': { actions: { type: 'stopFor', params: 'dropped' } },
        'grace.passed': [
          { guard: 'wasDropped', target: 'overdue' },
          { target: 'overdue', actions: 'reportOverdue' },
        ],
      },
    },
    ending: {
      description: 'The stopped handler has ended; left at once.',
      always: [
        { guard: 'wasDropped', target: 'settled', actions: 'freeSlot' },
        { target: 'reporting', actions: ['freeSlot', 'reportStopped'] },
      ],
    },
    overdue: {
      description: 'Reported as stopped, yet the handler goes on: the slot stays taken.',
      on: {
        'attempt.drop': { actions: { type: 'stopFor', params: 'dropped' } },
        'handler.returned': [
          { guard: 'wasDropped', target: 'settled', actions: 'freeSlot' },
          { target: 'reporting', actions: ['freeSlot', 'reportEnded'] },
        ],
        'handler.threw': [
          { guard: 'wasDropped', target: 'settled', actions: 'freeSlot' },
          { target: 'reporting', actions: ['freeSlot', 'reportEnded'] },
        ],
      },
    },
    reporting: {
      description: 'Ended; the report is kept until the gateway acknowledges it.',
      on: { 'report.acknowledged': 'settled', 'attempt.drop': 'settled' },
    },
    settled: { type: 'final' },
  },
});

function stopReport(context: AttemptContext, isOverdue: boolean): AttemptCommand {
  const status = context.stopReason === 'timeout' ? 'timeout' : 'cancelled';
  return { type: 'report.result', status, result: null, failure: null, isOverdue };
}

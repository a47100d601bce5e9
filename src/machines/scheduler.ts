/**
 * The scheduler of a gateway: idle → dispatching → idle | saturated | starved. It asks the store for work whenever there
 * is both work and room, one claim at a time; what changes meanwhile makes it ask once more.
 */
import { assign, emit, setup } from 'xstate';
import { maxIterations } from './options.ts';

/** What a claim left behind: no work, work without a free slot, or only work that no node can do. */
export type Leftover = 'nothing' | 'full' | 'unfit';

export interface SchedulerContext {
  /** Something changed while a claim was under way. */
  readonly isStale: boolean;
  /** Paused while a claim was under way, which has not returned yet. */
  readonly isClaiming: boolean;
}

export type SchedulerEvent =
  | { type: 'work.arrived' }
  | { type: 'room.changed' }
  | { type: 'claim.returned'; leftover: Leftover }
  | { type: 'claim.failed' }
  | { type: 'scheduler.pause' }
  | { type: 'scheduler.resume' }
  | { type: 'scheduler.drain' }
  | { type: 'scheduler.stop' };

export type SchedulerCommand = { type: 'work.claim' };

export const schedulerMachine = setup({
  types: {
    context: {} as SchedulerContext,
    events: {} as SchedulerEvent,
    emitted: {} as SchedulerCommand,
  },
  guards: {
    isStale: ({ context }) => context.isStale,
    isClaiming: ({ context }) => context.isClaiming,
    leftFull: (_, leftover: Leftover) => leftover === 'full',
    leftUnfit: (_, leftover: Leftover) => leftover === 'unfit',
  },
  actions: {
    claim: emit({ type: 'work.claim' } satisfies SchedulerCommand),
    markFresh: assign({ isStale: false }),
    markStale: assign({ isStale: true }),
    noteClaim: assign({ isClaiming: true }),
    forgetClaim: assign({ isClaiming: false }),
  },
}).createMachine({
  id: 'scheduler',
  context: { isStale: false, isClaiming: false },
  initial: 'idle',
  options: { maxIterations },
  on: { 'scheduler.stop': '.stopped', 'scheduler.drain': '.draining', 'scheduler.pause': '.paused' },
  states: {
    idle: {
      description: 'No work waits.',
      on: { 'work.arrived': 'dispatching' },
    },
    dispatching: {
      description: 'A claim is under way.',
      entry: ['markFresh', 'claim'],
      on: {
        'work.arrived': { actions: 'markStale' },
        'room.changed': { actions: 'markStale' },
        'claim.returned': [
          { guard: 'isStale', target: 'dispatching', reenter: true },
          { guard: { type: 'leftFull', params: ({ event }) => event.leftover }, target: 'saturated' },
          { guard: { type: 'leftUnfit', params: ({ event }) => event.leftover }, target: 'starved' },
          { target: 'idle' },
        ],
        'claim.failed': 'saturated',
        'scheduler.pause': { target: 'paused', actions: 'noteClaim' },
      },
    },
    saturated: {
      description: 'Work waits for a slot, or for the store.',
      on: { 'work.arrived': 'dispatching', 'room.changed': 'dispatching' },
    },
    starved: {
      description: 'Work waits, and no node can do it.',
      on: { 'work.arrived': 'dispatching', 'room.changed': 'dispatching' },
    },
    paused: {
      description: 'Places nothing until resumed.',
      on: {
        'claim.returned': { actions: 'forgetClaim' },
        'claim.failed': { actions: 'forgetClaim' },
        'scheduler.resume': [
          { guard: 'isClaiming', target: 'resuming', actions: 'forgetClaim' },
          { target: 'dispatching' },
        ],
        'scheduler.pause': undefined,
      },
    },
    resuming: {
      description: 'Resumed while the claim of before the pause is still under way: there is never more than one.',
      on: {
        'claim.returned': 'dispatching',
        'claim.failed': 'saturated',
        'scheduler.pause': { target: 'paused', actions: 'noteClaim' },
      },
    },
    draining: {
      description: 'Places nothing more; running attempts may finish.',
      on: { 'scheduler.pause': undefined, 'scheduler.drain': undefined },
    },
    stopped: { type: 'final' },
  },
});

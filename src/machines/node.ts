/**
 * A node as its gateway sees it: online ⇄ busy, unhealthy while it is silent or its link is gone, offline → removed; and,
 * after too many faults of its own, tripped → probing → online. Slots belong to the scheduler, outcomes to tasks.
 */
import { assign, emit, setup } from 'xstate';
import { maxIterations } from './options.ts';

export interface NodeContext {
  readonly nodeId: string;
  readonly isFull: boolean;
  /** The node says that it is busy: its event loop lags, or it takes no work of its own accord. */
  readonly isLagging: boolean;
  readonly isDraining: boolean;
  /** `open`: it rests. `halfOpen`: it has rested, and one attempt will show. */
  readonly breaker: 'closed' | 'open' | 'halfOpen';
}

export type NodeEvent =
  | { type: 'slots.filled' }
  | { type: 'slots.freed' }
  | { type: 'heartbeat.received'; isLagging: boolean }
  | { type: 'silence.suspected' }
  | { type: 'silence.broken' }
  | { type: 'silence.passed' }
  | { type: 'session.detached' }
  | { type: 'session.attached' }
  | { type: 'session.closed' }
  | { type: 'node.drain' }
  | { type: 'node.resume' }
  | { type: 'absence.passed' }
  | { type: 'breaker.opened' }
  | { type: 'breaker.closed' }
  | { type: 'rest.passed' };

/** `node.available`: it may take work again. `node.withheld`: no new work. `node.lost`: its attempts are lost. `node.rest`: tell it when it has rested. */
export type NodeCommand =
  | { type: 'node.available'; nodeId: string }
  | { type: 'node.withheld'; nodeId: string }
  | { type: 'node.lost'; nodeId: string }
  | { type: 'node.rest'; nodeId: string }
  | { type: 'node.removed'; nodeId: string };

export const nodeMachine = setup({
  types: {
    input: {} as { nodeId: string },
    context: {} as NodeContext,
    events: {} as NodeEvent,
    emitted: {} as NodeCommand,
    tags: {} as 'available' | 'present',
  },
  guards: {
    isLagging: (_, claim: { isLagging: boolean }) => claim.isLagging,
    isDraining: ({ context }) => context.isDraining,
    isOpen: ({ context }) => context.breaker === 'open',
    isHalfOpen: ({ context }) => context.breaker === 'halfOpen',
    isOnTrialLater: ({ context }) => context.breaker === 'halfOpen' && context.isLagging,
    isTakenUp: ({ context }) => context.isFull || context.isLagging,
    isOtherwiseLagging: ({ context }) => context.isLagging,
    isOtherwiseFull: ({ context }) => context.isFull,
  },
  actions: {
    markFull: assign({ isFull: true }),
    markFree: assign({ isFull: false }),
    markLag: assign((_, claim: { isLagging: boolean }) => ({ isLagging: claim.isLagging })),
    markDraining: assign({ isDraining: true }),
    markResumed: assign({ isDraining: false, breaker: 'closed' }),
    markOpen: assign({ breaker: 'open' }),
    markHalfOpen: assign({ breaker: 'halfOpen' }),
    markClosed: assign({ breaker: 'closed' }),
    rest: emit(({ context }) => ({ type: 'node.rest', nodeId: context.nodeId }) satisfies NodeCommand),
    startAfresh: assign({ isFull: false, isLagging: false, isDraining: false }),
    offer: emit(({ context }) => ({ type: 'node.available', nodeId: context.nodeId }) satisfies NodeCommand),
    withhold: emit(({ context }) => ({ type: 'node.withheld', nodeId: context.nodeId }) satisfies NodeCommand),
    declareLost: emit(({ context }) => ({ type: 'node.lost', nodeId: context.nodeId }) satisfies NodeCommand),
    declareRemoved: emit(({ context }) => ({ type: 'node.removed', nodeId: context.nodeId }) satisfies NodeCommand),
  },
}).createMachine({
  id: 'node',
  context: ({ input }) => ({
    nodeId: input.nodeId,
    isFull: false,
    isLagging: false,
    isDraining: false,
    breaker: 'closed',
  }),
  initial: 'online',
  options: { maxIterations },
  states: {
    online: {
      description: 'Present, with a free slot.',
      tags: ['available', 'present'],
      entry: 'offer',
      on: {
        'slots.filled': { target: 'busy', actions: 'markFull' },
        'heartbeat.received': {
          guard: { type: 'isLagging', params: ({ event }) => event },
          target: 'busy',
          actions: [{ type: 'markLag', params: ({ event }) => event }, 'withhold'],
        },
        'silence.suspected': 'unhealthy',
        'session.detached': 'unhealthy',
        'session.closed': 'offline',
        'node.drain': { target: 'draining', actions: 'markDraining' },
        'breaker.opened': { target: 'tripped', actions: 'markOpen' },
      },
    },
    busy: {
      description: 'Present; full, or too busy to take more.',
      tags: 'present',
      on: {
        'slots.filled': { actions: 'markFull' },
        'slots.freed': [
          { guard: 'isOtherwiseLagging', actions: 'markFree' },
          { target: 'online', actions: 'markFree' },
        ],
        'heartbeat.received': [
          {
            guard: { type: 'isLagging', params: ({ event }) => event },
            actions: [{ type: 'markLag', params: ({ event }) => event }, 'withhold'],
          },
          { guard: 'isOtherwiseFull', actions: { type: 'markLag', params: ({ event }) => event } },
          { target: 'online', actions: { type: 'markLag', params: ({ event }) => event } },
        ],
        'silence.suspected': 'unhealthy',
        'session.detached': 'unhealthy',
        'session.closed': 'offline',
        'node.drain': { target: 'draining', actions: 'markDraining' },
        'breaker.opened': { target: 'tripped', actions: 'markOpen' },
      },
    },
    unhealthy: {
      description: 'Silent, or its link is gone: no new work, and its attempts are still its own.',
      entry: 'withhold',
      on: {
        'slots.filled': { actions: 'markFull' },
        'slots.freed': { actions: 'markFree' },
        'heartbeat.received': { actions: { type: 'markLag', params: ({ event }) => event } },
        'silence.broken': 'returning',
        'session.attached': 'returning',
        'silence.passed': 'offline',
        'session.closed': 'offline',
        'node.drain': { actions: 'markDraining' },
        'node.resume': { actions: 'markResumed' },
        'breaker.opened': { actions: 'markOpen' },
      },
    },
    returning: {
      description: 'Heard of again; left at once.',
      always: [
        { guard: 'isDraining', target: 'draining' },
        { guard: 'isOpen', target: 'tripped' },
        { guard: 'isOnTrialLater', target: 'probing' },
        { guard: 'isHalfOpen', target: 'probing', actions: 'offer' },
        { guard: 'isTakenUp', target: 'busy' },
        { target: 'online' },
      ],
    },
    tripped: {
      description: 'Present; after too many faults in a row it gets no new work for a while.',
      tags: 'present',
      entry: ['withhold', 'rest'],
      on: {
        'slots.filled': { actions: 'markFull' },
        'slots.freed': { actions: 'markFree' },
        'heartbeat.received': { actions: { type: 'markLag', params: ({ event }) => event } },
        'rest.passed': { target: 'returning', actions: 'markHalfOpen' },
        'silence.suspected': 'unhealthy',
        'session.detached': 'unhealthy',
        'session.closed': 'offline',
        'node.drain': { target: 'draining', actions: 'markDraining' },
        'node.resume': { target: 'returning', actions: 'markResumed' },
      },
    },
    probing: {
      description: 'Has rested; gets one attempt, which decides.',
      tags: ['available', 'present'],
      on: {
        'slots.filled': { actions: 'markFull' },
        'slots.freed': { actions: 'markFree' },
        'heartbeat.received': [
          {
            guard: { type: 'isLagging', params: ({ event }) => event },
            actions: [{ type: 'markLag', params: ({ event }) => event }, 'withhold'],
          },
          { actions: [{ type: 'markLag', params: ({ event }) => event }, 'offer'] },
        ],
        'breaker.opened': { target: 'tripped', actions: 'markOpen' },
        'breaker.closed': { target: 'returning', actions: 'markClosed' },
        'silence.suspected': 'unhealthy',
        'session.detached': 'unhealthy',
        'session.closed': 'offline',
        'node.drain': { target: 'draining', actions: 'markDraining' },
        'node.resume': { target: 'returning', actions: 'markResumed' },
      },
    },
    draining: {
      description: 'Finishes what it has and takes nothing new.',
      tags: 'present',
      entry: 'withhold',
      on: {
        'slots.filled': { actions: 'markFull' },
        'slots.freed': { actions: 'markFree' },
        'heartbeat.received': { actions: { type: 'markLag', params: ({ event }) => event } },
        'node.resume': { target: 'returning', actions: 'markResumed' },
        'breaker.opened': { actions: 'markOpen' },
        'silence.suspected': 'unhealthy',
        'session.detached': 'unhealthy',
        'session.closed': 'offline',
      },
    },
    offline: {
      description: 'Gone; what it was running is placed elsewhere. Only its breaker is remembered.',
      entry: ['withhold', 'declareLost'],
      on: {
        'session.attached': { target: 'returning', actions: 'startAfresh' },
        'breaker.opened': { actions: 'markOpen' },
        'absence.passed': 'removed',
      },
    },
    removed: { type: 'final', description: 'Forgotten.', entry: 'declareRemoved' },
  },
});

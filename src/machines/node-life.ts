/** A node’s own life: joining → online ⇄ busy → draining → stopped. */
import { assign, emit, setup } from 'xstate';
import { maxIterations } from './options.ts';

export interface NodeLifeContext {
  readonly isFull: boolean;
}

export type NodeLifeEvent =
  | { type: 'link.connected' }
  | { type: 'link.lost' }
  | { type: 'link.refused' }
  | { type: 'slots.filled' }
  | { type: 'slots.freed' }
  | { type: 'node.drain' }
  | { type: 'node.stop' }
  | { type: 'attempts.ended' }
  | { type: 'deadline.passed' };

export type NodeLifeCommand =
  | { type: 'node.announce'; status: 'healthy' | 'busy' | 'offline' }
  | { type: 'drain.start' }
  | { type: 'attempts.hand-back' }
  | { type: 'node.leave' };

export const nodeLifeMachine = setup({
  types: { context: {} as NodeLifeContext, events: {} as NodeLifeEvent, emitted: {} as NodeLifeCommand },
  guards: { isFull: ({ context }) => context.isFull },
  actions: {
    markFull: assign({ isFull: true }),
    markFree: assign({ isFull: false }),
    announce: emit(
      (_, status: 'healthy' | 'busy' | 'offline') => ({ type: 'node.announce', status }) satisfies NodeLifeCommand,
    ),
    startDrain: emit({ type: 'drain.start' } satisfies NodeLifeCommand),
    handBack: emit({ type: 'attempts.hand-back' } satisfies NodeLifeCommand),
    leave: emit({ type: 'node.leave' } satisfies NodeLifeCommand),
  },
}).createMachine({
  id: 'node-life',
  context: { isFull: false },
  initial: 'joining',
  options: { maxIterations },
  on: { 'node.stop': '.stopped', 'link.refused': '.stopped' },
  states: {
    joining: {
      description: 'On its way to a gateway. What is running goes on.',
      on: {
        'link.connected': 'joined',
        'slots.filled': { actions: 'markFull' },
        'slots.freed': { actions: 'markFree' },
        'node.drain': 'draining',
      },
    },
    joined: {
      description: 'Welcome; left at once.',
      always: [{ guard: 'isFull', target: 'busy' }, { target: 'online' }],
    },
    online: {
      entry: { type: 'announce', params: 'healthy' },
      on: {
        'slots.filled': { target: 'busy', actions: 'markFull' },
        'link.lost': 'joining',
        'node.drain': 'draining',
      },
    },
    busy: {
      description: 'Every slot is taken.',
      entry: { type: 'announce', params: 'busy' },
      on: {
        'slots.freed': { target: 'online', actions: 'markFree' },
        'link.lost': 'joining',
        'node.drain': 'draining',
      },
    },
    draining: {
      description: 'Takes nothing new; finishes what it has, or hands it back at the deadline.',
      entry: [{ type: 'announce', params: 'offline' }, 'startDrain'],
      on: {
        'link.connected': { actions: { type: 'announce', params: 'offline' } },
        'attempts.ended': 'stopped',
        'deadline.passed': { target: 'stopped', actions: 'handBack' },
      },
    },
    stopped: { type: 'final', entry: 'leave' },
  },
});

/**
 * One instance of a channel: standby until it holds the channel’s lease, then opening → open; degraded (backoff) while the
 * platform fails it. Without the lease the platform is closed, whatever else is going on.
 */
import { assign, emit, setup } from 'xstate';
import { maxIterations } from './options.ts';

/** Failures beyond this many no longer lengthen the backoff. */
const failuresMax = 16;

export interface ChannelContext {
  /** Failures since the platform was last open, at most `failuresMax`. */
  readonly failures: number;
}

export type ChannelEvent =
  | { type: 'lease.held' }
  | { type: 'lease.lost' }
  | { type: 'platform.opened' }
  | { type: 'platform.failed' }
  /** It will never open: a wrong token, say. */
  | { type: 'platform.refused' }
  | { type: 'deadline.passed' }
  | { type: 'channel.drain' }
  | { type: 'work.ended' }
  | { type: 'channel.stop' };

export type ChannelCommand =
  | { type: 'platform.open' }
  | { type: 'platform.close' }
  | { type: 'backoff.start'; failures: number }
  | { type: 'drain.start' }
  | { type: 'channel.leave' };

export const channelMachine = setup({
  types: { context: {} as ChannelContext, events: {} as ChannelEvent, emitted: {} as ChannelCommand },
  actions: {
    openPlatform: emit({ type: 'platform.open' } satisfies ChannelCommand),
    closePlatform: emit({ type: 'platform.close' } satisfies ChannelCommand),
    startDrain: emit({ type: 'drain.start' } satisfies ChannelCommand),
    leave: emit({ type: 'channel.leave' } satisfies ChannelCommand),
    startBackoff: emit(
      ({ context }) => ({ type: 'backoff.start', failures: context.failures }) satisfies ChannelCommand,
    ),
    countFailure: assign({ failures: ({ context }) => Math.min(context.failures + 1, failuresMax) }),
    forgetFailures: assign({ failures: 0 }),
  },
}).createMachine({
  id: 'channel',
  context: { failures: 0 },
  initial: 'standby',
  options: { maxIterations },
  on: { 'channel.stop': '.stopped', 'platform.refused': '.stopped' },
  states: {
    standby: {
      description: 'Another instance holds the lease, or the gateway is away.',
      on: { 'lease.held': 'opening', 'channel.drain': 'stopped' },
    },
    opening: {
      entry: 'openPlatform',
      on: {
        'platform.opened': 'open',
        'platform.failed': 'degraded',
        'lease.lost': { target: 'standby', actions: 'closePlatform' },
        'channel.drain': 'stopped',
      },
    },
    open: {
      description: 'Takes what comes in, delivers what goes out.',
      entry: 'forgetFailures',
      on: {
        'platform.failed': 'degraded',
        'lease.lost': { target: 'standby', actions: 'closePlatform' },
        'channel.drain': 'draining',
      },
    },
    degraded: {
      description: 'The platform fails it: closed, and opened anew after a jittered backoff.',
      entry: ['countFailure', 'closePlatform', 'startBackoff'],
      on: { 'deadline.passed': 'opening', 'lease.lost': 'standby', 'channel.drain': 'stopped' },
    },
    draining: {
      description: 'Takes nothing new; replies under way go out, within drainMs.',
      entry: 'startDrain',
      on: {
        'work.ended': 'stopped',
        'deadline.passed': 'stopped',
        'platform.failed': 'stopped',
        'lease.lost': 'stopped',
      },
    },
    stopped: {
      description: 'Closed, its lease freed. What was not delivered waits in the store for the next holder.',
      type: 'final',
      entry: ['closePlatform', 'leave'],
    },
  },
});

/**
 * A node’s or client’s way to its gateway: connecting → handshaking → connected, and back through waiting (backoff)
 * whenever it is lost; refused when trying again is pointless. A welcome alone does not end the backoff, the link must hold:
 * one that is closed right after each welcome would be dialled as fast as it is closed, for ever.
 */
import { assign, emit, setup } from 'xstate';
import { maxIterations } from './options.ts';

/** Tries beyond this many no longer lengthen the backoff. */
const triesMax = 16;

export interface LinkContext {
  /** Tries since a link has held, at most `triesMax`. */
  readonly tries: number;
}

export type LinkEvent =
  | { type: 'dial.succeeded' }
  | { type: 'dial.failed'; isFinal: boolean }
  | { type: 'welcome.received' }
  | { type: 'reject.received'; isFinal: boolean }
  | { type: 'link.closed'; isFinal: boolean }
  | { type: 'silence.passed' }
  | { type: 'deadline.passed' }
  | { type: 'link.stop' };

export type LinkCommand =
  | { type: 'link.dial' }
  | { type: 'peer.register' }
  | { type: 'link.hang-up' }
  | { type: 'backoff.start'; tries: number }
  | { type: 'link.up' }
  | { type: 'link.down' };

export const linkMachine = setup({
  types: { context: {} as LinkContext, events: {} as LinkEvent, emitted: {} as LinkCommand },
  guards: { isFinal: (_, end: { isFinal: boolean }) => end.isFinal },
  actions: {
    dial: emit({ type: 'link.dial' } satisfies LinkCommand),
    register: emit({ type: 'peer.register' } satisfies LinkCommand),
    hangUp: emit({ type: 'link.hang-up' } satisfies LinkCommand),
    declareUp: emit({ type: 'link.up' } satisfies LinkCommand),
    declareDown: emit({ type: 'link.down' } satisfies LinkCommand),
    startBackoff: emit(({ context }) => ({ type: 'backoff.start', tries: context.tries }) satisfies LinkCommand),
    countTry: assign({ tries: ({ context }) => Math.min(context.tries + 1, triesMax) }),
    forgetTries: assign({ tries: 0 }),
  },
}).createMachine({
  id: 'link',
  context: { tries: 0 },
  initial: 'connecting',
  options: { maxIterations },
  on: { 'link.stop': '.closed' },
  states: {
    connecting: {
      entry: 'dial',
      on: {
        'dial.succeeded': 'handshaking',
        'dial.failed': [
          { guard: { type: 'isFinal', params: ({ event }) => event }, target: 'refused' },
          { target: 'waiting' },
        ],
      },
    },
    handshaking: {
      description: 'Registered; waits for the welcome.',
      entry: 'register',
      on: {
        'welcome.received': 'connected',
        'reject.received': [
          { guard: { type: 'isFinal', params: ({ event }) => event }, target: 'refused' },
          { target: 'waiting' },
        ],
        'link.closed': [
          { guard: { type: 'isFinal', params: ({ event }) => event }, target: 'refused' },
          { target: 'waiting' },
        ],
        'deadline.passed': 'waiting',
      },
    },
    connected: {
      description: 'Welcome; its tries are forgotten once it has held.',
      entry: 'declareUp',
      exit: 'declareDown',
      on: {
        'deadline.passed': { actions: 'forgetTries' },
        'link.closed': [
          { guard: { type: 'isFinal', params: ({ event }) => event }, target: 'refused' },
          { target: 'waiting' },
        ],
        'silence.passed': 'waiting',
      },
    },
    waiting: {
      description: 'Dials again after a jittered backoff.',
      entry: ['hangUp', 'countTry', 'startBackoff'],
      on: { 'deadline.passed': 'connecting' },
    },
    closed: { type: 'final', description: 'Stopped from this side.', entry: 'hangUp' },
    refused: {
      type: 'final',
      description: 'The gateway will not have it; trying again is pointless.',
      entry: 'hangUp',
    },
  },
});

/**
 * A peer’s presence on its gateway, across links: handshaking → attached ⇄ detached → closed. A session outlives its
 * link for the resume window; a link that resumes an older session ends its own.
 */
import { emit, setup } from 'xstate';
import type { FailureCode } from '../protocol/failure.ts';
import { maxIterations } from './options.ts';

export type SessionEvent =
  | { type: 'register.accepted' }
  | { type: 'register.refused'; code: FailureCode }
  | { type: 'register.merged' }
  | { type: 'handshake.expired' }
  | { type: 'link.closed' }
  | { type: 'link.resumed' }
  | { type: 'resume.expired' }
  | { type: 'protocol.violated'; code: FailureCode }
  | { type: 'session.superseded' }
  | { type: 'session.evict' }
  | { type: 'session.stop' }
  | { type: 'peer.left' };

export type SessionCommand =
  | { type: 'peer.refuse'; code: FailureCode }
  | { type: 'session.opened' }
  | { type: 'session.detached' }
  | { type: 'session.resumed' }
  | { type: 'session.closed'; code: FailureCode | null };

export const sessionMachine = setup({
  types: { context: {} as object, events: {} as SessionEvent, emitted: {} as SessionCommand, tags: {} as 'open' },
  actions: {
    refuse: emit((_, code: FailureCode) => ({ type: 'peer.refuse', code }) satisfies SessionCommand),
    declareOpened: emit({ type: 'session.opened' } satisfies SessionCommand),
    declareDetached: emit({ type: 'session.detached' } satisfies SessionCommand),
    declareResumed: emit({ type: 'session.resumed' } satisfies SessionCommand),
    declareClosed: emit((_, code: FailureCode | null) => ({ type: 'session.closed', code }) satisfies SessionCommand),
  },
}).createMachine({
  id: 'session',
  context: {},
  initial: 'handshaking',
  options: { maxIterations },
  states: {
    handshaking: {
      description: 'The link is open; no valid register yet.',
      on: {
        'register.accepted': { target: 'attached', actions: 'declareOpened' },
        'register.merged': 'closed',
        'register.refused': { target: 'closed', actions: { type: 'refuse', params: ({ event }) => event.code } },
        'protocol.violated': { target: 'closed', actions: { type: 'refuse', params: ({ event }) => event.code } },
        'handshake.expired': { target: 'closed', actions: { type: 'refuse', params: 'HANDSHAKE_TIMEOUT' } },
        'session.stop': { target: 'closed', actions: { type: 'refuse', params: 'GATEWAY_DRAINING' } },
        'link.closed': 'closed',
      },
    },
    attached: {
      tags: 'open',
      on: {
        'link.closed': { target: 'detached', actions: 'declareDetached' },
        'link.resumed': { actions: 'declareResumed' },
        'protocol.violated': {
          target: 'closed',
          actions: [
            { type: 'refuse', params: ({ event }) => event.code },
            { type: 'declareClosed', params: ({ event }) => event.code },
          ],
        },
        'session.superseded': {
          target: 'closed',
          actions: [
            { type: 'refuse', params: 'SUPERSEDED' },
            { type: 'declareClosed', params: 'SUPERSEDED' },
          ],
        },
        'session.evict': {
          target: 'closed',
          actions: [
            { type: 'refuse', params: 'EVICTED' },
            { type: 'declareClosed', params: 'EVICTED' },
          ],
        },
        'session.stop': {
          target: 'closed',
          actions: [
            { type: 'refuse', params: 'GATEWAY_DRAINING' },
            { type: 'declareClosed', params: 'GATEWAY_DRAINING' },
          ],
        },
        'peer.left': { target: 'closed', actions: { type: 'declareClosed', params: null } },
      },
    },
    detached: {
      description: 'No link; it may resume within the window.',
      tags: 'open',
      on: {
        'link.resumed': { target: 'attached', actions: 'declareResumed' },
        'resume.expired': { target: 'closed', actions: { type: 'declareClosed', params: 'LINK_CLOSED' } },
        'session.superseded': { target: 'closed', actions: { type: 'declareClosed', params: 'SUPERSEDED' } },
        'session.evict': { target: 'closed', actions: { type: 'declareClosed', params: 'EVICTED' } },
        'session.stop': { target: 'closed', actions: { type: 'declareClosed', params: 'GATEWAY_DRAINING' } },
        'peer.left': { target: 'closed', actions: { type: 'declareClosed', params: null } },
      },
    },
    closed: { type: 'final' },
  },
});

import { describe, expect, it } from 'vitest';
import { type SessionCommand, type SessionEvent, sessionMachine } from '../../src/machines/session.ts';
import { play, playAll } from '../support/chart.ts';

const refused: SessionEvent = { type: 'register.refused', code: 'UNAUTHENTICATED' };
const violated: SessionEvent = { type: 'protocol.violated', code: 'FRAME_INVALID' };
const event = (type: Exclude<SessionEvent['type'], 'register.refused' | 'protocol.violated'>): SessionEvent => ({
  type,
});
const [accepted, merged, late] = [event('register.accepted'), event('register.merged'), event('handshake.expired')];
const [linkClosed, linkResumed, expired] = [event('link.closed'), event('link.resumed'), event('resume.expired')];
const [superseded, stop, left] = [event('session.superseded'), event('session.stop'), event('peer.left')];

type Code = Extract<SessionCommand, { type: 'peer.refuse' }>['code'];
const refuse = (code: Code): SessionCommand => ({ type: 'peer.refuse', code });
const closed = (code: Code | null): SessionCommand => ({ type: 'session.closed', code });
const [opened, detached, resumed] = (['session.opened', 'session.detached', 'session.resumed'] as const).map(
  (type): SessionCommand => ({ type }),
) as [SessionCommand, SessionCommand, SessionCommand];

type Row = readonly [
  title: string,
  events: readonly SessionEvent[],
  value: string,
  commands: readonly SessionCommand[],
];

function table(rows: readonly Row[]): void {
  it.each(rows)('%s', (_title, events, value, commands) => {
    const end = play(sessionMachine, undefined, events);
    expect(end.value).toBe(value);
    expect(end.commands).toEqual(commands);
  });
}

describe('a session that is not open yet', () => {
  table([
    ['opens with a register that is accepted', [accepted], 'attached', [opened]],
    ['refuses a peer, and says why', [refused], 'closed', [refuse('UNAUTHENTICATED')]],
    ['refuses whoever speaks out of turn', [violated], 'closed', [refuse('FRAME_INVALID')]],
    ['does not wait for ever', [late], 'closed', [refuse('HANDSHAKE_TIMEOUT')]],
    ['opens no more once the gateway stops', [stop], 'closed', [refuse('GATEWAY_DRAINING')]],
    ['ends with its link, and nobody needs to know', [linkClosed], 'closed', []],
    ['hands its link to the session that it resumes', [merged], 'closed', []],
  ]);
});

describe('an open session', () => {
  table([
    ['survives its link for a while', [accepted, linkClosed], 'detached', [detached]],
    ['is resumed by a new link', [accepted, linkClosed, linkResumed], 'attached', [resumed]],
    ['is resumed by a new link before the old one is known to be gone', [accepted, linkResumed], 'attached', [resumed]],
    ['ends when nobody resumes it', [accepted, linkClosed, expired], 'closed', [closed('LINK_CLOSED')]],
    [
      'ends when it is broken, and says so to both sides',
      [accepted, violated],
      'closed',
      [refuse('FRAME_INVALID'), closed('FRAME_INVALID')],
    ],
    [
      'ends when another process takes its name (#15)',
      [accepted, superseded],
      'closed',
      [refuse('SUPERSEDED'), closed('SUPERSEDED')],
    ],
    [
      'has nobody to refuse when that happens without a link',
      [accepted, linkClosed, superseded],
      'closed',
      [closed('SUPERSEDED')],
    ],
    ['cannot be resumed after that', [accepted, linkClosed, superseded, linkResumed], 'closed', []],
    [
      'can be taken over after it was resumed',
      [accepted, linkClosed, linkResumed, superseded],
      'closed',
      [refuse('SUPERSEDED'), closed('SUPERSEDED')],
    ],
    ['ends in peace when the peer leaves', [accepted, left], 'closed', [closed(null)]],
    [
      'ends in peace when the peer leaves and the link was faster',
      [accepted, linkClosed, left],
      'closed',
      [closed(null)],
    ],
    ['ends with its gateway', [accepted, stop], 'closed', [refuse('GATEWAY_DRAINING'), closed('GATEWAY_DRAINING')]],
    [
      'ends with its gateway, also without a link',
      [accepted, linkClosed, stop],
      'closed',
      [closed('GATEWAY_DRAINING')],
    ],
    [
      'is resumed in time, although the window was about to close',
      [accepted, linkClosed, linkResumed, expired],
      'attached',
      [],
    ],
  ]);

  it('is closed once, whatever follows', () => {
    const turns = playAll(sessionMachine, undefined, [accepted, violated, linkClosed, superseded, stop, left]);
    expect(turns.flatMap(({ commands }) => commands).filter(({ type }) => type === 'session.closed')).toHaveLength(1);
  });
});

import { describe, expect, it } from 'vitest';
import { type LinkCommand, type LinkEvent, linkMachine } from '../../src/machines/link.ts';
import { play, playAll } from '../support/chart.ts';

const [failed, finallyFailed] = [false, true].map((isFinal): LinkEvent => ({ type: 'dial.failed', isFinal })) as [
  LinkEvent,
  LinkEvent,
];
const [rejected, finallyRejected] = [false, true].map(
  (isFinal): LinkEvent => ({ type: 'reject.received', isFinal }),
) as [LinkEvent, LinkEvent];
const [closed, finallyClosed] = [false, true].map((isFinal): LinkEvent => ({ type: 'link.closed', isFinal })) as [
  LinkEvent,
  LinkEvent,
];
const event = (type: Exclude<LinkEvent['type'], 'dial.failed' | 'reject.received' | 'link.closed'>): LinkEvent => ({
  type,
});
const [dialled, welcome, silent] = [event('dial.succeeded'), event('welcome.received'), event('silence.passed')];
const [deadline, stop] = [event('deadline.passed'), event('link.stop')];

const command = (type: Exclude<LinkCommand['type'], 'backoff.start'>): LinkCommand => ({ type });
const [dial, register, hangUp] = [command('link.dial'), command('peer.register'), command('link.hang-up')];
const [up, down] = [command('link.up'), command('link.down')];
const waits = (tries: number): LinkCommand[] => [hangUp, { type: 'backoff.start', tries }];

type Row = readonly [title: string, events: readonly LinkEvent[], value: string, commands: readonly LinkCommand[]];

function table(rows: readonly Row[]): void {
  it.each(rows)('%s', (_title, events, value, commands) => {
    const end = play(linkMachine, undefined, events);
    expect(end.value).toBe(value);
    expect(end.commands).toEqual(commands);
  });
}

describe('a link', () => {
  table([
    ['dials', [], 'connecting', [dial]],
    ['registers when somebody answers', [dialled], 'handshaking', [register]],
    ['is up when it is welcome, not before', [dialled, welcome], 'connected', [up]],
    ['waits when nobody answers', [failed], 'waiting', waits(1)],
    ['dials again after that', [failed, deadline], 'connecting', [dial]],
    ['gives up when dialling is pointless', [finallyFailed], 'refused', [hangUp]],
    ['waits when it is refused for now', [dialled, rejected], 'waiting', waits(1)],
    ['gives up when it is refused for good', [dialled, finallyRejected], 'refused', [hangUp]],
    ['waits when the welcome does not come', [dialled, deadline], 'waiting', waits(1)],
    ['waits when it is closed during the handshake', [dialled, closed], 'waiting', waits(1)],
    ['gives up when it is closed for good during the handshake', [dialled, finallyClosed], 'refused', [hangUp]],
    ['stays up, and does nothing, when it has held', [dialled, welcome, deadline], 'connected', []],
    ['goes down when it is closed', [dialled, welcome, closed], 'waiting', [down, ...waits(1)]],
    ['goes down when its peer is silent', [dialled, welcome, silent], 'waiting', [down, ...waits(1)]],
    [
      'goes down for good when another process has its name',
      [dialled, welcome, finallyClosed],
      'refused',
      [down, hangUp],
    ],
    ['is hung up when it is stopped', [dialled, welcome, stop], 'closed', [down, hangUp]],
    ['stops while it waits', [failed, stop], 'closed', [hangUp]],
    ['stops while it dials', [stop], 'closed', [hangUp]],
    ['takes no notice of a welcome that is late', [dialled, deadline, welcome], 'waiting', []],
  ]);

  it('waits longer with each try, up to a limit', () => {
    const turns = playAll(linkMachine, undefined, Array.from({ length: 20 }, () => [failed, deadline]).flat());
    const tries = turns.flatMap(({ commands }) =>
      commands.flatMap((done) => (done.type === 'backoff.start' ? [done.tries] : [])),
    );
    expect(tries).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 16, 16, 16]);
  });

  it('counts a handshake that fails as a try', () => {
    expect(play(linkMachine, undefined, [failed, deadline, dialled, rejected]).commands).toEqual(waits(2));
  });

  it('counts a welcome that does not hold as a try, so that one link after another is not dialled for ever', () => {
    const brief = [deadline, dialled, welcome, closed];
    expect(play(linkMachine, undefined, [failed, ...brief]).commands).toEqual([down, ...waits(2)]);
    expect(play(linkMachine, undefined, [failed, ...brief, ...brief]).commands).toEqual([down, ...waits(3)]);
  });

  it('forgets its tries once it has held', () => {
    const end = play(linkMachine, undefined, [failed, deadline, failed, deadline, dialled, welcome, deadline, closed]);
    expect(end.commands).toEqual([down, ...waits(1)]);
  });
});

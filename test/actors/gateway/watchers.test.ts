import { describe, expect, it } from 'vitest';
import type { Session } from '../../../src/actors/gateway/session.ts';
import { Watchers } from '../../../src/actors/gateway/watchers.ts';

const sessions = ['a', 'b', 'c'].map((peerId) => ({ peerId }) as Session);
const [a, b, c] = sessions as [Session, Session, Session];
const withRoomFor = (watchMax: number): Watchers => new Watchers({ watchMax, sweepMs: 1_000 });

describe('watchers', () => {
  it('are told in the order in which they came, each once', () => {
    const watchers = withRoomFor(9);
    for (const session of [b, a, b, c, a]) watchers.add('t', session);
    expect(watchers.of('t')).toEqual([b, a, c]);
    expect([watchers.take('t'), watchers.take('t'), watchers.has('t')]).toEqual([[b, a, c], [], false]);
  });

  it('are forgotten with their session, and leave the others of their tasks', () => {
    const watchers = withRoomFor(9);
    for (const taskId of ['t1', 't2', 't3']) for (const session of sessions) watchers.add(taskId, session);
    watchers.add('own', b);
    watchers.take('t2');
    watchers.drop(b);
    expect([...watchers.all()]).toEqual(['t1', 't3']);
    watchers.drop(a);
    watchers.drop(c);
    expect([...watchers.all()]).toEqual([]);
    watchers.add('t1', b);
    expect(watchers.of('t1')).toEqual([b]);
  });

  it('have room again for each task that has ended', () => {
    const watchers = withRoomFor(2);
    watchers.add('t1', a);
    watchers.add('t2', a);
    expect(() => watchers.add('t3', a)).toThrow('watches 2 tasks already');
    expect(() => watchers.add('t2', a)).not.toThrow();
    watchers.take('t1');
    watchers.add('t3', a);
    expect(() => watchers.expectRoom(b, 2)).toThrow('watchMax');
  });
});

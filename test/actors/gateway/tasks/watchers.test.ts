import { describe, expect, it } from 'vitest';
import type { Session } from '../../../../src/actors/gateway/sessions/session.ts';
import { Watchers } from '../../../../src/actors/gateway/tasks/watchers.ts';
import { heldOf } from '../../../support/garbage.ts';

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
    expect(watchers.of('t1')).toEqual([a, c]);
    watchers.drop(c);
    expect(watchers.of('t1')).toEqual([a]);
    watchers.drop(a);
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
    watchers.drop(a);
    expect(() => watchers.addAll(['t4', 't5'], a)).not.toThrow();
  });

  it('watch all of several tasks or none, and leave room for what their session is about to watch', () => {
    const watchers = withRoomFor(4);
    watchers.add('t1', a);
    expect(() => watchers.addAll(['t1', 't2', 't3', 't4'], a, 1)).toThrow('watches 4 tasks already');
    expect([...watchers.all()]).toEqual(['t1']);
    watchers.addAll(['t1', 't2', 't3'], a, 1);
    expect(() => watchers.addAll(['t1', 't2', 't3'], a, 1)).not.toThrow();
    expect([...watchers.all()]).toEqual(['t1', 't2', 't3']);
  });

  it('are let go of with the tasks that have ended, in whatever order, however long others of them stay', async () => {
    const watchers = withRoomFor(9);
    watchers.add('stays', a);
    const taskIds = ['t1', 't2', 't3', 't4', 't5'];
    const gone = taskIds.map((taskId) => {
      const other = { peerId: taskId } as Session;
      watchers.add(taskId, other);
      watchers.add(taskId, a);
      return new WeakRef(other);
    });
    const end = (taskId: string): void => {
      for (const session of watchers.take(taskId)) if (session !== a) watchers.drop(session);
    };
    for (const taskId of ['t3', 't5', 't4', 't1', 't2']) end(taskId);
    expect(await heldOf(gone)).toBe(0);
    expect(watchers.of('stays')).toEqual([a]);
  });
});

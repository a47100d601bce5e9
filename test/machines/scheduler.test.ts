import { describe, expect, it } from 'vitest';
import { type Leftover, type SchedulerEvent, schedulerMachine } from '../../src/machines/scheduler.ts';
import { play, playAll } from '../support/chart.ts';

const returned = (leftover: Leftover): SchedulerEvent => ({ type: 'claim.returned', leftover });
const event = (type: Exclude<SchedulerEvent['type'], 'claim.returned'>): SchedulerEvent => ({ type });
const [work, room, failed] = [event('work.arrived'), event('room.changed'), event('claim.failed')];
const [pause, resume] = [event('scheduler.pause'), event('scheduler.resume')];
const [drain, stop] = [event('scheduler.drain'), event('scheduler.stop')];
const claim = [{ type: 'work.claim' }];

type Row = readonly [title: string, events: readonly SchedulerEvent[], value: string, commands: readonly object[]];

function table(rows: readonly Row[]): void {
  it.each(rows)('%s', (_title, events, value, commands) => {
    const end = play(schedulerMachine, undefined, events);
    expect(end.value).toBe(value);
    expect(end.commands).toEqual(commands);
  });
}

describe('the scheduler', () => {
  table([
    ['asks for nothing while there is no work', [room], 'idle', []],
    ['asks at once when work arrives, not at the next tick (#46)', [work], 'dispatching', claim],
    ['rests when nothing is left', [work, returned('nothing')], 'idle', []],
    ['waits for room when all slots are taken', [work, returned('full')], 'saturated', []],
    ['asks again when there is room', [work, returned('full'), room], 'dispatching', claim],
    ['knows work that nobody can do from work that waits for a slot', [work, returned('unfit')], 'starved', []],
    ['asks again when a node comes that can do it', [work, returned('unfit'), room], 'dispatching', claim],
    ['asks again when other work arrives', [work, returned('unfit'), work], 'dispatching', claim],
    ['waits when the store does not answer', [work, failed], 'saturated', []],
  ]);

  it('never has two claims under way: what changes meanwhile is asked for afterwards, once (#47)', () => {
    const turns = playAll(schedulerMachine, undefined, [work, work, room, work, returned('full'), returned('full')]);
    expect(turns.map(({ commands }) => commands.length)).toEqual([0, 1, 0, 0, 0, 1, 0]);
    expect(turns.at(-1)?.value).toBe('saturated');
  });
});

describe('a paused scheduler', () => {
  table([
    ['asks for nothing', [pause, work], 'paused', []],
    ['asks for what came meanwhile when it resumes', [pause, resume], 'dispatching', claim],
    ['takes note of a claim that returns late', [work, pause, returned('full')], 'paused', []],
    ['asks anew when that claim had returned', [work, pause, returned('full'), resume], 'dispatching', claim],
    ['asks anew when that claim had failed', [work, pause, failed, resume], 'dispatching', claim],
    ['does not ask a second time while the first claim is under way (#47)', [work, pause, resume], 'resuming', []],
    ['asks once that claim has returned', [work, pause, resume, returned('nothing')], 'dispatching', claim],
    ['waits when that claim fails', [work, pause, resume, failed], 'saturated', []],
    ['can be paused again before that', [work, pause, resume, pause, resume], 'resuming', []],
    [
      'forgets that claim once it has returned',
      [work, pause, resume, returned('full'), returned('full'), pause, resume],
      'dispatching',
      claim,
    ],
    ['stays paused when told twice, and keeps count of the claim', [work, pause, pause, resume], 'resuming', []],
    ['can be drained', [pause, drain], 'draining', []],
  ]);
});

describe('a scheduler that drains', () => {
  table([
    ['asks for nothing more (#56)', [drain, work], 'draining', []],
    ['ignores the return of its last claim', [work, drain, returned('full')], 'draining', []],
    ['cannot be paused', [drain, pause], 'draining', []],
    ['cannot be resumed', [drain, resume], 'draining', []],
    ['stops', [drain, stop], 'stopped', []],
  ]);
});

import { describe, expect, it } from 'vitest';
import { type NodeCommand, type NodeEvent, nodeMachine } from '../../src/machines/node.ts';
import { play } from '../support/chart.ts';

const lagging: NodeEvent = { type: 'heartbeat.received', isLagging: true };
const fluent: NodeEvent = { type: 'heartbeat.received', isLagging: false };
const event = (type: Exclude<NodeEvent['type'], 'heartbeat.received'>): NodeEvent => ({ type });
const [filled, freed] = [event('slots.filled'), event('slots.freed')];
const [suspected, broken, silent] = [event('silence.suspected'), event('silence.broken'), event('silence.passed')];
const [detached, attached, closed] = [event('session.detached'), event('session.attached'), event('session.closed')];
const [drain, resume, absent] = [event('node.drain'), event('node.resume'), event('absence.passed')];

const [opened, proven, rested] = [event('breaker.opened'), event('breaker.closed'), event('rest.passed')];

const command = (type: NodeCommand['type']): NodeCommand => ({ type, nodeId: 'n1' });
const [available, withheld] = [command('node.available'), command('node.withheld')];
const [lost, removed, rest] = [command('node.lost'), command('node.removed'), command('node.rest')];

type Row = readonly [title: string, events: readonly NodeEvent[], value: string, commands: readonly NodeCommand[]];

function table(rows: readonly Row[]): void {
  it.each(rows)('%s', (_title, events, value, commands) => {
    const end = play(nodeMachine, { nodeId: 'n1' }, events);
    expect(end.value).toBe(value);
    expect(end.commands).toEqual(commands);
  });
}

describe('a node', () => {
  table([
    ['may be given work as soon as it is there', [], 'online', [available]],
    ['is busy when its last slot is taken', [filled], 'busy', []],
    ['may be given work again when a slot is free', [filled, freed], 'online', [available]],
    ['gets no work while it lags, although it has slots (#11)', [lagging], 'busy', [withheld]],
    ['gets work again when it has caught up', [lagging, fluent], 'online', [available]],
    ['stays busy when it has caught up but is full', [filled, lagging, fluent], 'busy', []],
    ['stays busy when it has a slot but lags', [filled, lagging, freed], 'busy', []],
    ['is withheld when it begins to lag while it is full', [filled, lagging], 'busy', [withheld]],
    ['takes no harm from a heartbeat that says nothing new', [fluent], 'online', []],
  ]);
});

describe('a node that falls silent', () => {
  table([
    ['gets no new work before it counts as lost (#11, #17)', [suspected], 'unhealthy', [withheld]],
    ['is back with its next sign of life', [suspected, broken], 'online', [available]],
    ['is back as busy as it was', [filled, suspected, broken], 'busy', []],
    ['is back with the slots it has now', [filled, suspected, freed, broken], 'online', [available]],
    ['is back busy when it was filled meanwhile', [suspected, filled, broken], 'busy', []],
    ['is back with the lag of its latest heartbeat', [lagging, suspected, fluent, broken], 'online', [available]],
    [
      'loses its attempts after too long, and somebody is told (#13, #14)',
      [suspected, silent],
      'offline',
      [withheld, lost],
    ],
    ['is forgotten after a longer while', [suspected, silent, absent], 'removed', [removed]],
  ]);
});

describe('a node whose link is gone', () => {
  table([
    ['keeps its attempts while its session may resume (#17)', [detached], 'unhealthy', [withheld]],
    ['is back when it resumes', [detached, attached], 'online', [available]],
    ['loses its attempts when the session is over', [detached, closed], 'offline', [withheld, lost]],
    ['loses them when it leaves without a word', [closed], 'offline', [withheld, lost]],
    ['loses them while it drains, too', [drain, closed], 'offline', [withheld, lost]],
    ['loses them once', [closed, closed], 'offline', []],
    [
      'starts afresh when it registers again before it is forgotten',
      [filled, lagging, drain, closed, attached],
      'online',
      [available],
    ],
  ]);
});

describe('a node that drains', () => {
  table([
    ['gets no new work', [drain], 'draining', [withheld]],
    ['gets none when a slot is freed', [filled, drain, freed], 'draining', []],
    ['gets none when it catches up', [lagging, drain, fluent], 'draining', []],
    ['goes on draining after a silence', [drain, suspected, broken], 'draining', [withheld]],
    ['goes on draining after a lost link', [drain, detached, attached], 'draining', [withheld]],
    ['drains when it was told so during a silence', [suspected, drain, broken], 'draining', [withheld]],
    [
      'need not drain any more when it was told so during a silence',
      [drain, suspected, resume, broken],
      'online',
      [available],
    ],
    ['takes work again when it resumes', [drain, resume], 'online', [available]],
    ['resumes as busy as it is', [drain, filled, resume], 'busy', []],
    ['resumes with the lag of its latest heartbeat', [lagging, drain, fluent, resume], 'online', [available]],
  ]);
});

describe('a node with too many faults of its own', () => {
  table([
    ['gets no new work and a rest', [opened], 'tripped', [withheld, rest]],
    ['gets it however busy it is', [filled, opened], 'tripped', [withheld, rest]],
    ['is tried with one attempt after that', [opened, rested], 'probing', [available]],
    ['is back when that goes well', [opened, rested, proven], 'online', [available]],
    ['is back as busy as it is', [opened, filled, rested, proven], 'busy', []],
    ['is back with the lag of its latest heartbeat', [opened, lagging, rested, proven], 'busy', []],
    ['is tried only once it does not lag', [opened, lagging, rested], 'probing', []],
    ['is tried as soon as it does not lag', [opened, lagging, rested, fluent], 'probing', [available]],
    ['is not tried when it begins to lag', [opened, rested, lagging], 'probing', [withheld]],
    ['rests again when it does not', [opened, rested, opened], 'tripped', [withheld, rest]],
    ['has one breaker, not one for each fault', [opened, opened], 'tripped', []],
    ['is well when an operator says so', [opened, resume], 'online', [available]],
    [
      'is well when an operator says so during its trial',
      [opened, rested, resume, detached, attached],
      'online',
      [available],
    ],
    ['rests anew after a silence', [opened, suspected, rested, broken], 'tripped', [withheld, rest]],
    ['is still on trial after a silence', [opened, rested, suspected, broken], 'probing', [available]],
    ['drains all the same', [opened, drain], 'draining', [withheld]],
    ['drains from its trial', [opened, rested, drain], 'draining', [withheld]],
    ['starts without a fault when it has drained and resumes', [drain, opened, resume], 'online', [available]],
    ['is not forgiven because it went away', [opened, closed, attached], 'tripped', [withheld, rest]],
    ['nor because its process died of them', [closed, opened, attached], 'tripped', [withheld, rest]],
    ['goes on with its trial when it comes back', [opened, rested, closed, attached], 'probing', [available]],
    ['gets its rest once it is heard of again', [suspected, opened, broken], 'tripped', [withheld, rest]],
  ]);
});

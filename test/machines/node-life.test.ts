import { describe, expect, it } from 'vitest';
import { type NodeLifeCommand, type NodeLifeEvent, nodeLifeMachine } from '../../src/machines/node-life.ts';
import { play } from '../support/chart.ts';

const event = (type: NodeLifeEvent['type']): NodeLifeEvent => ({ type });
const [connected, linkLost, refused] = [event('link.connected'), event('link.lost'), event('link.refused')];
const [filled, freed] = [event('slots.filled'), event('slots.freed')];
const [drain, stop, ended, deadline] = [
  event('node.drain'),
  event('node.stop'),
  event('attempts.ended'),
  event('deadline.passed'),
];

const announce = (status: 'healthy' | 'busy' | 'offline'): NodeLifeCommand => ({ type: 'node.announce', status });
const [startDrain, handBack, leave] = (['drain.start', 'attempts.hand-back', 'node.leave'] as const).map(
  (type): NodeLifeCommand => ({ type }),
) as [NodeLifeCommand, NodeLifeCommand, NodeLifeCommand];

type Row = readonly [
  title: string,
  events: readonly NodeLifeEvent[],
  value: string,
  commands: readonly NodeLifeCommand[],
];

function table(rows: readonly Row[]): void {
  it.each(rows)('%s', (_title, events, value, commands) => {
    const end = play(nodeLifeMachine, undefined, events);
    expect(end.value).toBe(value);
    expect(end.commands).toEqual(commands);
  });
}

describe('a node’s own life', () => {
  table([
    ['begins on its way to a gateway', [], 'joining', []],
    ['is healthy once it has joined', [connected], 'online', [announce('healthy')]],
    ['is busy when every slot is taken', [connected, filled], 'busy', [announce('busy')]],
    ['is healthy again when one is free', [connected, filled, freed], 'online', [announce('healthy')]],
    ['goes on without its link', [connected, linkLost], 'joining', []],
    ['joins again as busy as it is', [connected, filled, linkLost, connected], 'busy', [announce('busy')]],
    [
      'joins again with what was freed meanwhile',
      [connected, filled, linkLost, freed, connected],
      'online',
      [announce('healthy')],
    ],
    [
      'joins again with what was filled meanwhile',
      [connected, linkLost, filled, connected],
      'busy',
      [announce('busy')],
    ],
    ['ends when it is refused for good', [refused], 'stopped', [leave]],
    ['ends when it is stopped', [connected, filled, stop], 'stopped', [leave]],
  ]);
});

describe('a node that drains by itself', () => {
  table([
    ['tells its gateway and starts no more work', [connected, drain], 'draining', [announce('offline'), startDrain]],
    ['ends when its attempts have ended', [connected, drain, ended], 'stopped', [leave]],
    [
      'hands back what still runs at the deadline, and ends',
      [connected, drain, deadline],
      'stopped',
      [handBack, leave],
    ],
    ['drains while it is busy', [connected, filled, drain], 'draining', [announce('offline'), startDrain]],
    ['drains without a gateway, too', [drain], 'draining', [announce('offline'), startDrain]],
    ['tells a gateway that it meets only now', [drain, connected], 'draining', [announce('offline')]],
    ['tells a gateway that it meets again', [connected, drain, linkLost, connected], 'draining', [announce('offline')]],
    ['starts to drain once', [connected, drain, drain], 'draining', []],
    ['ends when it is refused meanwhile', [connected, drain, refused], 'stopped', [leave]],
  ]);
});

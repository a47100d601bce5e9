import { describe, expect, it } from 'vitest';
import { type GatewayEvent, gatewayMachine } from '../../src/machines/gateway.ts';
import { play, playAll } from '../support/chart.ts';

const event = (type: GatewayEvent['type']): GatewayEvent => ({ type });
const [opened, storeFailed, recovered] = [event('store.opened'), event('store.failed'), event('work.recovered')];
const [drain, stop, ended, deadline] = [
  event('gateway.drain'),
  event('gateway.stop'),
  event('attempts.ended'),
  event('deadline.passed'),
];
const shut = ['gateway.shut'];

describe('a gateway', () => {
  it.each<readonly [string, readonly GatewayEvent[], string, readonly string[]]>([
    ['opens its store first', [], 'starting', ['store.open']],
    ['learns what waits before anybody may dial', [opened], 'recovering', ['work.recover']],
    ['listens once it knows', [opened, recovered], 'serving', ['gateway.listen']],
    ['ends when the store cannot be opened', [storeFailed], 'stopped', shut],
    ['ends when the store fails during recovery', [opened, storeFailed], 'stopped', shut],
    ['lets running attempts finish when it drains (#56)', [opened, recovered, drain], 'draining', ['drain.start']],
    ['ends when they have', [opened, recovered, drain, ended], 'stopped', shut],
    ['ends when they take too long', [opened, recovered, drain, deadline], 'stopped', shut],
    ['has nothing to drain before it opened its store', [drain], 'stopped', shut],
    ['has nothing to drain while it recovers', [opened, drain], 'stopped', shut],
    ['ends at once when it is stopped', [opened, recovered, stop], 'stopped', shut],
    ['ends at once when it is stopped while it drains', [opened, recovered, drain, stop], 'stopped', shut],
  ])('%s', (_title, events, value, commands) => {
    const end = play(gatewayMachine, undefined, events);
    expect(end.value).toBe(value);
    expect(end.commands.map(({ type }) => type)).toEqual(commands);
  });

  it('shuts once, and last', () => {
    const turns = playAll(gatewayMachine, undefined, [opened, recovered, drain, ended, stop, deadline]);
    const commands = turns.flatMap((turn) => turn.commands.map(({ type }) => type));
    expect(commands).toEqual(['store.open', 'work.recover', 'gateway.listen', 'drain.start', 'gateway.shut']);
  });
});

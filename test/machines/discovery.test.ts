import { describe, expect, it } from 'vitest';
import { type DiscoveryCommand, type DiscoveryEvent, discoveryMachine } from '../../src/machines/discovery.ts';
import { play, playAll } from '../support/chart.ts';

const event = (type: DiscoveryEvent['type']): DiscoveryEvent => ({ type });
const [start, ready, failed] = [event('discovery.start'), event('source.ready'), event('source.failed')];
const [deadline, stop] = [event('deadline.passed'), event('discovery.stop')];

const opens: DiscoveryCommand[] = [{ type: 'search.limit' }, { type: 'source.open' }];
const closes: DiscoveryCommand[] = [{ type: 'source.close' }];
const waits = (failures: number): DiscoveryCommand[] => [{ type: 'backoff.start', failures }];

describe('a discovery', () => {
  it.each<readonly [string, readonly DiscoveryEvent[], string, readonly DiscoveryCommand[]]>([
    ['does nothing until it is started', [], 'off', []],
    ['opens its source, and limits the search', [start], 'searching', opens],
    ['is started once', [start, start], 'searching', []],
    ['watches when the source says what it knows', [start, ready], 'watching', []],
    ['is degraded when the source cannot start', [start, failed], 'degraded', waits(1)],
    ['is degraded when the source says nothing', [start, deadline], 'degraded', waits(1)],
    ['is degraded when the source fails later', [start, ready, failed], 'degraded', waits(1)],
    ['opens the source anew after the backoff', [start, failed, deadline], 'searching', opens],
    ['watches again when the source mends itself', [start, ready, failed, ready], 'watching', []],
    ['counts failures in a row', [start, failed, deadline, failed], 'degraded', waits(2)],
    ['forgets them once it watches', [start, failed, deadline, ready, failed], 'degraded', waits(1)],
    ['takes a second failure for the first', [start, failed, failed], 'degraded', []],
    ['closes the source when it is stopped', [start, ready, stop], 'stopped', closes],
    ['stops while it waits', [start, failed, stop], 'stopped', closes],
    ['may be stopped before it was started', [stop], 'stopped', closes],
  ])('%s', (_title, events, value, commands) => {
    const end = play(discoveryMachine, undefined, events);
    expect(end.value).toBe(value);
    expect(end.commands).toEqual(commands);
  });

  it('waits longer with each failure, up to a limit', () => {
    const turns = playAll(discoveryMachine, undefined, [
      start,
      ...Array.from({ length: 20 }, () => [failed, deadline]).flat(),
    ]);
    const failures = turns.flatMap(({ commands }) =>
      commands.flatMap((done) => (done.type === 'backoff.start' ? [done.failures] : [])),
    );
    expect(failures).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 16, 16, 16]);
  });
});

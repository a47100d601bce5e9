/**
 * What a chart costs, interpreted by xstate and compiled: the life of a task and an event of a node, under their hosts and
 * with nothing around them, in processor time, which others on the machine disturb least; and what that makes of W1. Fresh
 * processes in turns.
 */

import { start } from './process.ts';
import { type Round, race } from './race.ts';
import type { Row, Suite } from './report.ts';
import { median } from './workloads.ts';

const WARM = 5_000;
const TIMES = 20_000;
const WAYS = ['interpreted', 'compiled'] as const;

type Measured = Record<'lifeUs' | 'eventUs', number>;

export async function charts(rounds: number): Promise<Suite> {
  const measured: Record<(typeof WAYS)[number], Measured[]> = { interpreted: [], compiled: [] };
  for (let index = 0; index < rounds; index += 1) {
    for (let turn = 0; turn < WAYS.length; turn += 1) {
      const way = WAYS[(turn + index) % WAYS.length] as (typeof WAYS)[number];
      await using one = await start('chart', [way]);
      await one.ask('measure', { times: WARM });
      measured[way].push(await one.ask<Measured>('measure', { times: TIMES }));
    }
  }
  const row = (name: string, of: keyof Measured): Row => {
    const [interpreted = 0, compiled = 0] = WAYS.map((way) => median(measured[way].map((one) => one[of])));
    return { name, unit: 'µs', figures: { interpreted, compiled, 'interpreted:compiled': interpreted / compiled } };
  };
  const cluster = await race(['pincer', 'pincer interpreted'], rounds, new Set(['W1']));
  const of = (whose: 'pincer' | 'pincer interpreted', pick: (round: Round) => number): number =>
    median((cluster.get(whose) ?? []).map(pick));
  const compare = (name: string, unit: Row['unit'], pick: (round: Round) => number): Row => {
    const [interpreted, compiled] = [of('pincer interpreted', pick), of('pincer', pick)];
    const [slow, fast] =
      unit === 'µs'
        ? ['interpreted:compiled', interpreted / compiled]
        : ['compiled:interpreted', compiled / interpreted];
    return { name, unit, figures: { interpreted, compiled, [slow]: fast } };
  };
  return {
    workload: 'charts',
    rows: [
      row('the life of a task', 'lifeUs'),
      row('an event of a node', 'eventUs'),
      compare('W1, 20 000 at once', 'tasks/s', (round) => round.many),
      compare('W1, the gateway for each task', 'µs', (round) => round.hubUs),
      compare('W1, the nodes for each task', 'µs', (round) => round.nodesUs),
    ],
  };
}

/** W6: W1 and W3 with the store on disk, where a submit is acknowledged after fdatasync, beside those in memory, in turns. */
import { type Round, race } from './race.ts';
import type { Row, Suite } from './report.ts';
import { median, WINDOW } from './workloads.ts';

export async function w6(rounds: number): Promise<Suite> {
  const all = await race(['pincer', 'pincer on disk'], rounds, new Set(['W1', 'W3', 'W6']));
  const row = (name: string, unit: Row['unit'], pick: (round: Round) => number | undefined): Row => {
    const of = (whose: 'pincer' | 'pincer on disk'): number =>
      median((all.get(whose) ?? []).map((round) => pick(round) ?? Number.NaN));
    const [memory, disk] = [of('pincer'), of('pincer on disk')];
    return { name, unit, figures: { memory, disk, 'disk:memory': disk / memory } };
  };
  const costOf = ({ hubUs = 0, clientUs = 0, nodesUs = 0 }: Partial<Round>): number => hubUs + clientUs + nodesUs;
  return {
    workload: 'W6',
    rows: [
      row('at once', 'tasks/s', (round) => round.many),
      row('processor time of the gateway, each task', 'µs', (round) => round.hubUs),
      row('of all processes', 'µs', costOf),
      row(`${WINDOW} at a time`, 'tasks/s', ({ windowed }) => windowed?.perSecond),
      row('processor time of the gateway, each of them', 'µs', ({ windowed }) => windowed?.hubUs),
      row('of all processes', 'µs', ({ windowed }) => costOf(windowed ?? {})),
      row(`submit to acknowledgement, ${WINDOW} at a time, p50`, 'ms', ({ acknowledged }) => acknowledged?.p50Ms),
      row('p99', 'ms', ({ acknowledged }) => acknowledged?.p99Ms),
      row('event loop of the gateway late meanwhile, p99', 'ms', ({ acknowledged }) => acknowledged?.loopP99Ms),
    ],
  };
}

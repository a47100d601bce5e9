/**
 * What it costs W1 that every task has a story, and that somebody else follows two hundred of them: beside a gateway that
 * tells nothing, and one that nobody watches. Fresh processes in turns.
 */
import { open } from './cluster.ts';
import { type BenchProcess, start, type Vitals } from './process.ts';
import type { Row, Suite } from './report.ts';
import { median, type Rate } from './workloads.ts';

const WARM = 5_000;
const MANY = 20_000;
const FOLLOWED = 200;
const WAYS = ['untold', 'told', 'followed'] as const;

interface Measured extends Rate {
  /** Processor time of the gateway for each task. */
  readonly hubUs: number;
}

export async function watched(rounds: number): Promise<Suite> {
  const measured: Record<(typeof WAYS)[number], Measured[]> = { untold: [], told: [], followed: [] };
  for (let index = 0; index < rounds; index += 1) {
    for (let turn = 0; turn < WAYS.length; turn += 1) {
      const way = WAYS[(turn + index) % WAYS.length] as (typeof WAYS)[number];
      measured[way].push(await runOnce(way));
    }
  }
  const row = (name: string, unit: Row['unit'], of: keyof Measured): Row => {
    const [untold = 0, told = 0, followed = 0] = WAYS.map((way) => median(measured[way].map((one) => one[of])));
    const ratios = { 'told:untold': told / untold, 'followed:told': followed / told };
    return { name, unit, figures: { untold, told, followed, ...ratios } };
  };
  return {
    workload: 'watched',
    rows: [
      row(`${MANY} at once`, 'tasks/s', 'perSecond'),
      row('processor time of the gateway, each task', 'µs', 'hubUs'),
    ],
  };
}

async function runOnce(way: (typeof WAYS)[number]): Promise<Measured> {
  await using cluster = await open(way === 'untold' ? 'pincer untold' : 'pincer');
  const { hub, client, url } = cluster;
  await using follower = await start('client', [url]);
  const used = async (of: BenchProcess): Promise<number> => (await of.ask<Vitals>('vitals')).cpuUs;
  await client.ask('many', { tasks: WARM });
  const before = await used(hub);
  const { ids } = await client.ask<{ ids: readonly string[] }>('begin', { tasks: MANY, chosen: FOLLOWED });
  if (way === 'followed') await follower.ask('follow', { ids });
  const { perSecond } = await client.ask<Rate>('finish');
  if (way === 'followed') await follower.ask('followed');
  return { perSecond, hubUs: ((await used(hub)) - before) / MANY };
}

/**
 * W5: W1 with 1 to 256 nodes, and R1 with 4 and 256. At least one slot each, so with 256 nodes there are 256 slots, else a
 * hundred. A node of one slot has a frame to itself for each task, which is what R1 shows.
 */
import { type Cluster, type Contestant, open } from './cluster.ts';
import type { Vitals } from './process.ts';
import type { Suite } from './report.ts';
import { median, type Rate } from './workloads.ts';

const WARM = 5_000;
const MANY = 20_000;
/** Compared with each other, in every round. */
const COMPARED: readonly (readonly [Contestant, number])[] = [
  ['pincer', 4],
  ['pincer', 256],
  ['R1', 4],
  ['R1', 256],
];
/** Once, to see the way from the one to the other. */
const BETWEEN: readonly (readonly [Contestant, number])[] = [1, 2, 16, 64].map((size) => ['pincer', size]);

export async function w5(rounds: number): Promise<Suite> {
  const rates = new Map<string, number[]>();
  const costs = new Map<string, number[]>();
  const note = (notes: Map<string, number[]>, name: string, figure: number): void =>
    void notes.set(name, [...(notes.get(name) ?? []), figure]);
  for (let index = 0; index < rounds; index += 1) {
    for (const [contestant, size] of index === 0 ? [...BETWEEN, ...COMPARED] : COMPARED) {
      await using cluster = await open(contestant, size);
      await cluster.client.ask('many', { tasks: WARM });
      const before = await cpuUs(cluster);
      const { perSecond } = await cluster.client.ask<Rate>('many', { tasks: MANY });
      note(rates, `${contestant} ${size}`, perSecond);
      note(costs, `${contestant} ${size}`, ((await cpuUs(cluster)) - before) / MANY);
    }
  }
  const medians = (notes: Map<string, number[]>): Record<string, number> =>
    Object.fromEntries([...notes].map(([name, figures]) => [name, median(figures)]));
  const figures = medians(rates);
  const of = (name: string): number => figures[name] ?? Number.NaN;
  figures['pincer 256:4'] = of('pincer 256') / of('pincer 4');
  figures['R1 256:4'] = of('R1 256') / of('R1 4');
  return {
    workload: 'W5',
    rows: [
      { name: `${MANY} at once, by nodes`, unit: 'tasks/s', figures },
      { name: 'processor time of all processes, each task', unit: 'µs', figures: medians(costs) },
    ],
  };
}

async function cpuUs({ hub, client, nodes }: Cluster): Promise<number> {
  const used = await Promise.all([hub, client, ...nodes].map((each) => each.ask<Vitals>('vitals')));
  return used.reduce((sum, each) => sum + each.cpuUs, 0);
}

/** W5: W1 with 1 to 256 nodes. At least one slot each, so with 256 nodes there are 256 slots, else a hundred. */
import { open } from './cluster.ts';
import type { Suite } from './report.ts';
import { median, type Rate } from './workloads.ts';

const WARM = 5_000;
const MANY = 20_000;
const SIZES = [1, 2, 4, 16, 64, 256];

export async function w5(rounds: number): Promise<Suite> {
  const rates = new Map<number, number[]>(SIZES.map((size) => [size, []]));
  for (let index = 0; index < rounds; index += 1) {
    for (const size of SIZES) {
      await using cluster = await open('pincer', size);
      await cluster.client.ask('many', { tasks: WARM });
      rates.get(size)?.push((await cluster.client.ask<Rate>('many', { tasks: MANY })).perSecond);
    }
  }
  const of = (size: number): number => median(rates.get(size) ?? []);
  const figures: Record<string, number> = {};
  for (const size of SIZES) figures[`${size} nodes`] = of(size);
  figures['256:4'] = of(256) / of(4);
  return { workload: 'W5', rows: [{ name: `${MANY} at once`, unit: 'tasks/s', figures }] };
}

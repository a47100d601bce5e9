/** W6: W1 with the store on disk, where a submit is acknowledged after fdatasync, beside W1 in memory, in turns. */
import { race } from './race.ts';
import type { Suite } from './report.ts';
import { median } from './workloads.ts';

export async function w6(rounds: number): Promise<Suite> {
  const all = await race(['pincer', 'pincer on disk'], rounds, new Set(['W1']));
  const of = (whose: 'pincer' | 'pincer on disk', pick: 'many' | 'hubUs'): number =>
    median((all.get(whose) ?? []).map((round) => round[pick]));
  const memory = of('pincer', 'many');
  const disk = of('pincer on disk', 'many');
  return {
    workload: 'W6',
    rows: [
      { name: 'at once, on disk', unit: 'tasks/s', figures: { memory, disk, 'disk:memory': disk / memory } },
      {
        name: 'processor time of the gateway, each task',
        unit: 'µs',
        figures: { memory: of('pincer', 'hubUs'), disk: of('pincer on disk', 'hubUs') },
      },
    ],
  };
}

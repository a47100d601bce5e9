/**
 * W7: an hour’s worth of mixed work, compressed: a million tasks that succeed, fail, report, are cancelled, wait. After
 * each tenth the gateway’s heap is measured when everything that is not held has gone. It must not grow.
 */
import process from 'node:process';
import { open } from './cluster.ts';
import type { Mixed } from './mixed.ts';
import type { Vitals } from './process.ts';
import type { Suite } from './report.ts';

const MIB = 2 ** 20;
const TENTHS = 10;

export async function w7(tasks: number): Promise<Suite> {
  await using cluster = await open('pincer');
  const { hub, client } = cluster;
  const heldMiB: number[] = [];
  const totals = { completed: 0, failed: 0, cancelled: 0 };
  const startedAt = performance.now();
  for (let tenth = 0; tenth < TENTHS; tenth += 1) {
    const ended = await client.ask<Mixed>('mixed', { tasks: tasks / TENTHS, seed: tenth });
    for (const name of ['completed', 'failed', 'cancelled'] as const) totals[name] += ended[name];
    heldMiB.push((await hub.ask<Vitals>('gc')).held / MIB);
    process.stderr.write(`W7  ${tenth + 1} of ${TENTHS}: ${heldMiB.at(-1)?.toFixed(1)} MiB held\n`);
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const figures: Record<string, number> = {};
  for (const [index, held] of heldMiB.entries()) figures[`${index + 1}`] = held;
  return {
    workload: 'W7',
    rows: [
      { name: `${tasks} mixed tasks`, unit: 'tasks/s', figures: { pincer: tasks / seconds } },
      { name: 'how they ended', unit: 'tasks', figures: totals },
      { name: 'held after each tenth', unit: 'MiB', figures },
      {
        name: 'growth',
        unit: 'ratio',
        figures: {
          'last:second': (heldMiB[TENTHS - 1] ?? 0) / (heldMiB[1] ?? 1),
          'MiB a tenth': slope(heldMiB.slice(1)),
        },
      },
    ],
  };
}

/** Least squares: by how much each step is more than the one before. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let up = 0;
  let down = 0;
  for (const [index, value] of values.entries()) {
    up += (index - middle) * (value - mean);
    down += (index - middle) ** 2;
  }
  return up / down;
}

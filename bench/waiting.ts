/**
 * W4: what waiting costs. The memory of a gateway with 100 000 and with a million waiting tasks; and what the tasks that
 * can run pay for those that cannot, in latency and, for a thousand at once, in time and processor time.
 */
import { type Cluster, open } from './cluster.ts';
import type { Vitals } from './process.ts';
import type { Row, Suite } from './report.ts';
import { type Latencies, median, PAYLOAD, type Rate } from './workloads.ts';

const MIB = 2 ** 20;
const WAITING = 100_000;
const MILLION = 1_000_000;
const RUNNABLE = 1_000;
const SEQUENTIAL = 2_000;

export async function w4(rounds: number): Promise<Suite> {
  const few: Awaited<ReturnType<typeof beside>>[] = [];
  for (let index = 0; index < rounds; index += 1) few.push(await beside());
  const of = (pick: (one: (typeof few)[number]) => number): number => median(few.map(pick));
  const million = await memoryOf(MILLION);
  const rows: Row[] = [
    {
      name: `memory of a task beside its payload, ${WAITING} wait`,
      unit: 'bytes',
      figures: { resident: of((one) => one.residentBytes), held: of((one) => one.heldBytes) },
    },
    {
      name: `the gateway with ${MILLION} waiting`,
      unit: 'MiB',
      figures: { resident: million.rss / MIB, held: million.held / MIB },
    },
    {
      name: `one at a time beside ${WAITING} waiting, p50`,
      unit: 'ms',
      figures: {
        alone: of((one) => one.aloneMs),
        beside: of((one) => one.besideMs),
        'beside:alone': of((one) => one.besideMs / one.aloneMs),
      },
    },
    {
      name: `${RUNNABLE} at once beside ${WAITING} that nobody can run`,
      unit: 'ratio',
      figures: { time: of((one) => one.timeRatio), 'processor time': of((one) => one.cpuRatio) },
    },
  ];
  return { workload: 'W4', rows };
}

async function beside() {
  await using cluster = await open('pincer');
  const { hub, client } = cluster;
  await client.ask('many', { tasks: SEQUENTIAL });
  const latency = (): Promise<Latencies> => client.ask('windowed', { tasks: SEQUENTIAL, window: 1 });
  const alone = await latency();
  const aloneMany = await thousands(cluster);
  const before = await hub.ask<Vitals>('gc');
  await client.ask('wait', { tasks: WAITING });
  const after = await hub.ask<Vitals>('gc');
  const with100000 = await latency();
  const besideMany = await thousands(cluster);
  const each = (grown: number): number => grown / WAITING - PAYLOAD.byteLength;
  return {
    residentBytes: each(after.rss - before.rss),
    heldBytes: each(after.held - before.held),
    aloneMs: alone.p50Ms,
    besideMs: with100000.p50Ms,
    timeRatio: aloneMany.perSecond / besideMany.perSecond,
    cpuRatio: besideMany.cpuUs / aloneMany.cpuUs,
  };
}

/** Ten times a thousand at once: the median rate, and what the gateway used for all of them. */
async function thousands({ hub, client }: Cluster): Promise<{ perSecond: number; cpuUs: number }> {
  const rates: number[] = [];
  const before = await hub.ask<Vitals>('vitals');
  for (let times = 0; times < 10; times += 1) {
    rates.push((await client.ask<Rate>('many', { tasks: RUNNABLE })).perSecond);
  }
  const after = await hub.ask<Vitals>('vitals');
  return { perSecond: median(rates), cpuUs: after.cpuUs - before.cpuUs };
}

async function memoryOf(tasks: number): Promise<Vitals> {
  await using cluster = await open('pincer');
  await cluster.client.ask('wait', { tasks });
  // Awaited here: the cluster ends with this block.
  return await cluster.hub.ask<Vitals>('gc');
}

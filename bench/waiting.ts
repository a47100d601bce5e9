/** What waiting costs the others: 1 000 tasks that a node can run, alone and beside 100 000 that nobody can. */
import { cpuOf, median, start } from './process.ts';
import { many, openClient, PAYLOAD } from './workloads.ts';

const RUNNABLE = 1_000;
const WAITING = 100_000;
const ROUNDS = 5;

/** With the waiting ones over without: the time (medians of five rounds), and the gateway’s processor time (all five). */
export interface WaitingRatio {
  readonly time: number;
  readonly cpu: number;
}

export async function waitingRatio(): Promise<WaitingRatio> {
  await using gateway = await start(['dist/cli/main.js', 'gateway', '--listen', '127.0.0.1:0', '--json']);
  await using _node = await start(['--import', 'tsx', 'bench/node.ts', gateway.url, 'bench-1', '50']);
  const { client, run } = await openClient(gateway.url);
  try {
    await many(run, RUNNABLE);
    const measure = async (): Promise<{ rate: number; cpuMs: number }> => {
      const rates: number[] = [];
      const before = cpuOf(gateway.pid);
      for (let round = 0; round < ROUNDS; round += 1) rates.push(await many(run, RUNNABLE));
      return { rate: median(rates), cpuMs: cpuOf(gateway.pid) - before };
    };
    const alone = await measure();
    for (let sent = 0; sent < WAITING; sent += 10_000) {
      await Promise.all(
        Array.from({ length: 10_000 }, (_, index) =>
          client.submit(`nobody-can-${index % 10}`, PAYLOAD, { needs: ['nothing-has'], watch: false }).accepted(),
        ),
      );
    }
    const beside = await measure();
    return { time: alone.rate / beside.rate, cpu: beside.cpuMs / alone.cpuMs };
  } finally {
    await client.stop();
  }
}

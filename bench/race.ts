/**
 * W1, W2 and W3 beside the references: 20 000 tasks at once, 2 000 one at a time, 20 000 in a window of a hundred. Fresh
 * processes for every contestant in every round, in turns, so that what else the machine does falls on all alike.
 */
import { type Contestant, open } from './cluster.ts';
import type { BenchProcess, Vitals } from './process.ts';
import type { Row, Suite } from './report.ts';
import { type Latencies, median, type Rate, WINDOW } from './workloads.ts';

const WARM = 5_000;
const MANY = 20_000;
const SEQUENTIAL = 2_000;
const CONTESTANTS = ['pincer', 'R0', 'R1'] as const;

/** Processor time for each task. */
export interface Cost {
  readonly hubUs: number;
  readonly nodesUs: number;
  readonly clientUs: number;
}

export interface Round extends Cost {
  readonly many: number;
  readonly one: Latencies | null;
  readonly windowed: (Latencies & Cost) | null;
  /** From submit to acknowledgement, with so many on their way, and how late the event loop of the hub was meanwhile. */
  readonly acknowledged: (Latencies & { readonly loopP99Ms: number }) | null;
}

/** Which of the three to run. W1 always is: what the others need must be warm. */
export async function race(
  contestants: readonly Contestant[],
  rounds: number,
  parts: ReadonlySet<string>,
): Promise<ReadonlyMap<Contestant, readonly Round[]>> {
  const all = new Map<Contestant, Round[]>(contestants.map((name) => [name, []]));
  for (let index = 0; index < rounds; index += 1) {
    for (let turn = 0; turn < contestants.length; turn += 1) {
      // Nobody is always first.
      const contestant = contestants[(turn + index) % contestants.length] as Contestant;
      all.get(contestant)?.push(await runOnce(contestant, parts));
    }
  }
  return all;
}

async function runOnce(contestant: Contestant, parts: ReadonlySet<string>): Promise<Round> {
  await using cluster = await open(contestant);
  const { hub, nodes, client } = cluster;
  const cpu = async (): Promise<readonly number[]> =>
    Promise.all([hub, client, ...nodes].map(async (each) => (await each.ask<Vitals>('vitals')).cpuUs));
  const costing = async <Result>(run: () => Promise<Result>): Promise<Result & Cost> => {
    const before = await cpu();
    const result = await run();
    const [hubUs = 0, clientUs = 0, ...nodesUs] = (await cpu()).map(
      (used, index) => (used - (before[index] ?? 0)) / MANY,
    );
    return { ...result, hubUs, clientUs, nodesUs: nodesUs.reduce((sum, used) => sum + used, 0) };
  };
  await client.ask('many', { tasks: WARM });
  const { perSecond, hubUs, clientUs, nodesUs } = await costing(() => client.ask<Rate>('many', { tasks: MANY }));
  return {
    many: perSecond,
    hubUs,
    clientUs,
    nodesUs,
    one: parts.has('W2') ? await client.ask<Latencies>('windowed', { tasks: SEQUENTIAL, window: 1 }) : null,
    windowed: parts.has('W3')
      ? await costing(() => client.ask<Latencies>('windowed', { tasks: MANY, window: WINDOW }))
      : null,
    acknowledged: parts.has('W6') ? await acknowledge(client, hub) : null,
  };
}

async function acknowledge(client: BenchProcess, hub: BenchProcess): Promise<Round['acknowledged']> {
  await hub.ask('watchLoop');
  const latencies = await client.ask<Latencies>('acknowledged', { tasks: MANY, window: WINDOW });
  return { ...latencies, loopP99Ms: (await hub.ask<{ p99Ms: number }>('loop')).p99Ms };
}

export async function w1to3(rounds: number, parts: ReadonlySet<string>): Promise<Suite[]> {
  // No relay acknowledges anything, which is what W6 would ask for.
  const all = await race(CONTESTANTS, rounds, new Set([...parts].filter((part) => part !== 'W6')));
  const row = (name: string, unit: Row['unit'], pick: (round: Round) => number | undefined): Row => {
    const figures: Record<string, number> = {};
    for (const whose of CONTESTANTS) figures[whose] = median((all.get(whose) ?? []).map((each) => pick(each) ?? 0));
    const { pincer = 0, R0 = 0, R1 = 0 } = figures;
    Object.assign(figures, { 'pincer:R0': pincer / R0, 'pincer:R1': pincer / R1 });
    return { name, unit, figures };
  };
  const costs = (pick: (round: Round) => Cost | null): Row[] => [
    row('processor time of the hub, each task', 'µs', (round) => pick(round)?.hubUs),
    row('of the client', 'µs', (round) => pick(round)?.clientUs),
    row('of the nodes', 'µs', (round) => pick(round)?.nodesUs),
    row('of all of them', 'µs', (round) => {
      const { hubUs = 0, clientUs = 0, nodesUs = 0 } = pick(round) ?? {};
      return hubUs + clientUs + nodesUs;
    }),
  ];
  const suites: Suite[] = [];
  if (parts.has('W1')) {
    suites.push({
      workload: 'W1',
      rows: [row(`${MANY} at once`, 'tasks/s', (round) => round.many), ...costs((round) => round)],
    });
  }
  if (parts.has('W2')) {
    suites.push({
      workload: 'W2',
      rows: [
        row('one at a time, p50', 'ms', (round) => round.one?.p50Ms),
        row('one at a time, p99', 'ms', (round) => round.one?.p99Ms),
      ],
    });
  }
  if (parts.has('W3')) {
    suites.push({
      workload: 'W3',
      rows: [
        row(`${WINDOW} at a time`, 'tasks/s', (round) => round.windowed?.perSecond),
        row(`${WINDOW} at a time, p50`, 'ms', (round) => round.windowed?.p50Ms),
        row(`${WINDOW} at a time, p99`, 'ms', (round) => round.windowed?.p99Ms),
        ...costs((round) => round.windowed),
      ],
    });
  }
  return suites;
}

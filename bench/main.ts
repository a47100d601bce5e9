/**
 * `npm run bench`: a gateway and two nodes as processes, beside a bare relay of the same messages, in turns within one run.
 * Prints medians and ratios; asserts nothing. Options: --tasks N (10 000), --rounds N (3), --json.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { cpuOf, median, memoryOf, percentile, start } from './process.ts';
import { waitingRatio } from './waiting.ts';
import { many, openClient, openRelay, PAYLOAD, type RunOne, windowed } from './workloads.ts';

const { values } = parseArgs({
  options: {
    tasks: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
});
const tasks = whole('tasks', values.tasks);
const rounds = whole('rounds', values.rounds);
const SEQUENTIAL = 500;
const WINDOW = 100;
/** A window of a hundred has settled long before; more would only take longer. */
const WINDOWED_MAX = 5_000;

interface Round {
  /** What the hub in the middle used, in microseconds of processor time for each task. */
  readonly cpuUs: number;
  readonly manyPerSecond: number;
  readonly oneP50Ms: number;
  readonly oneP99Ms: number;
  readonly windowPerSecond: number;
  readonly windowP50Ms: number;
  readonly windowP99Ms: number;
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new RangeError(`--${name} is '${text}', must be a whole number from 1`);
  return value;
}

async function round(run: RunOne, pid: number): Promise<Round> {
  const before = cpuOf(pid);
  const manyPerSecond = await many(run, tasks);
  const cpuUs = ((cpuOf(pid) - before) * 1_000) / tasks;
  const one = await windowed(run, SEQUENTIAL, 1);
  const hundred = await windowed(run, Math.min(tasks, WINDOWED_MAX), WINDOW);
  return {
    cpuUs,
    manyPerSecond,
    oneP50Ms: percentile(one.latencies, 0.5),
    oneP99Ms: percentile(one.latencies, 0.99),
    windowPerSecond: hundred.perSecond,
    windowP50Ms: percentile(hundred.latencies, 0.5),
    windowP99Ms: percentile(hundred.latencies, 0.99),
  };
}

await using gateway = await start(['dist/cli/main.js', 'gateway', '--listen', '127.0.0.1:0', '--json']);
await using _one = await start(['--import', 'tsx', 'bench/node.ts', gateway.url, 'bench-1', '50']);
await using _two = await start(['--import', 'tsx', 'bench/node.ts', gateway.url, 'bench-2', '50']);
await using hub = await start(['--import', 'tsx', 'bench/relay.ts', 'hub']);
await using _three = await start(['--import', 'tsx', 'bench/relay.ts', 'node', hub.url]);
await using _four = await start(['--import', 'tsx', 'bench/relay.ts', 'node', hub.url]);

const { client, run } = await openClient(gateway.url);
const relay = await openRelay(hub.url);
const idleMiB = memoryOf(gateway.pid);
// The first round warms both up and does not count.
await many(run, 1_000);
await many(relay.run, 1_000);
const pincer: Round[] = [];
const bare: Round[] = [];
for (let index = 0; index < rounds; index += 1) {
  pincer.push(await round(run, gateway.pid));
  bare.push(await round(relay.run, hub.pid));
}
const usedMiB = memoryOf(gateway.pid);
const peakMiB = memoryOf(gateway.pid, 'peak');
const waiting = Array.from({ length: 10_000 }, () =>
  client.submit('nobody-can', PAYLOAD, { needs: ['nothing-has'], watch: false }).accepted(),
);
await Promise.all(waiting);
const waitingMiB = memoryOf(gateway.pid);
await client.stop();
relay.close();

const of = (list: readonly Round[]): Round => ({
  cpuUs: median(list.map((one) => one.cpuUs)),
  manyPerSecond: median(list.map((one) => one.manyPerSecond)),
  oneP50Ms: median(list.map((one) => one.oneP50Ms)),
  oneP99Ms: median(list.map((one) => one.oneP99Ms)),
  windowPerSecond: median(list.map((one) => one.windowPerSecond)),
  windowP50Ms: median(list.map((one) => one.windowP50Ms)),
  windowP99Ms: median(list.map((one) => one.windowP99Ms)),
});
const report = {
  tasks,
  rounds,
  pincer: of(pincer),
  relay: of(bare),
  ratio: {
    many: of(pincer).manyPerSecond / of(bare).manyPerSecond,
    window: of(pincer).windowPerSecond / of(bare).windowPerSecond,
  },
  gatewayMiB: { idle: idleMiB, peak: peakMiB, used: usedMiB, with10000Waiting: waitingMiB },
  waitingRatio: await waitingRatio(),
};

if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
else {
  const rate = (value: number): string => `${Math.round(value).toLocaleString('en')}/s`;
  const ms = (value: number): string => `${value.toFixed(2)} ms`;
  const line = (name: string, mine: string, floor: string, ratio = ''): void => {
    process.stdout.write(`${name.padEnd(34)}${mine.padStart(14)}${floor.padStart(14)}  ${ratio}\n`);
  };
  line(`medians of ${rounds} rounds`, 'pincer', 'bare relay', 'ratio');
  line(
    `${tasks} tasks at once`,
    rate(report.pincer.manyPerSecond),
    rate(report.relay.manyPerSecond),
    report.ratio.many.toFixed(3),
  );
  line(
    `${WINDOW} at a time`,
    rate(report.pincer.windowPerSecond),
    rate(report.relay.windowPerSecond),
    report.ratio.window.toFixed(3),
  );
  line(`${WINDOW} at a time, p50`, ms(report.pincer.windowP50Ms), ms(report.relay.windowP50Ms));
  line(`${WINDOW} at a time, p99`, ms(report.pincer.windowP99Ms), ms(report.relay.windowP99Ms));
  line('one at a time, p50', ms(report.pincer.oneP50Ms), ms(report.relay.oneP50Ms));
  line('one at a time, p99', ms(report.pincer.oneP99Ms), ms(report.relay.oneP99Ms));
  line('processor time in the middle', `${report.pincer.cpuUs.toFixed(0)} µs`, `${report.relay.cpuUs.toFixed(0)} µs`);
  const { idle, peak, used, with10000Waiting } = report.gatewayMiB;
  process.stdout.write(
    `gateway memory: ${idle.toFixed(0)} MiB idle, ${peak.toFixed(0)} MiB at the peak, ${used.toFixed(0)} MiB after the rounds, ${with10000Waiting.toFixed(0)} MiB with 10 000 more waiting\n`,
  );
  process.stdout.write(
    `1 000 tasks beside 100 000 that nobody can run: ${report.waitingRatio.time.toFixed(2)} × the time, ${report.waitingRatio.cpu.toFixed(2)} × the processor time without them\n`,
  );
}

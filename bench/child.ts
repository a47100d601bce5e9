/** The inside of a bench process: answers its measurer line by line, about itself and about what it was made for. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import process from 'node:process';
import { createInterface } from 'node:readline';
import type { Vitals } from './process.ts';

/** What it can be asked beside the vitals, `gc` and the profile: each gets the details and gives what JSON can say. */
export type Answers = Readonly<Record<string, (details: never) => unknown>>;

/** How the charts of this process are run. */
export const charts = process.env['PINCER_CHARTS'] === 'interpreted' ? 'interpreted' : 'compiled';

const session = new Session();
const loop = monitorEventLoopDelay({ resolution: 1 });

const ITSELF: Answers = {
  vitals,
  /** The vitals after everything that is not held has gone. */
  async gc() {
    for (let times = 0; times < 3; times += 1) {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return vitals();
  },
  /** Begins to measure how late the event loop is. */
  watchLoop() {
    loop.enable();
    loop.reset();
  },
  /** How late it was since then. */
  loop: () => ({ p99Ms: loop.percentile(99) / 1e6 }),
  /** Samples what is allocated from now on: all of it, or what outlives a young collection. */
  async heap({ survivors }: { survivors: boolean }) {
    const all = { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: !survivors };
    session.connect();
    await session.post('HeapProfiler.enable');
    await session.post('HeapProfiler.startSampling', { samplingInterval: 4_096, ...all });
    return {};
  },
  async heaped({ file }: { file: string }) {
    const { profile } = await session.post('HeapProfiler.stopSampling');
    session.disconnect();
    writeFileSync(file, JSON.stringify(profile));
    return {};
  },
  async profile() {
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: 250 });
    await session.post('Profiler.start');
    return {};
  },
  async profiled({ file }: { file: string }) {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    writeFileSync(file, JSON.stringify(profile));
    return {};
  },
};

/** Says that the process is ready, and answers from then on. It ends with its measurer. */
export function serve(ready: object, answers: Answers = {}): void {
  const all: Answers = { ...ITSELF, ...answers };
  let turn = Promise.resolve();
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const { what, ...details } = JSON.parse(line) as { what: string };
    turn = turn.then(async () => {
      const answer = all[what];
      if (answer === undefined) throw new Error(`nothing answers '${what}'`);
      say((await answer(details as never)) ?? {});
    });
  });
  lines.on('close', () => process.exit(0));
  say(ready);
}

function say(answer: unknown): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

function vitals(): Vitals {
  const { rss, heapUsed, external } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return { rss, held: heapUsed + external, cpuUs: user + system };
}

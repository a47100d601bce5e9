/**
 * `npm run bench`: every workload, or those that are named (`npm run bench -- W1 W3`). Prints medians and ratios; asserts
 * nothing. Options: --rounds N (5), --tasks N for W7 (1 000 000), --keep NAME, --profile, --heap, --survivors.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { charts } from './charts.ts';
import { w6 } from './durable.ts';
import { w7 } from './endurance.ts';
import { heap, profile } from './profile.ts';
import { w1to3 } from './race.ts';
import { keep, print, type Suite } from './report.ts';
import { w5 } from './scale.ts';
import { w4 } from './waiting.ts';
import { watched } from './watched.ts';

const WORKLOADS = ['W1', 'W2', 'W3', 'W4', 'W5', 'W6', 'W7', 'charts', 'watched'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    tasks: { type: 'string', default: '1000000' },
    keep: { type: 'string', default: 'last' },
    profile: { type: 'boolean', default: false },
    heap: { type: 'boolean', default: false },
    survivors: { type: 'boolean', default: false },
  },
});
const rounds = whole('rounds', values.rounds);
const tasks = whole('tasks', values.tasks);
const parts = new Set(
  positionals.length > 0 || values.profile || values.heap || values.survivors ? positionals : WORKLOADS,
);
for (const part of parts) {
  if (!WORKLOADS.includes(part)) throw new RangeError(`'${part}' is not a workload; there are ${WORKLOADS.join(', ')}`);
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new RangeError(`--${name} is '${text}', must be a whole number from 1`);
  return value;
}

if (values.profile) await profile(parts);
else if (values.heap || values.survivors) await heap(values.survivors);
else {
  const startedAt = performance.now();
  const suites: Suite[] = [];
  const add = (...made: readonly Suite[]): void => {
    for (const suite of made) {
      print(suite);
      suites.push(suite);
    }
  };
  process.stdout.write(`medians of ${rounds} rounds\n`);
  if (['W1', 'W2', 'W3'].some((part) => parts.has(part))) add(...(await w1to3(rounds, parts)));
  if (parts.has('W4')) add(await w4(Math.min(rounds, 3)));
  if (parts.has('W5')) add(await w5(Math.min(rounds, 3)));
  if (parts.has('W6')) add(await w6(Math.min(rounds, 3)));
  if (parts.has('W7')) add(await w7(tasks));
  if (parts.has('charts')) add(await charts(Math.min(rounds, 3)));
  if (parts.has('watched')) add(await watched(Math.min(rounds, 3)));
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  keep(values.keep, suites, { rounds, seconds });
  process.stdout.write(`${seconds} s; kept in bench/results/${values.keep}.json\n`);
}

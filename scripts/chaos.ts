/**
 * `npm run chaos -- --seconds 60 --seed 7 --gateways 3 --nodes 4 --rate 150`: real processes under faults from a seed,
 * judged by a ledger that is not theirs. Prints totals and every violation with its task’s story; ends with 1 on any.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { sentenceOf } from '../src/protocol/history.ts';
import { type ChaosReport, runChaos } from '../test/chaos/chaos.ts';
import { RULES, type Waits } from '../test/chaos/judge.ts';
import { buildIfStale } from './build.ts';

/** Stories told in full of each rule that was broken; the rest is counted. */
const STORIES_MAX = 3;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '7' },
    gateways: { type: 'string' },
    nodes: { type: 'string', default: '4' },
    rate: { type: 'string', default: '150' },
    every: { type: 'string', default: '1500' },
    memory: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
  },
});

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.once(signal, () => process.exit(code));
buildIfStale();
const report = await runChaos({
  seconds: Number(values.seconds),
  seed: Number(values.seed),
  gateways: Number(values.gateways ?? (values.memory ? '1' : '3')),
  nodes: Number(values.nodes),
  rate: Number(values.rate),
  everyMs: Number(values.every),
  inMemory: values.memory,
  say: values.quiet ? () => {} : (text) => console.error(text),
});
console.log(textOf(report));
if (!report.isClean) process.exitCode = 1;

function textOf({
  totals,
  faults,
  adoption,
  adoptionAlone,
  slowest,
  violations,
  deaths,
  doctor,
  lines,
  kept,
}: ChaosReport): string {
  const counted = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => `  ${name.padEnd(58)}${count}`)
      .join('\n');
  const said = [`ledger\n${counted(totals)}`, `faults\n${counted(faults)}`];
  if (adoption.count > 0) {
    const alone = `  those whose node felt no other fault meanwhile: ${wordsOf(adoptionAlone)}`;
    const longest = slowest.map(
      ({ node, tookMs, meanwhile }) => `  ${node}, ${tookMs} ms; meanwhile ${meanwhile.join('; ') || 'nothing else'}`,
    );
    said.push([`attempts adopted after a gateway’s kill: ${wordsOf(adoption)}`, alone, ...longest].join('\n'));
  }
  const broken = Object.fromEntries(
    (Object.keys(RULES) as (keyof typeof RULES)[])
      .map((rule) => [RULES[rule], violations.filter((one) => one.rule === rule).length] as const)
      .filter(([, count]) => count > 0),
  );
  if (violations.length > 0) said.push(`violations\n${counted(broken)}`);
  const told = Object.keys(RULES).flatMap((rule) =>
    violations.filter((one) => one.rule === rule).slice(0, STORIES_MAX),
  );
  for (const { rule, taskId, says } of told) {
    said.push(`VIOLATION ${RULES[rule]}\n  ${taskId ?? 'the run'}: ${says}\n${storyOf(taskId, lines)}`);
  }
  if (violations.length > told.length) said.push(`… and ${violations.length - told.length} more violations`);
  said.push(...deaths.map((death) => `VIOLATION a process ended by itself\n  ${death}`));
  said.push(doctor.ok ? 'doctor: all well' : `VIOLATION doctor is not content\n${doctor.text}`);
  said.push(kept === null ? 'clean' : `NOT clean; ledger and store are kept in ${kept}`);
  return said.join('\n\n');
}

function wordsOf({ count, p50, p99 }: Waits): string {
  return `${count}, p50 ${p50} ms, p99 ${p99} ms`;
}

/** All that the ledger has of a task, in order. */
function storyOf(taskId: string | null, lines: ChaosReport['lines']): string {
  const told: [at: number, text: string][] = [];
  for (const line of lines) {
    if (!('taskId' in line) || line.taskId !== taskId) continue;
    if (line.kind === 'found')
      told.push(...line.history.map((entry): [number, string] => [entry.at, sentenceOf(entry)]));
    else {
      const { kind, at, taskId: _, ...rest } = line;
      told.push([at, `(${kind}) ${JSON.stringify(rest)}`]);
    }
  }
  return told
    .sort(([one], [other]) => one - other)
    .map(([at, text]) => `    ${new Date(at).toISOString()}  ${text}`)
    .join('\n');
}

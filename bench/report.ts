/** What came of a bench: rows of named figures, as a table for people and as JSON to be kept. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** One line: figures of one unit, by whose they are. A ratio stands beside what it compares. */
export interface Row {
  readonly name: string;
  readonly unit: 'tasks/s' | 'ms' | 'µs' | 'MiB' | 'bytes' | 'ratio' | 'tasks';
  readonly figures: Readonly<Record<string, number>>;
}

export interface Suite {
  readonly workload: string;
  readonly rows: readonly Row[];
}

export function print({ workload, rows }: Suite): void {
  for (const { name, unit, figures } of rows) {
    const shown = Object.entries(figures).map(([whose, figure]) => `${whose} ${figureText(figure, whose, unit)}`);
    process.stdout.write(`${workload}  ${`${name}, ${unit}`.padEnd(62)}  ${shown.join(' · ')}\n`);
  }
}

/** Keeps the figures with what they depend on. The name of the machine and its paths are nobody’s business. */
export function keep(name: string, suites: readonly Suite[], facts: { rounds: number; seconds: number }): string {
  const folder = new URL('./results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const file = fileURLToPath(new URL(`${name}.json`, folder));
  writeFileSync(file, `${JSON.stringify({ ...facts, ...machine(), suites }, null, 2)}\n`);
  return file;
}

function machine(): object {
  return {
    at: new Date().toISOString().slice(0, 16),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
    node: process.version,
    ...Object.fromEntries(['xstate', 'ws', 'msgpackr'].map((name) => [name, versionOf(name)])),
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    // What else the machine did: above the number of cores, trust the ratios alone.
    loadAtEnd: loadavg()[0],
  };
}

function versionOf(name: string): string {
  const file = new URL('../package.json', import.meta.url);
  const { dependencies } = JSON.parse(readFileSync(file, 'utf8')) as { dependencies: Record<string, string> };
  return dependencies[name] ?? 'unknown';
}

function figureText(figure: number, whose: string, unit: Row['unit']): string {
  if (unit === 'ratio' || whose.includes(':')) return figure.toFixed(3);
  if (unit === 'ms') return figure.toFixed(2);
  if (unit === 'µs' && figure < 100) return figure.toFixed(1);
  return Math.round(figure).toLocaleString('en').replaceAll(',', ' ');
}

/** A store whose machine loses power at random moments: made by replaying what a real process really wrote and flushed. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Random } from '../../src/protocol/ports.ts';
import { emptyLedger, startWriter } from './store-writer.ts';
import { type Image, imagesOf } from './write-record.ts';

const RECORDER = fileURLToPath(new URL('../fixtures/store/record-writes.c', import.meta.url));
const VERIFY = fileURLToPath(new URL('../fixtures/store/verify.mjs', import.meta.url));

export interface PowerLoss {
  readonly images: number;
  /** Writes that were pending, in all images together: 0 would prove nothing. */
  readonly pending: number;
  readonly acknowledged: number;
  /** What was wrong with an image, as sentences. */
  readonly losses: readonly string[];
}

/** Why the machine cannot do it, or null. */
export function whyNoRecording(): string | null {
  if (process.platform !== 'linux') return 'writes are recorded by LD_PRELOAD, which is of Linux';
  return spawnSync('gcc', ['--version']).status === 0 ? null : 'there is no gcc to compile the recorder';
}

/** Records a writer until it was told of `tasks` submits, then looks at `images` disks, half of them with torn writes. */
export async function losePower(
  dir: string,
  random: Random,
  { images, tasks = 600, noSync = false }: { images: number; tasks?: number; noSync?: boolean },
): Promise<PowerLoss> {
  const record = await recordWriter(dir, tasks, noSync);
  const losses: string[] = [];
  let [count, pending, acknowledged] = [0, 0, 0];
  for (const isTorn of [false, true]) {
    for (const image of imagesOf(record, Math.ceil(images / 2), random, isTorn)) {
      count += 1;
      pending += image.pending;
      acknowledged += image.ledger.submitted.size + image.ledger.completed.size;
      const loss = await verify(join(dir, 'image'), image);
      if (loss !== null) losses.push(`image ${count}${isTorn ? ', torn' : ''}: ${loss}`);
    }
  }
  return { images: count, pending, acknowledged, losses };
}

async function recordWriter(dir: string, tasks: number, noSync: boolean): Promise<Buffer> {
  mkdirSync(dir, { recursive: true });
  const [library, record] = [join(dir, 'record.so'), join(dir, 'record')];
  execFileSync('gcc', ['-shared', '-fPIC', '-O2', '-o', library, RECORDER, '-ldl', '-lpthread']);
  rmSync(record, { force: true });
  const ledger = emptyLedger();
  const env = { LD_PRELOAD: library, PINCER_RECORD: record };
  const writer = startWriter(join(dir, 'store'), ledger, { lanes: 16, noSync, env });
  await writer.openMs;
  while (ledger.submitted.size < tasks) await new Promise((resolve) => setTimeout(resolve, 10));
  writer.kill();
  await writer.ended;
  return readFileSync(record);
}

/** What an image has lost, or that it cannot be read; null if nothing. In a process of its own: a broken file may kill it. */
async function verify(dir: string, { bytes, ledger }: Image): Promise<string | null> {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  // Before the file has its first page, there was no store yet, and nothing that could have been acknowledged.
  if (bytes.byteLength > 0) writeFileSync(join(dir, 'pincer.mdb'), bytes);
  const told = { submitted: [...ledger.submitted], completed: [...ledger.completed] };
  const ledgerFile = join(dir, 'ledger.json');
  writeFileSync(ledgerFile, JSON.stringify(told));
  const child = spawn(process.execPath, [VERIFY, dir, ledgerFile], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const ended = await new Promise<string>((resolve) =>
    child.once('close', (code, signal) => resolve(`${signal ?? code}`)),
  );
  if (ended !== '0') return `it cannot be read (${ended}): ${stderr.slice(0, 300)}`;
  const { lost, faults } = JSON.parse(stdout) as { lost: string[]; faults: object[] };
  if (lost.length > 0) return `${lost.length} of ${told.submitted.length} are lost, such as ${lost[0]}`;
  return faults.length > 0 ? JSON.stringify(faults[0]) : null;
}

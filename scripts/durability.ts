/**
 * The proofs of the store on disk, as long as one likes: `npm run durability -- --kills 100 --images 300 --tasks 100000`.
 * Kills a writer again and again, makes the disks that a power failure could have left, and measures how long a store with
 * many live tasks takes to open. Exits with 1 if anything was lost. The same in small runs in test/e2e.
 */
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { seededRandom } from '../src/actors/world/seeded-random.ts';
import { lmdbStore } from '../src/store.ts';
import { losePower, whyNoRecording } from '../test/support/power-loss.ts';
import { killWriters } from '../test/support/store-kills.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '10' },
    images: { type: 'string', default: '20' },
    tasks: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
  },
});
const root = mkdtempSync(join(tmpdir(), 'pincer-durability-'));
const random = seededRandom(Number(values.seed));

try {
  await showKills(Number(values.kills));
  await showPower(Number(values.images));
  await showOpening(Number(values.tasks));
} finally {
  rmSync(root, { recursive: true, force: true });
}

async function showKills(count: number): Promise<void> {
  if (count === 0) return;
  const { acknowledged, lost, faults, openMs } = await killWriters(join(root, 'kills'), count, random);
  const sorted = openMs.toSorted((a, b) => a - b);
  say(`kill -9: ${count} kills, ${acknowledged} acknowledged, ${lost.length} lost, ${faults.length} faults; opened in`);
  say(`  ${sorted[sorted.length >> 1]} ms (median), ${sorted.at(-1)} ms (longest)`);
  judge([...lost, ...faults]);
}

async function showPower(images: number): Promise<void> {
  if (images === 0) return;
  const why = whyNoRecording();
  if (why !== null) {
    say(`power failure: not here: ${why}`);
    return;
  }
  const loss = await losePower(join(root, 'power'), random, { images });
  say(
    `power failure: ${loss.images} disks, ${loss.pending} writes pending in all, ${loss.losses.length} lost or unreadable`,
  );
  judge(loss.losses);
  const control = await losePower(join(root, 'control'), random, { images: Math.min(images, 20), noSync: true });
  say(`  control without flush: ${control.losses.length} of ${control.images} lost or unreadable`);
  if (control.losses.length === 0) judge(['the control lost nothing: this proof sees nothing']);
}

async function showOpening(tasks: number): Promise<void> {
  if (tasks === 0) return;
  const dir = join(root, 'opening');
  const filler = lmdbStore(dir, { noSync: true });
  await filler.open();
  const task = { type: 'echo', queue: 'echo ', needs: [], priority: 5, timeoutMs: 1_000, attemptsMax: 3 };
  const payload = new Uint8Array(500);
  for (let at = 0; at < tasks; at += 1_000) {
    const ids = Array.from({ length: Math.min(1_000, tasks - at) }, (_, n) => `t${at + n}`);
    await filler.submit(ids.map((taskId) => ({ ...task, taskId, payload, createdAt: 0 })));
  }
  await filler.close();
  // What lies unwritten in the cache of the system would be on the account of the first commit.
  flush(join(dir, 'pincer.mdb'));
  const store = lmdbStore(dir);
  const [openedAt, cpu] = [performance.now(), process.cpuUsage()];
  await store.open();
  const openMs = performance.now() - openedAt;
  const { user, system } = process.cpuUsage(cpu);
  const gateway = await store.join('gateway', 60_000);
  const claimed = (await store.claim(gateway, [{ queue: 'echo ', limit: 100 }], 100)) ?? [];
  const claimMs = performance.now() - openedAt - openMs;
  await store.close();
  say(
    `opening: ${tasks} live tasks in ${openMs.toFixed(1)} ms (${((user + system) / 1_000).toFixed(1)} ms of CPU); ${claimed.length} claimed ${claimMs.toFixed(1)} ms later`,
  );
}

function flush(path: string): void {
  const file = openSync(path, 'r+');
  fsyncSync(file);
  closeSync(file);
}

function judge(problems: readonly string[]): void {
  for (const problem of problems.slice(0, 20)) say(`  ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

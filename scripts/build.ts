/**
 * Builds dist from src: `npm run build`, or with `--if-stale` only when a source is newer than the last build.
 * The end-to-end tests call `buildIfStale` too, so what they start is always what src says.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = join(ROOT, 'dist');
const BUILDING = join(ROOT, `dist.${process.pid}.tmp`);
const INPUTS = ['src', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];
const EXECUTABLES = ['cli/main.js'];

/**
 * Compiles src into a dist that holds nothing else.
 * @throws when src does not compile; the old dist is then left as it was.
 */
export function build(): void {
  const startedAt = new Date();
  rmSync(BUILDING, { recursive: true, force: true });
  try {
    const tsc = join(createRequire(import.meta.url).resolve('typescript/package.json'), '../bin/tsc');
    const run = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', BUILDING], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    if (run.status !== 0) throw new Error(`src does not compile:\n${run.stdout}${run.stderr}`);
    for (const file of EXECUTABLES) {
      if (existsSync(join(BUILDING, file))) chmodSync(join(BUILDING, file), 0o755);
    }
    // The folder carries the time at which the sources were read: one saved during the build counts as newer.
    utimesSync(BUILDING, startedAt, startedAt);
    rmSync(DIST, { recursive: true, force: true });
    renameSync(BUILDING, DIST);
  } finally {
    rmSync(BUILDING, { recursive: true, force: true });
  }
}

/** Builds unless dist is newer than everything it is made of. Returns whether it built. */
export function buildIfStale(): boolean {
  const builtAtMs = existsSync(DIST) ? statSync(DIST).mtimeMs : 0;
  if (INPUTS.every((input) => newestMs(join(ROOT, input)) < builtAtMs)) return false;
  build();
  return true;
}

/** When the path, or anything below it, last changed. Folders count: a deleted file changes its folder. */
function newestMs(path: string): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    if (process.argv.includes('--if-stale')) buildIfStale();
    else build();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

/**
 * Packs Pincer as `npm publish` would and looks at the result: what is in it, whether its entry points resolve (publint),
 * whether its types do (attw). Expects a fresh dist; leaves nothing behind.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

const PACKAGE_BYTES_MAX = 1_500_000;
const EXPECTED = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'dist/index.js', 'dist/cli/main.js'];
const ALLOWED = /^(dist|diagrams|docs|examples|test\/fixtures\/frames)\/|^(package\.json|LICENSE|[A-Z]+\.md)$/;
const FORBIDDEN = /\.(test|tmp|tsbuildinfo)\b|(^|\/)\.|\.env$/;

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

const folder = mkdtempSync(join(tmpdir(), 'pincer-package-'));
try {
  const answer = npm(['pack', '--ignore-scripts', '--json', '--pack-destination', folder]);
  const [packed] = JSON.parse(answer) as [Packed];
  const faults = [...contentFaults(packed), ...(await entryPointFaults(join(folder, packed.filename)))];
  for (const fault of faults) console.error(`package: ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
  const types = spawnSync('npx', ['--no-install', 'attw', '--profile', 'esm-only', join(folder, packed.filename)], {
    encoding: 'utf8',
  });
  if (types.status !== 0) throw new Error(`the types do not resolve (attw):\n${types.stdout}${types.stderr}`);
  console.log(`package: ${packed.files.length} files, ${Math.ceil(packed.size / 1_024)} KiB packed`);
} catch (error) {
  console.error(`package: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function contentFaults({ files, size }: Packed): string[] {
  const paths = files.map(({ path }) => path);
  const faults = EXPECTED.filter((path) => !paths.includes(path)).map((path) => `${path} is not in it`);
  for (const path of paths) {
    if (!ALLOWED.test(path) || FORBIDDEN.test(path)) faults.push(`${path} does not belong in it`);
  }
  if (size > PACKAGE_BYTES_MAX) faults.push(`it has ${size} bytes, more than ${PACKAGE_BYTES_MAX}`);
  return [...faults, ...commandFaults()];
}

/** The command must start as a script of its own: npm keeps the first line and the mode of the file. */
function commandFaults(): string[] {
  const faults: string[] = [];
  if (!readFileSync('dist/cli/main.js', 'utf8').startsWith('#!/usr/bin/env node\n')) {
    faults.push('dist/cli/main.js does not start with #!/usr/bin/env node');
  }
  if ((statSync('dist/cli/main.js').mode & 0o111) === 0) faults.push('dist/cli/main.js is not executable');
  return faults;
}

async function entryPointFaults(file: string): Promise<string[]> {
  const bytes = readFileSync(file);
  const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
  return messages
    .filter(({ type }) => type !== 'suggestion')
    .map((message) => formatMessage(message, pkg, { color: false }) ?? message.code);
}

function npm(args: readonly string[]): string {
  return execFileSync('npm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

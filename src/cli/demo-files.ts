/** What the demo works on: files, the program that sums them, and the sum that Node itself gives. */
import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { access, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { PincerError } from '../client.ts';

const FILES_MAX = 400;
const FILE_BYTES_MAX = 16_777_216;

/** Fewer tasks than this are over before a node can be killed among them. */
const TASKS_MIN = 90;

/**
 * The readable files below some paths, without node_modules and dot files: at most 400, none above 16 MiB.
 * @throws PincerError `OPTION_INVALID` when there are none.
 */
export async function filesBelow(directory: string, within: readonly string[] = ['']): Promise<string[]> {
  const files: string[] = [];
  const open = [...within];
  for (let next = open.shift(); next !== undefined && files.length < FILES_MAX; next = open.shift()) {
    const entries = await readdir(path.join(directory, next), { withFileTypes: true }).catch(() => []);
    for (const entry of entries.sort((one, other) => (one.name < other.name ? -1 : 1))) {
      if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
      const file = path.join(next, entry.name);
      if (entry.isDirectory()) open.push(file);
      else if (entry.isFile() && (await isUsable(path.join(directory, file)))) files.push(file);
    }
  }
  if (files.length > 0) return files.slice(0, FILES_MAX);
  throw new PincerError('OPTION_INVALID', `there are no readable files in ${directory}`, {
    hint: 'Name a directory with files: `pincer demo --dir DIR`.',
  });
}

async function isUsable(file: string): Promise<boolean> {
  const isReadable = access(file, constants.R_OK).then(
    () => true,
    () => false,
  );
  return (await isReadable) && (await stat(file)).size <= FILE_BYTES_MAX;
}

/** How often each file is summed, so that there is a half-way even in a small directory. */
export function roundsOf(files: number): number {
  return Math.max(1, Math.ceil(TASKS_MIN / files));
}

/** A program that prints the SHA-256 sum of a file, and what it wants to be told before the file’s name. */
export interface SumProgram {
  readonly command: string;
  readonly args: readonly string[];
}

const PROGRAMS: readonly SumProgram[] = [
  { command: 'sha256sum', args: ['--'] },
  // What macOS brings along.
  { command: 'shasum', args: ['-a', '256', '--'] },
];

/**
 * The first of the two that is on PATH.
 * @throws PincerError `OPTION_INVALID` when none is.
 */
export function sumProgram(searchPath = process.env['PATH'] ?? ''): SumProgram {
  const found = PROGRAMS.find(({ command }) =>
    searchPath.split(path.delimiter).some((directory) => directory !== '' && isProgram(path.join(directory, command))),
  );
  if (found !== undefined) return found;
  throw new PincerError('OPTION_INVALID', 'the demo needs sha256sum or shasum, and neither is on PATH', {
    hint: 'Install the GNU core utilities, or start a gateway and a node by hand: `pincer --help`.',
  });
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The sum that such a program printed. It begins the line with a backslash when the name has one, or a line end. */
export function sumIn(stdout: string): string {
  return stdout.replace(/^\\/, '').slice(0, 64);
}

/** The sum by node:crypto; null when the file cannot be read any more. */
export async function sumByNode(file: string): Promise<string | null> {
  const bytes = await readFile(file).catch(() => null);
  return bytes === null ? null : createHash('sha256').update(bytes).digest('hex');
}

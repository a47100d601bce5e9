/** What isolates start with. It is run by Node itself, so it is always the built files, also under test. */
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';

/**
 * What a thread or process of ours runs first. Looked for when one starts: a bundle may be far from the package, one of
 * CommonJS does not even know where it is, and neither is to keep from starting what isolates nothing.
 */
export function entryFile(): string {
  const { url = path.join(process.cwd(), 'app.js') } = import.meta as Partial<ImportMeta>;
  return path.join(path.dirname(createRequire(url).resolve('pincer/package.json')), 'dist/isolation/entry.js');
}

/** Flags that say what a process runs, where that is no file. */
const PROGRAM = ['-e', '--eval', '-p', '--print', '-pe', '--input-type'];

/** Of the flags of this process those that are good for another file: with its program given as text it would run that again. */
export function flagsOf(execArgv: readonly string[]): string[] {
  const isProgram = (flag: string | undefined): boolean => PROGRAM.includes(flag ?? '');
  return execArgv.filter(
    (flag, index) =>
      !isProgram(flag) && !isProgram(execArgv[index - 1]) && !PROGRAM.some((name) => flag.startsWith(`${name}=`)),
  );
}

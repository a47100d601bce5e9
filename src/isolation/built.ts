/** What isolates start with. It is run by Node itself, so it is always the built files, also under test. */
import { createRequire } from 'node:module';
import path from 'node:path';

const ROOT = path.dirname(createRequire(import.meta.url).resolve('pincer/package.json'));

/** What a thread or process of ours runs first. */
export const ENTRY = path.join(ROOT, 'dist/isolation/entry.js');

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

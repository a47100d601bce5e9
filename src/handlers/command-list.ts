/**
 * Which programs may be run: bare names, each bound to an absolute path when the handler is made. A program installed
 * later, or a PATH changed later, therefore changes nothing.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { PincerError } from '../protocol/failure.ts';
import { plainText } from '../protocol/identifier.ts';

/** Names to be found on PATH, or names with the absolute path of each. */
export type AllowedCommands = readonly string[] | Readonly<Record<string, string>>;

const NAMES_SHOWN_MAX = 20;

export class CommandList {
  readonly #paths: ReadonlyMap<string, string>;

  /** @throws PincerError `OPTION_INVALID` when there is none, or naming the one that is not a bare name or not found. */
  constructor(allow: AllowedCommands, searchPath: string) {
    const given: readonly (readonly [string, string | undefined])[] = isList(allow)
      ? allow.map((name) => [name, undefined] as const)
      : Object.entries(allow ?? {});
    if (given.length === 0) {
      throw new PincerError('OPTION_INVALID', 'allow is empty: name the commands that tool-execution may run');
    }
    this.#paths = new Map(
      given.map(([name, path]) => {
        if (!/^[^/\\\0]+$/.test(name) || name === '.' || name === '..') {
          throw new PincerError(
            'OPTION_INVALID',
            `allow: '${plainText(name)}' must be a bare name, without a directory`,
          );
        }
        return [name, path === undefined ? found(name, searchPath) : checkedPath(name, path)];
      }),
    );
  }

  /**
   * The absolute path of an allowed command.
   * @throws PincerError `COMMAND_NOT_ALLOWED`, which names the commands that are allowed but not where they are.
   */
  pathOf(name: string): string {
    const path = this.#paths.get(name);
    if (path !== undefined) return path;
    const names = [...this.#paths.keys()].sort();
    const shown = names.slice(0, NAMES_SHOWN_MAX).join(', ');
    const rest = names.length > NAMES_SHOWN_MAX ? ` and ${names.length - NAMES_SHOWN_MAX} more` : '';
    throw new PincerError(
      'COMMAND_NOT_ALLOWED',
      `command '${plainText(name, 64)}' is not allowed on this node; allowed: ${shown}${rest}`,
    );
  }
}

function isList(allow: AllowedCommands): allow is readonly string[] {
  return Array.isArray(allow);
}

// Relative entries of PATH are passed over: what they mean depends on where the process happens to stand.
function found(name: string, searchPath: string): string {
  const fileNames = process.platform === 'win32' ? [name, `${name}.exe`, `${name}.com`] : [name];
  for (const directory of searchPath.split(delimiter).filter(isAbsolute)) {
    for (const fileName of fileNames) {
      const path = join(directory, fileName);
      if (isProgram(path)) return path;
    }
  }
  throw new PincerError('OPTION_INVALID', `allow: '${plainText(name)}' was not found on PATH`);
}

function checkedPath(name: string, path: string): string {
  if (isAbsolute(path) && isProgram(path)) return path;
  throw new PincerError('OPTION_INVALID', `allow: '${plainText(name)}' must be the absolute path of a program`);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

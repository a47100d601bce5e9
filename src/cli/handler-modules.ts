/** The modules of handlers that `pincer node` is given: loaded, and where they fail, named with the line. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type IsolationOptions, isolatedHandler, PincerError, type Registration } from '../node.ts';

/** How handlers of modules are isolated, if they are. */
export interface ModuleOptions {
  readonly isolate?: IsolationOptions['isolate'];
  readonly memoryMb?: number;
}

/** What a syntax check may take. */
const CHECK_MS = 10_000;
/** This package, whose own frames say nothing of the fault of a module. */
const PINCER = new URL('../', import.meta.url).href;

/**
 * The handlers that a module exports, by default or by name, singly or in arrays.
 * @throws PincerError `OPTION_INVALID` naming the module, and the line where it fails
 */
export async function handlersOf(module: string, { isolate, memoryMb }: ModuleOptions): Promise<Registration[]> {
  const url = pathToFileURL(path.resolve(module));
  let exported: Record<string, unknown>;
  try {
    exported = (await import(url.href)) as Record<string, unknown>;
  } catch (error) {
    const place = placeIn(error) ?? (error instanceof SyntaxError ? placeOfSyntaxError(url) : null);
    const where = place === null ? '' : `${place}: `;
    const isUnread = (error as NodeJS.ErrnoException | null)?.code === 'ERR_UNKNOWN_FILE_EXTENSION';
    throw new PincerError('OPTION_INVALID', `the module ${module} cannot be loaded: ${where}${String(error)}`, {
      cause: error,
      hint: isUnread
        ? 'Node reads no such file by itself: compile it, or set NODE_OPTIONS="--import tsx", with the package tsx.'
        : `\`node ${module}\` loads it by itself, and shows more of what is wrong.`,
    });
  }
  const handlers = Object.values(exported).flat().filter(isRegistration);
  if (handlers.length > 0) {
    if (isolate === undefined) return handlers;
    const options = { module: url, isolate, ...(memoryMb === undefined ? {} : { memoryMbMax: memoryMb }) };
    // What a module isolates by itself stays as it says.
    return handlers.map((handler) => ('isolation' in handler ? handler : isolatedHandler(handler.definition, options)));
  }
  throw new PincerError('OPTION_INVALID', `the module ${module} exports no handlers`, {
    hint: 'Export what defineHandler(task, handler) returns, singly or in an array.',
  });
}

function isRegistration(value: unknown): value is Registration {
  if (typeof value !== 'object' || value === null || !('definition' in value)) return false;
  const { definition } = value;
  // A node with a handler of no type is refused in ways that do not tell of the module.
  if (typeof definition !== 'object' || definition === null || !('type' in definition)) return false;
  if (typeof definition.type !== 'string') return false;
  const isIsolated = 'isolation' in value && typeof value.isolation === 'object' && value.isolation !== null;
  return isIsolated || ('handler' in value && typeof value.handler === 'function');
}

/** `FILE:LINE` of the first frame that is the application’s; null: the stack has none. */
function placeIn(error: unknown): string | null {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  for (const [, file = '', line] of stack.matchAll(/(file:\/\/[^\s()]+?):(\d+)/g)) {
    if (!file.startsWith(PINCER) && !file.includes('/node_modules/')) return `${fileURLToPath(file)}:${line}`;
  }
  return null;
}

/** Of a syntax error Node tells the place only when it ends a process of it. */
function placeOfSyntaxError(url: URL): string | null {
  const { stderr } = spawnSync(process.execPath, ['--check', fileURLToPath(url)], {
    encoding: 'utf8',
    timeout: CHECK_MS,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return /^(?:file:\/\/)?(.+:\d+)$/m.exec(stderr)?.[1] ?? null;
}

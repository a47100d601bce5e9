/** Colours, decided for each stream: a terminal gets them, a file or a pipe does not, and NO_COLOR turns them off. */
import process from 'node:process';
import picocolors from 'picocolors';

type Environment = Readonly<Record<string, string | undefined>>;

/** The colours for one stream. FORCE_COLOR gives them to a pipe, too; NO_COLOR (https://no-color.org) wins over it. */
export function coloursFor(
  stream: { readonly isTTY?: boolean },
  environment: Environment = process.env,
): ReturnType<typeof picocolors.createColors> {
  const isSet = (name: string): boolean => (environment[name] ?? '') !== '';
  const isTerminal = stream.isTTY === true && environment['TERM'] !== 'dumb';
  return picocolors.createColors(!isSet('NO_COLOR') && (isTerminal || isSet('FORCE_COLOR')));
}

/** For results. */
export const onStdout = coloursFor(process.stdout);

/** For everything else. */
export const onStderr = coloursFor(process.stderr);

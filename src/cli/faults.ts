/** What went wrong, in words and as an exit code. Loaded when something has: most of Pincer comes along. */
import type { CommanderError } from 'commander';
import { PincerError } from '../client.ts';
import { exitCodeOf } from './exit-codes.ts';
import { createOutput } from './output.ts';

const HELP = 'Add --help for what there is.';

/** Says what a command has failed with. Returns what the process ends with. */
export function tell(error: unknown, { isJson, isVerbose }: { isJson: boolean; isVerbose: boolean }): number {
  const failure =
    error instanceof PincerError
      ? error
      : new PincerError('INTERNAL', error instanceof Error ? error.message : String(error), { cause: error });
  createOutput({ json: isJson }).fail(withHelp(failure));
  // Only a fault of ours has a stack that is worth reading, and only to who asks for it.
  if (failure.code === 'INTERNAL' && isVerbose) console.error(failure.cause ?? failure);
  return exitCodeOf(failure);
}

/** What Commander says, in the shape of every other error. */
export function wrongUse({ code, message }: CommanderError): PincerError {
  const said = code === 'commander.help' ? 'a command is missing' : message.replace(/^error: /, '');
  return new PincerError('OPTION_INVALID', said, { hint: HELP });
}

/** What has been said did not arrive. */
export function unwritable(error: Error): PincerError {
  return new PincerError('OUTPUT_UNWRITABLE', `the output could not be written: ${error.message}`, { cause: error });
}

/** An option that is wrong is mended from the list of options, where nothing nearer is said. */
function withHelp(error: PincerError): PincerError {
  const { code, message, hint, cause } = error;
  const isNear = hint !== new PincerError('OPTION_INVALID', '').hint;
  return code !== 'OPTION_INVALID' || isNear ? error : new PincerError(code, message, { cause, hint: HELP });
}

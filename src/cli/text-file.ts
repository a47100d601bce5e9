/** Text of files that a command line names. */
import { readFileSync } from 'node:fs';
import { PincerError } from '../client.ts';

/**
 * The text of a file; `what` names it, and the option, in the error.
 * @throws PincerError `OPTION_INVALID` with the reason why it cannot be read
 */
export function textIn(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PincerError('OPTION_INVALID', `${what} cannot be read: ${reason}`, {
      cause: error,
      hint: 'Name a file that is there and that this user may read.',
    });
  }
}

/** Secrets come from files: what stands in a command line can be read by everybody on the machine. */
import { PincerError } from '../client.ts';
import { textIn } from './text-file.ts';

/**
 * The text of a file that holds a secret, without the white space around it.
 * @throws PincerError `OPTION_INVALID` when it cannot be read or is empty; never with what is in it.
 */
export function secretIn(file: string, option: string): string {
  const text = textIn(file, `${option} ${file}`).trim();
  if (text === '') throw new PincerError('OPTION_INVALID', `${option} ${file} is empty`);
  return text;
}

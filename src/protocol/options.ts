/** What is asked of options before anything is read of them: what is not typed may give anything. */
import { PincerError } from './failure.ts';

/**
 * @throws PincerError `OPTION_INVALID` for options that are no object, by the name of the call and with what it takes
 */
export function checkOptions(options: unknown, call: string, takes: string): void {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return;
  throw new PincerError('OPTION_INVALID', `${call}: takes an object with ${takes}`);
}

/**
 * @throws PincerError `OPTION_INVALID` for something that lacks a function, naming both
 */
export function checkPort(port: unknown, name: string, functions: readonly string[]): void {
  const given = port as Readonly<Record<string, unknown>> | null | undefined;
  const lacking = functions.find((each) => typeof given?.[each] !== 'function');
  if (lacking === undefined) return;
  throw new PincerError('OPTION_INVALID', `${name} has no function ${lacking}; it needs ${functions.join(', ')}`);
}

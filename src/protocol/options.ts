/** What is asked of options before anything is read of them: what is not typed may give anything. */
import { PincerError } from './failure.ts';
import { plainText } from './identifier.ts';
import { nearestOf } from './nearest-name.ts';

/** The name of each option of a call. The compiler refuses a list that lacks one, or has one that is none. */
export type Names<Options> = Readonly<Record<keyof Options, true>>;

/**
 * @throws PincerError `OPTION_INVALID` for options that are no object, by the name of the call and with what it takes; and
 *   for one that there is not, with the name that may have been meant.
 *   Without `names` anything may stand beside what is known, as in a record that is passed on.
 */
export function checkOptions<Options>(options: unknown, call: string, takes: string, names?: Names<Options>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new PincerError('OPTION_INVALID', `${call}: takes an object with ${takes}`);
  }
  if (names === undefined) return;
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(names, name));
  if (unknown !== undefined) throw unknownOption(unknown, call, Object.keys(names));
}

function unknownOption(name: string, call: string, names: readonly string[]): PincerError {
  const nearest = nearestOf(name, names);
  const meant = nearest === null ? '' : `; did you mean ${nearest}?`;
  const hint = `It takes ${names.join(', ')}.`;
  return new PincerError('OPTION_INVALID', `${call}: there is no option ${plainText(name, 100)}${meant}`, { hint });
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

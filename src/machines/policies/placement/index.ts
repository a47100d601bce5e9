/** Every placement strategy, by the name that options and the command line use. */
import { PincerError } from '../../../protocol/failure.ts';
import { consistentHash } from './consistent-hash.ts';
import { leastConnections } from './least-connections.ts';
import { leastLoad } from './least-load.ts';
import type { Strategy } from './placement.ts';
import { powerOfTwo } from './power-of-two.ts';
import { roundRobin } from './round-robin.ts';
import { weighted } from './weighted.ts';

export const strategies = {
  'round-robin': roundRobin,
  'least-connections': leastConnections,
  'least-load': leastLoad,
  weighted,
  'consistent-hash': consistentHash,
  'power-of-two': powerOfTwo,
} as const satisfies Record<string, Strategy>;

/** The name of one of the strategies that Pincer has, such as `least-connections`. */
export type StrategyName = keyof typeof strategies;

/**
 * The strategy of that name, an app’s own ones included.
 * @throws PincerError `OPTION_INVALID`, naming those there are.
 */
export function strategyOf(name: string, own: Readonly<Record<string, Strategy>> = {}): Strategy {
  const known: Readonly<Record<string, Strategy>> = { ...strategies, ...own };
  const strategy = Object.hasOwn(known, name) ? known[name] : undefined;
  if (strategy !== undefined) return strategy;
  throw new PincerError('OPTION_INVALID', `'${name}' is not a strategy; there are ${Object.keys(known).join(', ')}`);
}

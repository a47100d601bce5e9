/**
 * Repeatable randomness for tests and simulations: the same seed gives the same numbers on every machine. Not for
 * tokens or keys.
 *
 * The generator is sfc32 ("small fast counter", 128 bits of state) by Chris Doty-Humphrey, from PractRand
 * (https://pracrand.sourceforge.net, public domain); it passes PractRand's and BigCrush's tests.
 */
import type { Random } from '../../protocol/ports.ts';

/** Numbers in [0, 1) that depend on nothing but `seed`, a whole number. Neighbouring seeds give unrelated numbers. */
export function seededRandom(seed: number): Random {
  let a = 0;
  let b = seed | 0;
  let c = Math.floor(seed / 2 ** 32) | 0;
  let counter = 1;

  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  // The seed needs these rounds to reach all of the state.
  for (let round = 0; round < 15; round += 1) next();
  return next;
}

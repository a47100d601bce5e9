import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/actors/world/seeded-random.ts';

const draw = (seed: number, count: number): number[] => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random());
};

describe('seeded random numbers', () => {
  it('depend on nothing but the seed', () => {
    expect(draw(7, 100)).toEqual(draw(7, 100));
    const firsts = Array.from({ length: 1_000 }, (_, seed) => draw(seed, 1)[0]);
    expect(new Set([...firsts, draw(2 ** 40, 1)[0]]).size).toBe(1_001);
  });

  it('fill [0, 1) evenly, and neighbouring seeds are unrelated', () => {
    const ofOneSeed = draw(1, 10_000);
    const ofManySeeds = Array.from({ length: 10_000 }, (_, seed) => draw(seed, 1)[0] ?? -1);
    for (const numbers of [ofOneSeed, ofManySeeds]) {
      const tenths = new Array<number>(10).fill(0);
      for (const number of numbers) tenths[Math.floor(number * 10)] = (tenths[Math.floor(number * 10)] ?? 0) + 1;
      expect(tenths).toHaveLength(10);
      for (const count of tenths) expect(Math.abs(count - 1_000)).toBeLessThan(150);
    }
  });
});

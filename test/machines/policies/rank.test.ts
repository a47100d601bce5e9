import { describe, expect, it } from 'vitest';
import { comparePlaces, rankOf, spacedTimeMs } from '../../../src/machines/policies/rank.ts';

const agingMs = 60_000;

describe('the rank of a task', () => {
  it('is its time of submit, a level of priority being worth so much waiting', () => {
    expect(rankOf({ nowMs: 1_000.7, priority: 5, agingMs })).toBe(1_000);
    expect(rankOf({ nowMs: 1_000, priority: 4, agingMs })).toBe(1_000 - agingMs);
    expect(rankOf({ nowMs: 1_000, priority: 10, agingMs })).toBe(1_000 + 5 * agingMs);
  });

  it('bounds how long the lowest priority is overtaken by the highest: nine levels', () => {
    const lowest = rankOf({ nowMs: 0, priority: 10, agingMs });
    expect(rankOf({ nowMs: 9 * agingMs - 1, priority: 1, agingMs })).toBeLessThan(lowest);
    expect(rankOf({ nowMs: 9 * agingMs + 1, priority: 1, agingMs })).toBeGreaterThan(lowest);
  });

  it('orders equal ranks by submit', () => {
    const places = [
      { rank: 2, seq: 1 },
      { rank: 1, seq: 3 },
      { rank: 1, seq: 2 },
    ];
    expect(places.toSorted(comparePlaces).map(({ seq }) => seq)).toEqual([2, 3, 1]);
  });
});

describe('the time by which a task with a fair key ranks', () => {
  it.each([
    ['none of its key waits', { timeMs: 1_000, lastMs: Number.NEGATIVE_INFINITY }, 1_100],
    ['another one waits', { timeMs: 1_000, lastMs: 1_250 }, 1_350],
    ['the last of its key is long past', { timeMs: 1_000, lastMs: 300 }, 1_100],
    ['so many wait that it would be put too far', { timeMs: 1_000, lastMs: 1_950 }, 2_000],
  ])('is spaced, within a bound: %s', (_, facts, wanted) => {
    expect(spacedTimeMs({ ...facts, spacingMs: 100, aheadMsMax: 1_000 })).toBe(wanted);
  });
});

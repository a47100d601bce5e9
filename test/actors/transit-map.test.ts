/** A Map for what comes and goes: to its owner it is a Map, however often it is replaced. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TransitMap } from '../../src/actors/transit-map.ts';

type Step = readonly ['set' | 'delete', number] | readonly ['clear'];

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('set' as const), fc.nat(40)) },
  { weight: 5, arbitrary: fc.tuple(fc.constant('delete' as const), fc.nat(40)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('clear' as const)) },
);

describe('a transit map', () => {
  it('has what a Map has, in its order, after any steps', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const map = new Map<number, object>();
        const transit = new TransitMap<number, object>();
        for (const [what, key = 0] of steps) {
          const value = { key };
          if (what === 'set') {
            map.set(key, value);
            transit.set(key, value);
          } else if (what === 'delete') expect(transit.delete(key)).toBe(map.delete(key));
          else {
            map.clear();
            transit.clear();
          }
          expect(transit.get(key)).toBe(map.get(key));
          expect([transit.has(key), transit.size]).toEqual([map.has(key), map.size]);
        }
        expect([...transit]).toEqual([...map]);
        expect([[...transit.keys()], [...transit.values()]]).toEqual([[...map.keys()], [...map.values()]]);
      }),
    );
  });

  it('loses nothing and keeps its order while a hundred thousand pass through it', () => {
    const map = new Map<string, number>();
    const transit = new TransitMap<string, number>();
    for (let n = 0; n < 100_000; n += 1) {
      map.set(`task-${n}`, n);
      transit.set(`task-${n}`, n);
      // One in a hundred stays.
      if (n < 100 || n % 100 === 0) continue;
      map.delete(`task-${n}`);
      transit.delete(`task-${n}`);
    }
    expect([...transit]).toEqual([...map]);
  });
});

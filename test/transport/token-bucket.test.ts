import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenBucket } from '../../src/transport/token-bucket.ts';

describe('a token bucket', () => {
  it('lets a burst through, then asks to wait for what was taken too much', () => {
    const bucket = new TokenBucket(10, 0, 5);
    expect(Array.from({ length: 7 }, () => bucket.take(1, 0))).toEqual([0, 0, 0, 0, 0, 100, 200]);
  });

  it('refills with time, up to its burst', () => {
    const bucket = new TokenBucket(10, 1_000, 5);
    expect(bucket.take(5, 1_000)).toBe(0);
    expect(bucket.take(2, 1_200)).toBe(0);
    expect(bucket.take(6, 100_000)).toBe(100);
    expect(bucket.take(1, 100_050)).toBe(150);
  });

  it('takes more than its burst at once, and waits the longer', () => {
    expect(new TokenBucket(10, 0, 5).take(25, 0)).toBe(2_000);
  });

  it('never lets through more than its burst and its rate allow, if one waits as told', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ amount: fc.integer({ min: 1, max: 20 }), pauseMs: fc.nat(100) }), { minLength: 1 }),
        (takes) => {
          const bucket = new TokenBucket(100, 0, 50);
          let now = 0;
          let taken = 0;
          for (const { amount, pauseMs } of takes) {
            now += pauseMs;
            expect(taken).toBeLessThanOrEqual(50 + now / 10 + 1e-6);
            taken += amount;
            now += bucket.take(amount, now);
          }
          expect(taken).toBeLessThanOrEqual(50 + now / 10 + 1e-6);
        },
      ),
    );
  });
});

import { describe, expect, it } from 'vitest';
import { turnClock } from '../../../src/actors/world/turn-clock.ts';
import type { Clock } from '../../../src/protocol/ports.ts';

/** A clock of which each look takes a millisecond. */
function lookedAt(): Clock & { looks: number } {
  return {
    looks: 0,
    now() {
      this.looks += 1;
      return this.looks;
    },
    wallTime() {
      return 1_000 + this.looks;
    },
    schedule: () => () => {},
    soon() {},
  };
}

describe('a clock of turns', () => {
  it('stands still until what runs has returned, and shows the time again after that', async () => {
    const real = lookedAt();
    const clock = turnClock(real);
    expect([clock.now(), clock.wallTime(), clock.now()]).toEqual([1, 1_001, 1]);
    await Promise.resolve();
    expect([clock.wallTime(), clock.now()]).toEqual([1_002, 2]);
    expect(real.looks).toBe(2);
  });
});

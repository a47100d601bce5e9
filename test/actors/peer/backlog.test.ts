import { describe, expect, it } from 'vitest';
import { Backlog } from '../../../src/actors/peer/backlog.ts';
import { heldOf } from '../../support/garbage.ts';

describe('a backlog', () => {
  it('gives what waits in order, one by one or all at once', () => {
    const backlog = new Backlog<{ readonly n: number }>();
    const taken: number[] = [];
    for (let n = 0; n < 10_000; n += 1) {
      backlog.push({ n });
      if (n % 3 === 0) taken.push(backlog.take()?.n ?? -1);
    }
    expect(backlog.size).toBe(10_000 - taken.length);
    const rest = backlog.takeAll().map(({ n }) => n);
    expect([...taken, ...rest]).toEqual(Array.from({ length: 10_000 }, (_, n) => n));
    expect([backlog.size, backlog.take()]).toEqual([0, undefined]);
    backlog.push({ n: 1 });
    expect([backlog.take(), backlog.size]).toEqual([{ n: 1 }, 0]);
  });

  it('keeps nothing of what was taken, also if it is never empty', async () => {
    const backlog = new Backlog();
    const seen: WeakRef<object>[] = [];
    for (let n = 0; n < 5_000; n += 1) {
      const item = { n };
      seen.push(new WeakRef(item));
      backlog.push(item);
      if (n >= 3) backlog.take();
    }
    expect(await heldOf(seen)).toBe(3);
    expect(backlog.size).toBe(3);
  });
});

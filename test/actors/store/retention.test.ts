/** The settled tasks of the memory store: a queue of which some leave from the middle, since they are redriven. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MemoryRow } from '../../../src/actors/store/memory/memory-row.ts';
import { submittedHistory } from '../../../src/actors/store/memory/packed-history.ts';
import { Retention } from '../../../src/actors/store/memory/retention.ts';
import { Course } from '../../../src/actors/store/memory/row-parts.ts';
import { heldOf } from '../../support/garbage.ts';

function aRow(n: number): MemoryRow {
  const course = new Course(submittedHistory(0));
  return { taskId: `t-${n}`, resultBytes: n % 7, payloadBytes: n % 11, isForgotten: false, course } as MemoryRow;
}

/** So many settle, are redriven (every so manieth of them that are there), or are forgotten for being the oldest. */
const step = fc.oneof(
  fc.record({ what: fc.constant('settle' as const), count: fc.nat(900) }),
  fc.record({ what: fc.constant('redrive' as const), every: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ what: fc.constant('forget' as const), count: fc.nat(900) }),
);

describe('settled tasks', () => {
  it('are forgotten in the order in which they settled, whichever were redriven, and are counted', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const retention = new Retention();
        let model: MemoryRow[] = [];
        let last = 0;
        for (const each of steps) {
          if (each.what === 'settle') {
            for (let n = 0; n < each.count; n += 1) {
              const row = aRow(++last);
              model.push(row);
              retention.add(row);
            }
          } else if (each.what === 'redrive') {
            const gone = model.filter((_, index) => index % each.every === 0);
            model = model.filter((_, index) => index % each.every !== 0);
            // The newest first: others than the oldest leave, too.
            for (const row of gone.reverse()) retention.drop(row);
          } else {
            for (const row of model.splice(0, each.count)) {
              expect(retention.oldest()).toBe(row);
              retention.drop(row);
            }
          }
          const bytes = model.reduce((sum, row) => sum + row.resultBytes + row.payloadBytes, 0);
          expect([retention.oldest(), retention.tasks, retention.bytes]).toEqual([model[0], model.length, bytes]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('that are forgotten or redriven are let go of, all but few', async () => {
    const retention = new Retention();
    const fill = (): WeakRef<object>[] => {
      const rows = Array.from({ length: 4_000 }, (_, n) => aRow(n));
      for (const row of rows) retention.add(row);
      for (let n = 3_500; n > 2_500; n -= 1) retention.drop(rows[n] as MemoryRow);
      for (let n = 0; n < 500; n += 1) retention.drop(rows[n] as MemoryRow);
      return rows.map((row) => new WeakRef(row));
    };
    const rows = fill();
    // One in sixteen of those that stay may be there still.
    expect(await heldOf(rows)).toBeLessThan(2_500 * (17 / 16));
    expect(retention.tasks).toBe(2_500);
  });
});

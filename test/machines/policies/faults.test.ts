import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Fault, faultKindOf, NO_FAULTS, restMs, withFault } from '../../../src/machines/policies/faults.ts';
import { FAILURES } from '../../../src/protocol/failure.ts';

const LIMITS = { breakerWindowMs: 60_000, breakerIncidentMs: 250 };

function countOf(faults: readonly Fault[]): number {
  let row = NO_FAULTS;
  for (const fault of faults) row = withFault(row, fault, LIMITS);
  return row.count;
}

const refusal = (nowMs: number, ...taskIds: string[]): Fault => ({ kind: 'refusal', nowMs, taskIds });
const crash = (nowMs: number, ...taskIds: string[]): Fault => ({ kind: 'crash', nowMs, taskIds });

describe('the faults of a node', () => {
  it('#78 are never those of a handler: only four failures count at all', () => {
    const kinds = Object.keys(FAILURES).map((code) => [code, faultKindOf(code)] as const);
    expect(Object.fromEntries(kinds.filter(([, kind]) => kind !== null))).toEqual({
      NODE_FULL: 'refusal',
      UNDELIVERED: 'refusal',
      HANDLER_NOT_LOADED: 'crash',
      NODE_LOST: 'crash',
    });
    expect(faultKindOf('A_CODE_OF_A_HANDLER')).toBeNull();
  });

  it('are in a row while no more than the window lies between two', () => {
    expect(countOf([refusal(0), refusal(60_000), refusal(120_000)])).toBe(3);
    expect(countOf([refusal(0), refusal(60_001)])).toBe(1);
  });

  it('have one cause when they come together, and not for ever', () => {
    expect(countOf([refusal(0), refusal(100), refusal(200), refusal(250)])).toBe(1);
    expect(countOf([refusal(0), refusal(200), refusal(400)])).toBe(2);
  });

  it('count for the same task again only where no task can have a hand in them', () => {
    expect(countOf([refusal(0, 't'), refusal(1_000, 't'), refusal(2_000, 't')])).toBe(3);
    expect(countOf([crash(0, 't'), crash(1_000, 't'), crash(2_000, 't')])).toBe(1);
    expect(countOf([crash(0, 't'), crash(1_000, 'u'), crash(2_000, 'v')])).toBe(3);
  });

  it('#78 cannot be made by one task, whatever died with it and however often', () => {
    const crashes = fc.array(
      fc.record({ afterMs: fc.integer({ min: 300, max: 59_000 }), others: fc.array(fc.string({ maxLength: 4 })) }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(crashes, (list) => {
        let nowMs = 0;
        const faults = list.map(({ afterMs, others }) => {
          nowMs += afterMs;
          return crash(nowMs, 'poison', ...others);
        });
        expect(countOf(faults)).toBe(Math.min(1, list.length));
      }),
    );
  });
});

describe('the rest of a node', () => {
  it('doubles up to its cap, spread by a tenth', () => {
    const limits = { breakerRestMs: 5_000, breakerRestMaxMs: 300_000 };
    expect([1, 2, 3, 7, 100].map((trips) => restMs(trips, limits, 0.5))).toEqual([5e3, 10e3, 20e3, 300e3, 300e3]);
    expect([0, 1].map((random) => restMs(1, limits, random))).toEqual([4_500, 5_500]);
  });
});

/** Histories packed into shared lines and times give back what was told. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  entriesOf,
  Histories,
  type PackedHistory,
  submittedHistory,
} from '../../../src/actors/store/memory/packed-history.ts';
import { toldLate } from '../../../src/protocol/history.ts';

const CREATED_AT = 1_795_000_000_000;

const told = fc.record({
  // Clocks are set back, and not every one counts whole milliseconds.
  at: fc.oneof(fc.integer({ min: -5_000, max: 5_000_000 }), fc.double({ min: 0, max: 1e13, noNaN: true })),
  event: fc.constantFrom('task.claimed', 'attempt.started', 'task.completed'),
  node: fc.constantFrom(undefined, 'n1', 'n2', 'n3'),
  lateMs: fc.oneof(fc.constant(undefined), fc.nat(80_000), fc.double({ min: 0, max: 100, noNaN: true })),
});

describe('a packed history', () => {
  it('gives back every entry as it was told, however many lines it shares', () => {
    fc.assert(
      fc.property(fc.array(fc.array(told, { maxLength: 12 }), { maxLength: 20 }), (tasks) => {
        const histories = new Histories();
        for (const entries of tasks) {
          const history: PackedHistory = submittedHistory(0);
          const row = { createdAt: CREATED_AT, ownCourse: () => ({ history }) };
          for (const [index, { at, ...each }] of entries.entries()) {
            histories.add(row, { at: CREATED_AT + at, ...each }, index, 'home', 100);
          }
          expect(entriesOf(history, CREATED_AT, entries.length + 1).slice(1)).toEqual(
            entries.map(({ at, event, node, lateMs }, index) => ({
              ...{ n: index + 2, at: CREATED_AT + at, event, attempt: index, gateway: 'home' },
              ...(node === undefined ? {} : { node }),
              ...(lateMs === undefined ? {} : { detail: toldLate(lateMs) }),
            })),
          );
        }
      }),
      { numRuns: 300 },
    );
  });
});

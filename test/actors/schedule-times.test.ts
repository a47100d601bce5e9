import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkTimes, nextRun } from '../../src/actors/schedule-times.ts';

const at = (text: string): number => Date.parse(`${text}Z`);
const HOUR = 3_600_000;

describe('the next run of a cron pattern', () => {
  const nightly = { pattern: '0 3 * * *' };

  it('is the first after the last one', () => {
    const next = nextRun(nightly, at('2026-05-01T03:00'), at('2026-05-01T12:00'));
    expect(next).toEqual({ runAt: at('2026-05-02T03:00'), inMs: 15 * HOUR });
  });

  it('is due in the very second it names', () => {
    const runAt = at('2026-05-02T03:00');
    expect(nextRun(nightly, at('2026-05-01T03:00'), runAt - 1)).toEqual({ runAt, inMs: 1 });
    expect(nextRun(nightly, at('2026-05-01T03:00'), runAt)).toEqual({ runAt, inMs: 0 });
  });

  it('is the newest of those that were missed', () => {
    const next = nextRun(nightly, at('2026-05-01T03:00'), at('2026-05-09T12:00'));
    expect(next).toEqual({ runAt: at('2026-05-09T03:00'), inMs: 0 });
  });

  it('comes after the last one although the clock was set back', () => {
    const next = nextRun(nightly, at('2026-05-02T03:00'), at('2026-05-02T02:30'));
    expect(next?.runAt).toBe(at('2026-05-03T03:00'));
  });

  it('is that of its time zone, once on each of the two days when clocks change', () => {
    const early = { pattern: '30 2 * * *', timezone: 'Europe/Vienna' };
    const runsFrom = (text: string): string[] => {
      const runs: string[] = [];
      for (let since = at(text); runs.length < 3; ) {
        since = nextRun(early, since, since)?.runAt ?? Number.NaN;
        runs.push(new Date(since).toISOString().slice(0, 16));
      }
      return runs;
    };
    expect(runsFrom('2026-03-28T12:00')).toEqual(['2026-03-29T01:00', '2026-03-30T00:30', '2026-03-31T00:30']);
    expect(runsFrom('2026-10-24T12:00')).toEqual(['2026-10-25T00:30', '2026-10-26T01:30', '2026-10-27T01:30']);
  });

  it('may be one of seconds', () => {
    expect(nextRun({ pattern: '*/5 * * * * *' }, at('2026-05-01T00:00'), at('2026-05-01T00:00') + 12_345)).toEqual({
      runAt: at('2026-05-01T00:00') + 10_000,
      inMs: 0,
    });
  });
});

describe('the next run of a span', () => {
  const every = { everyMs: 10_000 };

  it('is one span after the last', () => {
    expect(nextRun(every, 100_000, 103_000)).toEqual({ runAt: 110_000, inMs: 7_000 });
  });

  it('is the newest of those that were missed, in step with the others', () => {
    expect(nextRun(every, 100_000, 147_000)).toEqual({ runAt: 140_000, inMs: 0 });
  });

  it('is never further than one span, however far the clock was set back', () => {
    expect(nextRun(every, 100_000, 2_000)).toEqual({ runAt: 110_000, inMs: 10_000 });
  });
});

it('has a later nominal time than the last, whatever the clock does', () => {
  const times = fc.constantFrom({ everyMs: 7_000 }, { pattern: '*/7 * * * *' }, { pattern: '13 */5 * * * *' });
  const instant = fc.integer({ min: at('2026-01-01T00:00'), max: at('2027-01-01T00:00') });
  fc.assert(
    fc.property(times, instant, instant, (when, sinceMs, nowMs) => {
      const next = nextRun(when, sinceMs, nowMs);
      expect(next?.runAt).toBeGreaterThan(sinceMs);
      if (next?.inMs === 0) expect(next.runAt).toBeLessThanOrEqual(nowMs);
    }),
    { numRuns: 300 },
  );
});

describe('times that cannot be', () => {
  it.each([
    ['neither', {}, /either a cron pattern or everyMs/],
    ['both', { pattern: '* * * * *', everyMs: 5_000 }, /either a cron pattern or everyMs/],
    ['a zone for a span', { everyMs: 5_000, timezone: 'UTC' }, /time zone is for a cron pattern/],
    ['a field too few', { pattern: '* * * *' }, /five, six/],
    ['a value out of range', { pattern: '61 * * * *' }, /minute: 61/],
    ['a date', { pattern: '2026-05-01T00:00:00' }, /is a date/],
    ['a day there is not', { pattern: '0 0 30 2 *' }, /never comes/],
    ['a zone there is not', { pattern: '* * * * *', timezone: 'Mars/Olympus' }, /Mars\/Olympus/],
  ])('are refused: %s', (_, times, message) => {
    expect(() => checkTimes(times, at('2026-05-01T00:00'))).toThrowError(
      expect.objectContaining({ code: 'SCHEDULE_INVALID', message: expect.stringMatching(message) }),
    );
  });
});

/** A short chaos run of real processes: what `npm run chaos` does for longer and with more. */
import { describe, expect, it } from 'vitest';
import { runChaos } from '../chaos/chaos.ts';
import { judge } from '../chaos/judge.ts';

/** A short run has few tasks beside its kills; what is asked of a long one is stricter. */
const TERMS = { settledWithinMs: 30_000, againShareMax: 0.05 };

describe('a cluster under faults', () => {
  it('loses nothing, accepts nothing twice, and is well afterwards', async () => {
    const run = { seconds: 12, seed: 11, gateways: 1, nodes: 3, rate: 50, everyMs: 900, inMemory: true };
    const report = await runChaos({ ...run, terms: TERMS });
    expect(report.violations).toEqual([]);
    expect(report.deaths).toEqual([]);
    expect(report.doctor, report.doctor.text).toMatchObject({ ok: true });
    expect(report.totals['acknowledged']).toBeGreaterThan(300);
    expect(report.totals['completed']).toBe(report.totals['acknowledged']);
    expect(Object.values(report.faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(6);
    expect(report.isClean).toBe(true);

    // The same ledger without what one handler wrote down is not clean.
    const counted = report.lines.find((line) => line.kind === 'settled' && line.token !== null);
    const token = counted?.kind === 'settled' ? counted.token : null;
    const doctored = judge(
      report.lines.filter((line) => line.kind !== 'ended' || line.token !== token),
      TERMS,
    );
    expect(doctored.violations).toMatchObject([
      { rule: 'accepted', says: expect.stringContaining('from no execution') },
    ]);
  });
});

/** Chaos runs of real processes, a short one and one of a minute: what `npm run chaos` does for longer and with more. */
import { describe, expect, it } from 'vitest';
import { type ChaosReport, runChaos } from '../chaos/chaos.ts';
import { judge } from '../chaos/judge.ts';

/** One of seconds has few tasks beside its kills; what is asked of a long one is stricter. */
const SHORT_TERMS = { settledWithinMs: 30_000, againShareMax: 0.1 };

function expectClean(report: ChaosReport, faultsMin: number): void {
  expect(report.violations).toEqual([]);
  expect(report.deaths).toEqual([]);
  expect(report.doctor, report.doctor.text).toMatchObject({ ok: true });
  expect(report.totals['acknowledged']).toBeGreaterThan(200);
  expect(report.totals['completed']).toBe(report.totals['acknowledged']);
  expect(Object.values(report.faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(faultsMin);
  expect(report.isClean).toBe(true);
}

describe('a cluster under faults', () => {
  it('loses nothing and accepts nothing twice while nodes die and links break', async () => {
    const run = { seconds: 10, seed: 11, gateways: 1, nodes: 3, rate: 50, everyMs: 800, inMemory: true };
    const report = await runChaos({ ...run, terms: SHORT_TERMS });
    expectClean(report, 7);

    // The same ledger without what one handler wrote down is not clean.
    const counted = report.lines.find((line) => line.kind === 'settled' && line.token !== null);
    const token = counted?.kind === 'settled' ? counted.token : null;
    const doctored = judge(
      report.lines.filter((line) => line.kind !== 'ended' || line.token !== token),
      SHORT_TERMS,
    );
    expect(doctored.violations).toMatchObject([
      { rule: 'accepted', says: expect.stringContaining('from no execution') },
    ]);
  });

  it('keeps its word while three gateways on one store die, too', async () => {
    const run = { seconds: 60, seed: 5, gateways: 3, nodes: 4, rate: 150, everyMs: 1_500, inMemory: false };
    const report = await runChaos(run);
    expectClean(report, 30);
    expect(report.faults['gateway killed']).toBeGreaterThan(0);
  });
});

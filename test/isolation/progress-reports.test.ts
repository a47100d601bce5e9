import { describe, expect, it } from 'vitest';
import { ProgressReports } from '../../src/isolation/progress-reports.ts';
import { PincerError } from '../../src/protocol/failure.ts';

const report = (value: number): Uint8Array => Uint8Array.of(value);

describe('the progress of an isolated attempt', () => {
  it('goes one report at a time; of those that wait, the latest goes, and all who wait for it learn so', async () => {
    const sent: number[] = [];
    const reports = new ProgressReports((bytes) => sent.push(bytes[0] ?? 0));
    const waits = [1, 2, 3, 4].map((value) => reports.report(report(value)));
    expect(sent).toEqual([1]);
    reports.taken(null);
    await waits[0];
    expect(sent).toEqual([1, 4]);
    reports.taken(null);
    await Promise.all(waits);
    await Promise.race([reports.report(report(5)), Promise.resolve()]);
    expect(sent).toEqual([1, 4, 5]);
  });

  it('is refused to whom it could not be taken from, and to nobody after', async () => {
    const reports = new ProgressReports(() => {});
    const first = reports.report(report(1));
    const second = reports.report(report(2));
    reports.taken(new PincerError('RATE_EXCEEDED', 'too much').toFailure());
    await expect(first).rejects.toMatchObject({ code: 'RATE_EXCEEDED' });
    reports.taken(null);
    await second;
  });

  it('keeps nobody waiting once the attempt has ended, and still sends the last', async () => {
    const sent: number[] = [];
    const reports = new ProgressReports((bytes) => sent.push(bytes[0] ?? 0));
    const waits = [1, 2].map((value) => reports.report(report(value)));
    reports.close();
    await Promise.all(waits);
    await reports.report(report(3));
    expect(sent).toEqual([1, 2]);
  });
});

import { describe, expect, it } from 'vitest';
import { findingsOfDisk } from '../../src/cli/doctor-store.ts';

const MIB = 1_048_576;

describe('the disk of a store', () => {
  it.each([
    [2_000, []],
    [1_000, ['warn']],
    [99, ['bad']],
    [0, ['bad']],
  ])('with %i MiB left is %j', (mebibytes, severities) => {
    expect(findingsOfDisk(mebibytes * MIB).map(({ severity }) => severity)).toEqual(severities);
  });

  it('is told with how much is left', () => {
    expect(findingsOfDisk(512 * MIB)[0]?.says).toContain('512 MiB');
  });
});

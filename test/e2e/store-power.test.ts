/** Power failures. Three hundred disks: `npm run durability -- --images 300`. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/actors/world/seeded-random.ts';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import { losePower, whyNoRecording } from '../support/power-loss.ts';

const why = whyNoRecording();

describe.skipIf(why !== null)(`a power failure${why === null ? '' : ` (not here: ${why})`}`, () => {
  it('loses nothing that was acknowledged, and leaves a store that can be read (#55)', async () => {
    const loss = await losePower(scratchDirectory(), seededRandom(1), { images: 12, tasks: 300 });
    expect(loss.losses).toEqual([]);
    expect(loss.images).toBe(12);
    expect(loss.pending).toBeGreaterThan(12);
    expect(loss.acknowledged).toBeGreaterThan(500);
  });

  it('would be found out by this test: a store that does not flush loses what it acknowledged', async () => {
    const loss = await losePower(scratchDirectory(), seededRandom(2), { images: 8, tasks: 300, noSync: true });
    expect(loss.losses.length).toBeGreaterThan(3);
  });
});

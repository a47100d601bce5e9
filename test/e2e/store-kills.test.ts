/** kill -9 of a process that writes to a store at full speed. A hundred times: `npm run durability -- --kills 100`. */
import path from 'node:path';
import { expect, it } from 'vitest';
import { seededRandom } from '../../src/actors/world/seeded-random.ts';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import { killWriters } from '../support/store-kills.ts';

it('loses nothing that was acknowledged, and stays whole, whenever its writer is killed (#29, #55)', async () => {
  const kills = await killWriters(path.join(scratchDirectory(), 'store'), 10, seededRandom(1));
  expect(kills).toMatchObject({ kills: 10, lost: [], faults: [] });
  expect(kills.acknowledged).toBeGreaterThan(100);
});

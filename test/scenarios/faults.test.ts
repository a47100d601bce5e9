/**
 * Whole clusters on a bad network, from a seed: frames are lost, doubled, overtaken and late, links are cut, nodes are
 * killed and gateways replaced. Whatever happens, each task settles once at its client, with the right result.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Chaos, runChaos } from '../support/chaos.ts';

const SEEDS = Array.from({ length: 60 }, (_, index) => index + 1);

const MILD: Chaos = { faults: { cut: 0.004, delay: { minMs: 0, maxMs: 40 } }, kills: 3, cuts: 4, partitions: 1 };
const WILD: Chaos = {
  faults: { drop: 0.01, duplicate: 0.01, reorder: 0.01, cut: 0.004, delay: { minMs: 0, maxMs: 40 } },
  kills: 3,
  cuts: 2,
  partitions: 2,
};

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a cluster of three nodes and 100 tasks', () => {
  it.each(SEEDS)(
    'settles each task once with the right result while links break and nodes are killed, seed %i',
    async (seed) => {
      await survives(seed, MILD);
    },
  );

  it.each(SEEDS)('does so too when frames are lost, doubled and overtaken, seed %i', async (seed) => {
    await survives(seed, WILD);
  });

  it.each(SEEDS.slice(0, 20))('does so too when the gateway is killed and replaced, seed %i', async (seed) => {
    await survives(seed, { ...MILD, gatewayKills: 2 });
  });
});

async function survives(seed: number, chaos: Chaos): Promise<void> {
  const warned = vi.spyOn(console, 'warn');
  const { settled, accepted, problems } = await runChaos(seed, { tasks: 100, nodes: 3, ...chaos });
  expect(problems, `seed ${seed}`).toEqual([]);
  expect(settled, `settled, seed ${seed}`).toBe(100);
  expect(accepted, `accepted results, seed ${seed}`).toBe(100);
  expect(warned, `warnings, seed ${seed}`).not.toHaveBeenCalled();
}

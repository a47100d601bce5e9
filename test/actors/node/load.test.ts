/** What the nodes of a process say of it. */
import { afterEach, expect, it } from 'vitest';
import { createLoadMeter, type LoadMeter } from '../../../src/actors/node/load.ts';

const meters: LoadMeter[] = [];
const made = (): LoadMeter => {
  const meter = createLoadMeter();
  meters.push(meter);
  return meter;
};

afterEach(() => {
  for (const meter of meters.splice(0)) meter.stop();
});

it('is shares of this machine and a lag, measured once for all nodes of a process', () => {
  const [one, other] = [made(), made()];
  const load = one.sample();
  for (const part of [load.cpu, load.memory]) {
    expect(part).toBeGreaterThanOrEqual(0);
    expect(part).toBeLessThanOrEqual(1);
  }
  expect(load.lagMs).toBeGreaterThanOrEqual(0);
  expect(other.sample()).toBe(load);
});

it('is measured as long as one node is left, and anew when one comes after all have gone', () => {
  const [one, other] = [made(), made()];
  const load = one.sample();
  one.stop();
  one.stop();
  expect(other.sample()).toBe(load);
  other.stop();
  expect(made().sample()).not.toBe(load);
});

/** The end of a turn, for all that has something to send. */
import { describe, expect, it } from 'vitest';
import { createSimulatedClock } from '../../src/actors/world/simulated-clock.ts';
import { systemClock } from '../../src/actors/world/system-clock.ts';
import { Departures } from '../../src/transport/departures.ts';

describe('departures', () => {
  it('asks all in one step, in the order in which they came', async () => {
    const clock = createSimulatedClock();
    const departures = new Departures(clock);
    const asked: string[] = [];
    for (const name of ['first', 'second', 'third']) departures.add({ depart: () => asked.push(name) });
    expect([asked, clock.pending]).toEqual([[], 1]);
    await clock.runSoon();
    expect(asked).toEqual(['first', 'second', 'third']);
  });

  it('asks one that comes while others leave in the same step', () => {
    const steps: (() => void)[] = [];
    const departures = new Departures({ ...createSimulatedClock(), soon: (step) => void steps.push(step) });
    const asked: string[] = [];
    const late = { depart: () => asked.push('late') };
    departures.add({
      depart() {
        asked.push('early');
        departures.add(late);
      },
    });
    steps.shift()?.();
    expect([asked, steps.length]).toEqual([['early', 'late'], 0]);
  });

  it('asks the others a turn later, if one throws', () => {
    const steps: (() => void)[] = [];
    const departures = new Departures({ ...createSimulatedClock(), soon: (step) => void steps.push(step) });
    const asked: string[] = [];
    departures.add({
      depart() {
        throw new Error('no');
      },
    });
    departures.add({ depart: () => asked.push('other') });
    expect(() => steps.shift()?.()).toThrow('no');
    steps.shift()?.();
    expect([asked, steps.length]).toEqual([['other'], 0]);
  });

  it('ends the turn behind what was put off before, and what that has promised', async () => {
    const clock = systemClock();
    const departures = new Departures(clock);
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      const place = async (): Promise<void> => {
        await null;
        order.push('placed');
        departures.add({ depart: () => order.push('left') });
      };
      clock.soon(() => void place());
      departures.expect();
      clock.soon(() => {
        order.push('behind');
        resolve();
      });
    });
    expect(order).toEqual(['placed', 'left', 'behind']);
  });
});

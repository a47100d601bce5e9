import { describe, expect, it } from 'vitest';
import { createSimulatedClock, SIMULATED_EPOCH_MS } from '../../../src/actors/world/simulated-clock.ts';

describe('a simulated clock', () => {
  it('stands still until it is advanced', async () => {
    const clock = createSimulatedClock(100);
    expect([clock.now(), clock.wallTime()]).toEqual([100, SIMULATED_EPOCH_MS + 100]);
    await clock.advance(50);
    expect([clock.now(), clock.wallTime()]).toEqual([150, SIMULATED_EPOCH_MS + 150]);
  });

  it('runs callbacks at their exact times, in order of time and then of scheduling', async () => {
    const clock = createSimulatedClock();
    const ran: [string, number][] = [];
    const at = (name: string, delayMs: number) => clock.schedule(delayMs, () => ran.push([name, clock.now()]));
    at('c', 30);
    at('a', 10);
    at('a too', 10);
    at('b', 20.5);
    at('later', 31);
    await clock.advance(30);
    expect(ran).toEqual([
      ['a', 10],
      ['a too', 10],
      ['b', 20.5],
      ['c', 30],
    ]);
    expect(clock.pending).toBe(1);
  });

  it('lets a ticker that arms itself anew tick at every time it should', async () => {
    const clock = createSimulatedClock();
    const ticks: number[] = [];
    const tick = (): void => {
      ticks.push(clock.now());
      clock.schedule(1_000, tick);
    };
    clock.schedule(1_000, tick);
    await clock.advance(5_000);
    expect(ticks).toEqual([1_000, 2_000, 3_000, 4_000, 5_000]);
  });

  it('lets promises and soon settle before time moves on', async () => {
    const clock = createSimulatedClock();
    const ran: [string, number][] = [];
    const settleAfterALongChain = async (): Promise<void> => {
      for (let link = 0; link < 50; link += 1) await Promise.resolve();
      ran.push(['promised', clock.now()]);
      clock.soon(() => {
        ran.push(['soon', clock.now()]);
        clock.schedule(5, () => ran.push(['scheduled', clock.now()]));
      });
    };
    clock.schedule(10, () => void settleAfterALongChain());
    clock.schedule(20, () => ran.push(['next', clock.now()]));
    await clock.advance(100);
    expect(ran).toEqual([
      ['promised', 10],
      ['soon', 10],
      ['scheduled', 15],
      ['next', 20],
    ]);
  });

  it('runs soon without letting time pass, each round after the one before', async () => {
    const clock = createSimulatedClock();
    const ran: string[] = [];
    clock.soon(() => {
      ran.push('first');
      clock.soon(() => ran.push('third'));
    });
    clock.soon(() => ran.push('second'));
    for (const delayMs of [0, -5, Number.NaN]) clock.schedule(delayMs, () => ran.push(`in ${delayMs}`));
    clock.schedule(Number.MIN_VALUE, () => ran.push('never'));
    expect(ran).toEqual([]);
    await clock.runSoon();
    expect(ran).toEqual(['first', 'second', 'in 0', 'in -5', 'in NaN', 'third']);
    expect(clock.now()).toBe(0);
  });

  it('runs nothing that was cancelled, at any moment before it ran', async () => {
    const clock = createSimulatedClock();
    const ran: string[] = [];
    const cancelSoon = clock.schedule(0, () => ran.push('soon'));
    const cancelSecond = clock.schedule(10, () => ran.push('second'));
    clock.schedule(5, () => {
      cancelSecond();
      cancelSecond();
    });
    cancelSoon();
    expect(clock.pending).toBe(2);
    await clock.advance(10);
    cancelSecond();
    expect(ran).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('takes advances in turn when they are asked for at once', async () => {
    const clock = createSimulatedClock();
    const ran: number[] = [];
    clock.schedule(10, () => ran.push(clock.now()));
    clock.schedule(20, () => ran.push(clock.now()));
    await Promise.all([clock.advance(10), clock.advance(10)]);
    expect(ran).toEqual([10, 20]);
  });

  it('rejects with what a callback throws, and works on', async () => {
    const clock = createSimulatedClock();
    const ran: number[] = [];
    clock.schedule(10, () => {
      throw new Error('a fault');
    });
    clock.schedule(10, () => ran.push(clock.now()));
    await expect(clock.advance(50)).rejects.toThrow('a fault');
    expect(clock.now()).toBe(10);
    await clock.advance(5);
    expect(ran).toEqual([10]);
  });

  it('says so instead of hanging when soon never ends', async () => {
    const clock = createSimulatedClock();
    const again = (): void => clock.soon(again);
    again();
    await expect(clock.runSoon()).rejects.toThrow('in a row');
  });

  it('refuses to go back, or on for ever', async () => {
    const clock = createSimulatedClock();
    for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(clock.advance(ms)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    }
  });
});

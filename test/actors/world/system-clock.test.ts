import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/actors/world/system-clock.ts';

describe('the system clock', () => {
  beforeEach(() => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance', 'Date'],
    });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('tells monotonic time and wall time apart', () => {
    const clock = systemClock();
    const [now, wallTime] = [clock.now(), clock.wallTime()];
    vi.setSystemTime(wallTime + 3_600_000);
    expect(clock.wallTime() - wallTime).toBe(3_600_000);
    expect(clock.now() - now).toBe(0);
    vi.advanceTimersByTime(5);
    expect(clock.now() - now).toBe(5);
  });

  it('calls back once, not before the delay has passed', () => {
    const callback = vi.fn();
    systemClock().schedule(1_000, callback);
    vi.advanceTimersByTime(999);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(60_000);
    expect(callback).toHaveBeenCalledOnce();
  });

  it('waits longer than a timer can', () => {
    const callback = vi.fn();
    const delayMs = 3 * 2 ** 31 + 5;
    systemClock().schedule(delayMs, callback);
    vi.advanceTimersByTime(delayMs - 1);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(callback).toHaveBeenCalledOnce();
  });

  it('waits on when a timer fires early, as the real ones do', () => {
    const fake = setTimeout;
    const early = vi.fn((run: () => void, ms = 0) => fake(run, ms > 1 ? ms - 1 : ms));
    // By hand: a spy would stay in the place of the real timer, for whatever runs in this process next.
    globalThis.setTimeout = early as unknown as typeof setTimeout;
    try {
      const callback = vi.fn();
      systemClock().schedule(100, callback);
      vi.advanceTimersByTime(99);
      expect(early).toHaveBeenCalledTimes(2);
      expect(callback).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      expect(callback).toHaveBeenCalledOnce();
    } finally {
      globalThis.setTimeout = fake;
    }
  });

  it('calls back at once, but never within the call, when there is nothing to wait for', () => {
    for (const delayMs of [0, -1, Number.NaN]) {
      const callback = vi.fn();
      systemClock().schedule(delayMs, callback);
      expect(callback).not.toHaveBeenCalled();
      vi.advanceTimersByTime(0);
      expect(callback, `${delayMs}`).toHaveBeenCalledOnce();
    }
  });

  it('never calls back within the call, also when the wait is over before it returns', () => {
    // A wait of less than the time that reading the clock takes: a backoff of no jitter at all may be one.
    let ms = 0;
    const now = vi.spyOn(performance, 'now').mockImplementation(() => ms++);
    const callback = vi.fn();
    systemClock().schedule(0.001, callback);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(callback).toHaveBeenCalledOnce();
    now.mockRestore();
  });

  it('cancels at any stage of the wait', () => {
    const callback = vi.fn();
    const clock = systemClock();
    const cancels = [0, 10, 2 ** 31 + 10].map((delayMs) => clock.schedule(delayMs, callback));
    cancels[0]?.();
    cancels[1]?.();
    vi.advanceTimersByTime(2 ** 31);
    cancels[2]?.();
    vi.advanceTimersByTime(60_000);
    expect(callback).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('calls soon at the end of this turn', () => {
    const callback = vi.fn();
    systemClock().soon(callback);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(0);
    expect(callback).toHaveBeenCalledOnce();
  });
});

/** Many waits over one timer. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDeadlines } from '../../../src/actors/world/deadlines.ts';
import { createSimulatedClock } from '../../../src/actors/world/simulated-clock.ts';

describe('deadlines', () => {
  it('pass at their time, in the order of their times and then of their setting', async () => {
    const clock = createSimulatedClock();
    const deadlines = createDeadlines(clock);
    const passed: string[] = [];
    for (const [name, delayMs] of [
      ['c', 30],
      ['a', 10],
      ['b', 20],
      ['also a', 10],
    ] as const) {
      deadlines.set(delayMs, () => passed.push(`${name} at ${clock.now()}`));
    }
    expect([deadlines.size, clock.pending]).toEqual([4, 1]);
    await clock.advance(25);
    expect(passed).toEqual(['a at 10', 'also a at 10', 'b at 20']);
    await clock.advance(5);
    expect([passed.at(-1), deadlines.size, clock.pending]).toEqual(['c at 30', 0, 0]);
  });

  it('that set themselves again without a delay leave their turn to others', () => {
    const passes: (() => void)[] = [];
    // A clock that is looked at once in a turn, as a gateway’s is.
    const clock = {
      ...createSimulatedClock(),
      now: () => 5,
      schedule(_delayMs: number, pass: () => void) {
        passes.push(pass);
        return () => {};
      },
    };
    const deadlines = createDeadlines(clock);
    const passed: string[] = [];
    const again = (): void => {
      passed.push('again');
      deadlines.set(0, again);
    };
    deadlines.set(0, again);
    deadlines.set(0, () => passed.push('other'));
    passes.shift()?.();
    expect(passed).toEqual(['again', 'other']);
    passes.shift()?.();
    expect(passed).toEqual(['again', 'other', 'again']);
  });

  it('do not pass once cleared, however often that is said', async () => {
    const clock = createSimulatedClock();
    const deadlines = createDeadlines(clock);
    const passed: string[] = [];
    const first = deadlines.set(10, () => passed.push('first'));
    deadlines.set(10, () => {
      passed.push('second');
      first.clear();
    });
    first.clear();
    first.clear();
    expect(deadlines.size).toBe(1);
    await clock.advance(100);
    expect([passed, deadlines.size]).toEqual([['second'], 0]);
  });

  it('leave no timer when they stop, and none can be set after (#62)', async () => {
    const clock = createSimulatedClock();
    const deadlines = createDeadlines(clock);
    const passed: string[] = [];
    deadlines.set(10, () => passed.push('before'));
    deadlines.stop();
    deadlines.set(10, () => passed.push('after'));
    await clock.advance(100);
    expect([passed, deadlines.size, clock.pending]).toEqual([[], 0, 0]);
  });

  it('of years are kept: nothing overflows into firing at once (#61)', async () => {
    const clock = createSimulatedClock();
    const deadlines = createDeadlines(clock);
    let passedAt = -1;
    deadlines.set(2 ** 31 + 5, () => {
      passedAt = clock.now();
    });
    await clock.advance(2 ** 31);
    expect(passedAt).toBe(-1);
    await clock.advance(5);
    expect(passedAt).toBe(2 ** 31 + 5);
  });

  it('pass exactly once each, whatever is set and cleared in between', async () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ do: fc.constant('set' as const), ms: fc.integer({ min: 0, max: 50 }) }),
        fc.record({ do: fc.constant('clear' as const), ms: fc.nat(30) }),
        fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 20 }) }),
      ),
      { maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (script) => {
        const clock = createSimulatedClock();
        const deadlines = createDeadlines(clock);
        const due: { at: number; passedAt: number[]; clear(): void; isCleared: boolean }[] = [];
        for (const step of script) {
          if (step.do === 'pass') await clock.advance(step.ms);
          else if (step.do === 'set') {
            const passedAt: number[] = [];
            const { clear } = deadlines.set(step.ms, () => passedAt.push(clock.now()));
            due.push({ at: clock.now() + step.ms, passedAt, clear, isCleared: false });
          } else {
            const one = due[step.ms];
            one?.clear();
            if (one !== undefined && one.passedAt.length === 0) one.isCleared = true;
          }
        }
        await clock.advance(1_000);
        for (const { at, passedAt, isCleared } of due) expect(passedAt).toEqual(isCleared ? [] : [at]);
        expect([deadlines.size, clock.pending]).toEqual([0, 0]);
      }),
    );
  });
});

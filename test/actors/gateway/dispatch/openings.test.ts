/** Which classes are heard of anew when a rate opens by time alone; the store is played by the test. */
import { describe, expect, it } from 'vitest';
import { Openings } from '../../../../src/actors/gateway/dispatch/openings.ts';
import type { LimitUse } from '../../../../src/actors/store/store.ts';
import { createSimulatedClock } from '../../../../src/actors/world/simulated-clock.ts';
import { createWorld } from '../../../../src/actors/world/world.ts';

/** Limits by key: in how many milliseconds each opens. */
function sceneOf(opensInMs: Record<string, number | null | Error>) {
  const clock = createSimulatedClock();
  const world = createWorld({ clock }, { clock, random: () => 0.5, ids: () => 'id' });
  const opened: (readonly string[])[] = [];
  const asked: string[] = [];
  const failures: unknown[] = [];
  const openings = new Openings(world, {
    store: {
      async limit(key) {
        asked.push(key);
        const answer = opensInMs[key];
        if (answer instanceof Error) throw answer;
        return answer === undefined ? null : ({ key, opensInMs: answer } as LimitUse);
      },
    },
    onOpened: (queues) => void opened.push(queues),
    onStoreFailed: (error) => void failures.push(error),
  });
  return { clock, openings, opensInMs, opened, asked, failures };
}

describe('a limit', () => {
  it('that opens by time has all that it held back heard of at that moment, once, and is asked about once', async () => {
    const { clock, openings, opened, asked } = sceneOf({ slow: 5_000, other: 7_000 });
    for (const queue of ['a', 'b', 'a']) await openings.look('slow', queue);
    await openings.look('other', 'c');
    await clock.advance(4_999);
    expect([asked, opened]).toEqual([['slow', 'other'], []]);
    await clock.advance(1);
    expect(opened).toEqual([['a', 'b']]);
    await clock.advance(60_000);
    expect(opened).toEqual([['a', 'b'], ['c']]);
    await openings.look('slow', 'd');
    await clock.advance(5_000);
    expect(opened.at(-1)).toEqual(['d']);
  });

  it('that is open, opens with the end of an attempt, or is not known any more, is not waited for', async () => {
    const { clock, openings, opensInMs, opened, asked } = sceneOf({ open: 0, full: null });
    for (const key of ['open', 'full', 'unknown']) await openings.look(key, 'a');
    await clock.advance(60_000);
    expect([opened, clock.pending]).toEqual([[], 0]);
    // And is asked about again when it has held back something once more.
    opensInMs['open'] = 10;
    await openings.look('open', 'b');
    await clock.advance(10);
    expect([asked, opened]).toEqual([['open', 'full', 'unknown', 'open'], [['b']]]);
  });

  it('about which the store cannot be asked is left to the next sweep, and asked about again after that', async () => {
    const { clock, openings, opensInMs, opened, failures } = sceneOf({ slow: new Error('gone') });
    await openings.look('slow', 'a');
    await clock.advance(60_000);
    expect([failures.map(String), opened]).toEqual([['Error: gone'], []]);
    opensInMs['slow'] = 1_000;
    await openings.look('slow', 'a');
    await clock.advance(1_000);
    expect(opened).toEqual([['a']]);
  });
});

import { expect, it } from 'vitest';
import type { Session } from '../../../../src/actors/gateway/sessions/session.ts';
import { watchSilence } from '../../../../src/actors/gateway/sessions/silence.ts';
import { createDeadlines } from '../../../../src/actors/world/deadlines.ts';
import type { World } from '../../../../src/actors/world/world.ts';
import { defaultLimits } from '../../../../src/protocol/limits.ts';
import { createHandClock } from '../../../support/hand-clock.ts';

/** A session that is watched. What `pass` lets pass at once is time in which the gateway stood still. */
function watched() {
  const clock = createHandClock({ isStill: true });
  const post = { lastHeardAt: clock.now() };
  const session = { post, silence: null, suspectedAt: null } as unknown as Session;
  const told: string[] = [];
  const world = { clock, limits: defaultLimits, deadlines: createDeadlines(clock) } as unknown as World;
  watchSilence(session, world, (event) => told.push(event));
  const hear = (): void => {
    post.lastHeardAt = clock.now();
    session.suspectedAt = null;
  };
  return { clock, told, hear };
}

it('a silent peer is suspected, and then given up', () => {
  const { clock, told } = watched();
  const seconds = (until: number): void => {
    for (let passed = 0; passed < until; passed += 1) clock.pass(1_000);
  };
  seconds(14);
  expect(told).toEqual([]);
  seconds(2);
  expect(told).toEqual(['suspected']);
  seconds(13);
  expect(told).toEqual(['suspected']);
  seconds(2);
  expect(told).toEqual(['suspected', 'passed']);
  expect(clock.scheduled).toBe(0);
});

it('a gateway that stood still for hours gives nobody up before it had time to hear of him', () => {
  const { clock, told, hear } = watched();
  clock.pass(3 * 3_600_000);
  clock.pass(14_000);
  expect(told).toEqual(['suspected']);
  hear();
  clock.pass(14_000);
  expect(told).toEqual(['suspected']);
  clock.pass(3_600_000);
  clock.pass(16_000);
  expect(told).toEqual(['suspected', 'suspected', 'passed']);
});

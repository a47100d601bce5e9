/** What a breaker counts, for how long a node rests, and what its trial decides; the node chart is played by the test. */
import { describe, expect, it } from 'vitest';
import { Breaker } from '../../../../src/actors/gateway/nodes/breaker.ts';
import { createSimulatedClock, type SimulatedClock } from '../../../../src/actors/world/simulated-clock.ts';
import { createWorld } from '../../../../src/actors/world/world.ts';
import { type FailureCode, PincerError } from '../../../../src/protocol/failure.ts';

interface Scene {
  readonly breaker: Breaker;
  readonly clock: SimulatedClock;
  /** A fault that belongs to no incident before it. */
  fault(taskId?: string, code?: FailureCode): Promise<void>;
  /** Lets the rest pass. Returns how long it was. */
  rested(): Promise<number>;
}

function sceneOf(breakerFaultsMax: number): Scene {
  const clock = createSimulatedClock();
  const limits = { breakerFaultsMax, breakerRestMs: 5_000, breakerRestMaxMs: 60_000 };
  const world = createWorld({ clock, limits }, { clock, random: () => 0.5, ids: () => 'id' });
  const breaker = new Breaker(world, ({ type }) => {
    if (type === 'breaker.closed') breaker.state = 'closed';
    if (type === 'rest.passed') breaker.state = 'halfOpen';
    if (type !== 'breaker.opened') return;
    breaker.state = 'open';
    breaker.rest();
  });
  return {
    breaker,
    clock,
    async fault(taskId = 't', code = 'NODE_FULL') {
      await clock.advance(300);
      breaker.fault(new PincerError(code, 'no room').toFailure(), [taskId]);
    },
    async rested() {
      const restMs = breaker.restsForMs ?? 0;
      await clock.advance(restMs - 1);
      expect(breaker.state).toBe('open');
      await clock.advance(1);
      expect(breaker.state).toBe('halfOpen');
      return restMs;
    },
  };
}

const attempt = (taskId: string) => ({ taskId, attempt: 1 });

describe('a breaker', () => {
  it('counts faults in a row: one attempt that was worked on ends it', async () => {
    const { breaker, fault } = sceneOf(3);
    await fault();
    await fault();
    breaker.prove();
    expect(breaker.faults).toBe(0);
    await fault();
    await fault();
    expect([breaker.faults, breaker.state]).toEqual([2, 'closed']);
    await fault();
    expect(breaker.state).toBe('open');
  });

  it('counts nothing that is not the doing of the node', async () => {
    const { breaker, fault } = sceneOf(1);
    await fault('t', 'TASK_TIMED_OUT');
    expect([breaker.faults, breaker.state]).toEqual([0, 'closed']);
  });

  it('says why it is open and for how long yet, then what it waits for, and nothing once it is closed', async () => {
    const { breaker, clock, fault, rested } = sceneOf(1);
    expect([breaker.reason, breaker.restsForMs]).toEqual([null, null]);
    await fault();
    await clock.advance(2_000);
    expect([breaker.reason, breaker.restsForMs]).toEqual([
      'breaker open: 1 faults in a row, the last NODE_FULL, no room; tries one attempt in 3000 ms',
      3_000,
    ]);
    await rested();
    expect([breaker.reason, breaker.restsForMs]).toEqual([
      'breaker half open: 1 faults in a row, the last NODE_FULL, no room; one attempt is to show',
      null,
    ]);
    breaker.prove();
    expect([breaker.state, breaker.reason]).toEqual(['closed', null]);
  });

  it('rests twice as long each time that its trial fails, and is not open for longer by what fails meanwhile', async () => {
    const { breaker, fault, rested } = sceneOf(2);
    await fault();
    await fault();
    for (const restMs of [5_000, 10_000, 20_000]) {
      for (const taskId of ['late', 'later', 'last']) await fault(taskId);
      expect(await rested()).toBe(restMs - 900);
      breaker.take(attempt('trial'));
      await fault('trial');
    }
  });

  it('rests as at first after two attempts that were worked on: one closes it, one more shows that it is well', async () => {
    const { breaker, fault, rested } = sceneOf(1);
    const trip = async (): Promise<number> => {
      await fault();
      return rested();
    };
    expect([await trip(), breaker.prove(), await trip(), breaker.prove()]).toEqual([
      5_000,
      undefined,
      10_000,
      undefined,
    ]);
    breaker.prove();
    expect(await trip()).toBe(5_000);
  });

  it('has its trial decided by the attempt that is on trial, not by a fault of another', async () => {
    const { breaker, fault, rested } = sceneOf(3);
    for (const taskId of ['a', 'b', 'c']) await fault(taskId);
    await rested();
    breaker.take(attempt('trial'));
    await fault('other');
    expect([breaker.state, breaker.isProbed]).toEqual(['halfOpen', true]);
    await fault('trial');
    expect([breaker.state, breaker.isProbed]).toEqual(['open', false]);
    expect(breaker.reason).toContain('the attempt on trial failed too');
  });

  it('rests to the end, and anew when its node has come back meanwhile, whatever was worked on before', async () => {
    const { breaker, clock, fault, rested } = sceneOf(1);
    await fault();
    breaker.prove();
    expect(breaker.state).toBe('open');
    await clock.advance(3_000);
    breaker.rest();
    expect(await rested()).toBe(5_000);
  });

  it('tries another attempt when the one on trial has ended without a verdict, or is not known to be there', async () => {
    const { breaker, fault, rested } = sceneOf(1);
    breaker.take(attempt('before'));
    expect(breaker.isProbed).toBe(false);
    await fault();
    await rested();
    breaker.take(attempt('trial'));
    breaker.free(attempt('before'));
    expect(breaker.isProbed).toBe(true);
    breaker.free(attempt('trial'));
    expect(breaker.isProbed).toBe(false);
    breaker.take(attempt('next'));
    breaker.forgetProbe();
    expect(breaker.isProbed).toBe(false);
  });

  it('is as new when an operator says that the node is well', async () => {
    const { breaker, clock, fault, rested } = sceneOf(2);
    await fault();
    await fault();
    breaker.reset();
    breaker.state = 'closed';
    await clock.advance(60_000);
    expect(breaker.state).toBe('closed');
    await fault();
    breaker.reset();
    await fault();
    expect([breaker.faults, breaker.state]).toEqual([1, 'closed']);
    await fault();
    expect(await rested()).toBe(5_000);
    breaker.take(attempt('trial'));
    breaker.reset();
    expect(breaker.isProbed).toBe(false);
  });
});

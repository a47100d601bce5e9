/** A gateway’s claim on its work, while it is lost, made anew and given up. */
import { describe, expect, it } from 'vitest';
import { Lease } from '../../../../src/actors/gateway/cluster/lease.ts';
import { createMemoryStore } from '../../../../src/actors/store/memory/memory-store.ts';
import { realPorts } from '../../../../src/actors/world/real-ports.ts';
import { createSimulatedClock } from '../../../../src/actors/world/simulated-clock.ts';
import { createWorld } from '../../../../src/actors/world/world.ts';

/** A gateway that has joined, on a store whose answers are held up when the test says so. */
async function joined(onRenewed: () => Promise<void> = async () => {}) {
  const clock = createSimulatedClock();
  const world = createWorld({ clock }, realPorts());
  const store = createMemoryStore({ clock, ids: realPorts().ids });
  await store.open();
  const failed: unknown[] = [];
  /** What the store waits for: before it does what it is asked, and when it has done so. */
  const gates: { [call: string]: { before?: Promise<void>; after?: Promise<void> } | undefined } = {};
  const gated = new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return async (...given: unknown[]): Promise<unknown> => {
        await gates[String(name)]?.before;
        const answer: unknown = await Reflect.apply(member, target, given);
        await gates[String(name)]?.after;
        return answer;
      };
    },
  });
  const lease = new Lease(world, {
    store: gated,
    name: 'home',
    owner: { onRenewed, onHeldAgain: () => {}, onStoreFailed: (error) => failed.push(error) },
  });
  await lease.join();
  const rows = async () => (await store.gateways()).map(({ gateway }) => gateway);
  return { clock, world, store, lease, gates, rows, failed };
}

/** A promise, and what resolves it. */
function held(): { promise: Promise<void>; release: () => void } {
  let release = (): void => {};
  const promise = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { promise, release };
}

describe('a gateway that leaves its store', () => {
  it.each(['before', 'after'] as const)(
    'while a new claim is being made leaves none behind: %s the store has it',
    async (when) => {
      const { store, lease, gates, rows } = await joined();
      const gate = held();
      gates['join'] = { [when]: gate.promise };
      await store.leave(lease.id);
      const rejoined = lease.rejoin();
      const left = lease.leave();
      gate.release();
      await Promise.all([rejoined, left]);
      expect(await rows()).toEqual([]);
    },
  );

  it('makes no new claim, whoever finds that the old one is gone', async () => {
    const { lease, rows, clock } = await joined();
    await lease.leave();
    await expect(lease.rejoin()).rejects.toMatchObject({ code: 'FENCED' });
    await clock.advance(60_000);
    expect(await rows()).toEqual([]);
  });

  it('while a renewal is under way that finds the claim gone makes no new one', async () => {
    const { lease, gates, rows, clock, world, failed } = await joined();
    const gate = held();
    gates['renew'] = { before: gate.promise };
    await clock.advance(world.limits.leaseRenewMs);
    await lease.leave();
    gate.release();
    await clock.advance(60_000);
    expect(await rows()).toEqual([]);
    expect(failed).toEqual([]);
  });
});

describe('a gateway that makes a new claim', () => {
  it('and cannot adopt what it runs for long keeps that claim, and tries on until it has', async () => {
    let failures = 20;
    const seen: string[] = [];
    const { store, lease, rows, clock, world, failed } = await joined(async () => {
      seen.push(lease.id);
      failures -= 1;
      if (failures > 0) throw new Error('the store is away');
    });
    await store.leave(lease.id);
    // It is found out by a renewal, and until the new claim is of use there is no other.
    await clock.advance(world.limits.leaseRenewMs);
    const rejoined = lease.rejoin();
    expect(lease.rejoin()).toBe(rejoined);
    await clock.advance(failures * world.limits.sweepMs);
    await rejoined;
    expect(failed).toHaveLength(19);
    expect(lease.isHeld).toBe(true);
    expect(await rows()).toEqual([lease.id]);
    expect(new Set(seen)).toEqual(new Set([lease.id]));
  });

  it('and loses that one as well before it has adopted what it runs makes another', async () => {
    let isAway = true;
    const { store, lease, rows, clock, world } = await joined(async () => {
      if (isAway) throw new Error('the store is away');
    });
    await store.leave(lease.id);
    await clock.advance(world.limits.leaseRenewMs);
    const rejoined = lease.rejoin();
    await clock.advance(2 * world.limits.sweepMs);
    const second = lease.id;
    await store.leave(second);
    await clock.advance(world.limits.fenceMs);
    isAway = false;
    await clock.advance(2 * world.limits.sweepMs);
    await rejoined;
    expect(lease.id).not.toBe(second);
    expect(lease.isHeld).toBe(true);
    expect(await rows()).toEqual([lease.id]);
  });
});

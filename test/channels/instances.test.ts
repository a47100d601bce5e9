/** Instances of one channel: which of them has it, how it is handed over, and how it ends. */
import { describe, expect, it } from 'vitest';
import { createChannel } from '../../src/channels/channel.ts';
import { memoryPlatform } from '../../src/channels/memory.ts';
import type { Platform } from '../../src/channels/platform.ts';
import { PincerError } from '../../src/protocol/failure.ts';
import { createTestCluster } from '../../src/testing/cluster.ts';
import { anAgent, aScene } from '../support/channel-scene.ts';

describe('an instance of a channel', () => {
  it('stands by while another is open, and takes over within its bound when that is cut off', async () => {
    await using scene = await aScene();
    const one = await scene.channel('one');
    const two = await scene.channel('two');
    expect([one.state, two.state]).toEqual(['open', 'standby']);
    scene.cluster.network.partition('one');
    const cutAt = scene.cluster.clock.now();
    await scene.cluster.until(() => two.state === 'open');
    // The lease, and a third of it, spread by a tenth, until the next question.
    expect(scene.cluster.clock.now() - cutAt).toBeLessThanOrEqual(10_000 + 3_334 * 1.1 + 100);
    expect(one.state).toBe('standby');
    expect(scene.platform.openMax).toBe(1);
    scene.cluster.network.heal();
    await scene.cluster.advance(60_000);
    expect([one.state, two.state]).toEqual(['standby', 'open']);
    expect(scene.platform.openMax).toBe(1);
  });

  it('hands over at once when it is drained: replies under way go out first, nothing new comes in', async () => {
    await using scene = await aScene();
    const { release } = await anAgent(scene);
    const one = await scene.channel('one');
    const two = await scene.channel('two');
    await scene.say('m1', { text: 'wait' });
    const drained = one.drain();
    await scene.cluster.until(() => one.state === 'draining');
    await expect(scene.say('m2')).rejects.toMatchObject({ code: 'CHANNEL_STANDBY' });
    release();
    await scene.cluster.until(drained);
    expect(scene.platform.sent).toHaveLength(1);
    expect(await scene.cluster.until(one.stopped)).toBeNull();
    const freedAt = scene.cluster.clock.now();
    await scene.cluster.until(() => two.state === 'open');
    expect(scene.cluster.clock.now() - freedAt).toBeLessThanOrEqual(3_334 * 1.1 + 100);
    expect(scene.platform.openMax).toBe(1);
  });

  it('leaves what does not end in time to the next holder', async () => {
    await using scene = await aScene();
    const { release } = await anAgent(scene);
    const one = await scene.channel('one');
    await scene.say('m1', { text: 'wait' });
    await scene.cluster.until(one.drain());
    expect(one.state).toBe('stopped');
    await scene.channel('two');
    release();
    await scene.cluster.until(() => scene.platform.sent.length > 0);
    expect(scene.platform.sent).toHaveLength(1);
  });

  it('waits for no reply that its platform has it keep until the drain is over', async () => {
    await using scene = await aScene();
    await anAgent(scene);
    const one = await scene.channel('one');
    const busy = (retryAfterMs: number) => new PincerError('DELIVERY_FAILED', 'slow down', { retryAfterMs });
    scene.platform.failNext(busy(600_000));
    await scene.say('m1');
    await scene.cluster.until(() => one.counters.failed === 1);
    scene.platform.failNext(busy(5_000));
    await scene.say('m2');
    await scene.cluster.until(() => one.counters.failed === 2);
    const before = scene.cluster.clock.now();
    await scene.cluster.until(one.drain());
    expect(scene.cluster.clock.now() - before).toBeLessThan(7_000);
    expect(one.counters).toMatchObject({ delivered: 1 });
    const two = await scene.channel('two');
    await scene.cluster.until(() => two.counters.delivered === 1);
  });

  it('opens again after a backoff when the platform fails it, keeping its lease', async () => {
    await using scene = await aScene();
    const states: string[] = [];
    const one = await scene.channel('one', { onState: (state) => states.push(state) });
    scene.platform.break(new PincerError('DELIVERY_FAILED', 'the connection broke'));
    await scene.cluster.until(() => states.length >= 4);
    expect(states.slice(0, 4)).toEqual(['opening', 'open', 'degraded', 'opening']);
    await scene.cluster.until(() => one.state === 'open');
    expect(scene.platform.openMax).toBe(1);
  });

  it('is degraded, and says why, while the platform neither opens nor refuses; and ends though it does not close', async () => {
    await using scene = await aScene();
    let opens = 0;
    const stuck = {
      kind: 'stuck',
      open: async () => {
        opens += 1;
        if (opens === 1) return await new Promise<never>(() => {});
        return { deliver: async () => {}, pause: async () => {}, close: () => new Promise<never>(() => {}) };
      },
    };
    const told: unknown[] = [];
    const warn = (event: string, fields: object = {}): void => void told.push(event, 'code' in fields && fields.code);
    const log = { debug() {}, info() {}, error() {}, warn };
    const states: string[] = [];
    const onState = (state: string): void => void states.push(state);
    const one = await scene.channel('one', { platform: stuck, log, onState });
    await scene.cluster.until(() => one.state === 'open');
    expect(states).toEqual(['opening', 'degraded', 'opening', 'open']);
    expect(told).toEqual(['platform.failed', 'TIMED_OUT']);
    expect([opens, one.trouble]).toEqual([2, null]);
    expect(await scene.cluster.until(one.stop().then(() => one.state))).toBe('stopped');
  });

  it('is not opened again before the platform wants it, as far as that is bearable', async () => {
    await using scene = await aScene();
    const opened: number[] = [];
    const busy: Platform = {
      kind: 'busy',
      open: async (...given) => {
        opened.push(scene.cluster.clock.now());
        const retryAfterMs = [600_000, 10_000_000][opened.length - 1];
        if (retryAfterMs !== undefined) throw new PincerError('DELIVERY_FAILED', 'too many', { retryAfterMs });
        return scene.platform.open(...given);
      },
    };
    const one = await scene.channel('one', { platform: busy });
    await scene.cluster.advance(2_000_000);
    const [first = 0, second = 0, third = 0] = opened;
    expect(second - first).toBeGreaterThanOrEqual(600_000);
    expect(third - second).toBeGreaterThanOrEqual(900_000);
    expect(one.state).toBe('open');
  });

  it('gives up when it is told to while its platform has not opened, or its gateway has not said who has it', async () => {
    await using scene = await aScene();
    const stuck: Platform = { kind: 'stuck', open: () => new Promise<never>(() => {}) };
    const reason = new Error('changed my mind');
    for (const wait of [() => {}, () => scene.cluster.network.partition('one')]) {
      const giveUp = new AbortController();
      const states: string[] = [];
      const onState = (state: string): void => void states.push(state);
      const starting = scene.channel('one', { platform: stuck, signal: giveUp.signal, onState });
      starting.catch(() => {});
      const client = await scene.cluster.client(`client-${states.length}`);
      await scene.cluster.until(async () => (await client.nodes()).some(({ nodeId }) => nodeId === 'one'));
      wait();
      giveUp.abort(reason);
      await expect(scene.cluster.until(starting)).rejects.toBe(reason);
      expect(states.at(-1)).toBe('stopped');
    }
  });

  it('survives what its platform and its owner throw where nothing may be thrown', async () => {
    await using scene = await aScene();
    const { release } = await anAgent(scene);
    const platform = memoryPlatform();
    const rude: Platform = {
      kind: 'rude',
      open: async (...given) => ({
        ...(await platform.open(...given)),
        progress: () => {
          throw new Error('no');
        },
        pause: () => Promise.reject(new Error('no')),
        close: () => Promise.reject(new Error('no')),
      }),
    };
    const onState = (): void => {
      throw new Error('no');
    };
    const one = await scene.channel('one', { platform: rude, onState });
    await scene.cluster.until(platform.say({ id: 'm1', text: 'wait' }));
    release();
    await scene.cluster.until(() => platform.sent.length === 1);
    await scene.cluster.until(one.drain());
    expect(one.state).toBe('stopped');
  });

  it('ends, and says why, when the platform refuses it for good', async () => {
    await using scene = await aScene();
    const one = await scene.channel('one');
    scene.platform.break(new PincerError('UNAUTHENTICATED', 'the token is wrong'));
    expect(await scene.cluster.until(one.stopped)).toMatchObject({ code: 'UNAUTHENTICATED' });
    const two = await scene.channel('two');
    expect(two.state).toBe('open');
  });

  it('ends when an operator evicts its node', async () => {
    await using scene = await aScene();
    const one = await scene.channel('one');
    const client = await scene.cluster.client();
    await scene.cluster.until(client.order({ what: 'node.evict', nodeId: 'one' }));
    expect(await scene.cluster.until(one.stopped)).toMatchObject({ code: 'EVICTED' });
    expect(scene.platform.openNow).toBe(0);
  });

  it('refuses what it was offered and could not take any more only for now: the platform keeps it for the next', async () => {
    await using scene = await aScene();
    const { ran } = await anAgent(scene);
    const one = await scene.channel('one');
    scene.cluster.network.partition('one');
    const said = scene.platform.say({ id: 'm1' }).catch((error: unknown) => error);
    await scene.cluster.until(one.stop());
    expect(await scene.cluster.until(said)).toMatchObject({ code: 'CHANNEL_STANDBY', retryable: true });
    scene.cluster.network.heal();
    const two = await scene.channel('two');
    await scene.cluster.until(() => two.state === 'open');
    await scene.say('m1');
    await scene.cluster.until(() => scene.platform.sent.length > 0);
    expect(ran).toHaveLength(1);
  });

  it('is never given agent work, whatever happens to be its name', async () => {
    await using scene = await aScene();
    await scene.channel('one', { name: 'agent-turn' });
    const client = await scene.cluster.client();
    const handle = client.submit('agent-turn', null);
    await scene.cluster.until(handle.accepted());
    await scene.cluster.advance(5_000);
    expect((await scene.cluster.until(client.why(handle.taskId))).nodes).toEqual([
      { nodeId: 'one', fits: false, reason: 'is a channel, not an agent' },
    ]);
  });

  it('is refused with options that it cannot have', async () => {
    const cluster = await createTestCluster();
    const join = cluster.network.dial('gateway', { name: 'x' });
    for (const wrong of [{ name: 'a b' }, { leaseMs: 10 }, { leaseMs: 1e9 }]) {
      await expect(createChannel({ platform: memoryPlatform(), join, ...wrong })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      });
    }
    await cluster[Symbol.asyncDispose]();
  });
});

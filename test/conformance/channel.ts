/**
 * What every platform must keep, whatever it connects: each implementation calls this with a way to open it and with the
 * people at its other end. Real time and a real gateway: platforms have sockets.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createGateway } from '../../src/actors/gateway/gateway.ts';
import type { Gateway } from '../../src/actors/gateway/gateway-options.ts';
import { createNode } from '../../src/actors/node/node.ts';
import type { Node } from '../../src/actors/node/node-options.ts';
import { createChannel } from '../../src/channels/channel.ts';
import type { Channel, ChannelOptions } from '../../src/channels/channel-options.ts';
import type { Platform } from '../../src/channels/platform.ts';
import type { Limits } from '../../src/protocol/limits.ts';

/** The far side of a platform. */
export interface People extends AsyncDisposable {
  /** What each instance of the channel is given: a platform that leads to these people. */
  platform(): Platform;
  /** Somebody writes, to the instance that has the platform; a second time with the same id if the platform can do that. */
  say(id: string, text: string, channel: Channel): Promise<void>;
  /** The texts of the replies that arrived, each as often as it did. */
  replies(): readonly string[];
  /** The next delivery is not taken, and may be tried again. */
  failNext(): void;
}

export interface ChannelConformance {
  readonly limits?: Partial<Limits>;
  /** The platform sends a message again by itself, so that a test cannot make it do so. */
  readonly cannotRepeat?: string;
}

const patience = { timeout: 15_000, interval: 10 };
/** Longer than a busy machine keeps a process from renewing, shorter than anybody wants to wait for a standby. */
const LEASE_MS = 6_000;

export function channelConformance(
  name: string,
  open: () => Promise<People>,
  { limits = {}, cannotRepeat }: ChannelConformance = {},
): void {
  describe(`${name} keeps the channel contract`, () => {
    let gateway: Gateway;
    let people: People;
    let agent: Node;
    let ran: string[];
    let release: () => void;
    let isReleased: Promise<void>;
    const channels: Channel[] = [];

    beforeAll(async () => {
      gateway = await createGateway({ listen: null });
    });
    afterAll(() => gateway.stop());
    beforeEach(async () => {
      ran = [];
      isReleased = new Promise((resolve) => {
        release = resolve;
      });
      people = await open();
      agent = await createNode({ join: gateway.dial, capabilities: ['llm'], maxTasks: 50 });
      agent.handle({ type: 'agent-turn' }, async ({ input }) => {
        const { text } = input as { text: string };
        ran.push(text);
        if (text.startsWith('slow')) await isReleased;
        if (text.startsWith('wrong')) throw Object.assign(new Error('no idea'), { retryable: false });
        return `re: ${text}`;
      });
    });
    afterEach(async () => {
      release();
      for (const channel of channels.splice(0)) await channel.stop();
      await agent.stop();
      await people[Symbol.asyncDispose]();
    });

    let count = 0;
    async function aChannel(channel: string, options: Partial<ChannelOptions> = {}): Promise<Channel> {
      const made = await createChannel({
        join: gateway.dial,
        platform: people.platform(),
        name: channel,
        leaseMs: LEASE_MS,
        limits,
        ...options,
      });
      channels.push(made);
      return made;
    }
    const fresh = (): string => {
      count += 1;
      return `${name.replace(/\W/g, '')}-${count}`;
    };

    it('answers a message', async () => {
      const channel = await aChannel(fresh());
      await people.say('m1', 'hello', channel);
      await expect.poll(() => people.replies(), patience).toEqual(['re: hello']);
      // A reply may be read before its sender has the answer.
      await expect.poll(() => channel.counters, patience).toMatchObject({ received: 1, delivered: 1, dead: 0 });
    });

    it('answers also when the work has failed', async () => {
      const channel = await aChannel(fresh());
      await people.say('m1', 'wrong', channel);
      await expect.poll(() => people.replies().length, patience).toBe(1);
      expect(people.replies()[0]).toContain('no idea');
    });

    // A platform that cannot be made to repeat itself says why beside its name, and has a test of its own for that.
    if (cannotRepeat === undefined) {
      it('runs and answers a message once that is sent twice', async () => {
        const channel = await aChannel(fresh());
        await people.say('m1', 'slow one', channel);
        await people.say('m1', 'slow one', channel);
        release();
        await expect.poll(() => people.replies(), patience).toEqual(['re: slow one']);
        await people.say('m1', 'slow one', channel);
        await people.say('m2', 'another', channel);
        await expect.poll(() => people.replies(), patience).toEqual(['re: slow one', 're: another']);
        expect(ran).toEqual(['slow one', 'another']);
      });
    }

    it('answers once when the first try is not taken', async () => {
      const channel = await aChannel(fresh());
      people.failNext();
      await people.say('m1', 'hello', channel);
      await expect.poll(() => people.replies(), patience).toEqual(['re: hello']);
      await expect.poll(() => channel.counters, patience).toMatchObject({ failed: 1, delivered: 1 });
    });

    it('takes nothing new while it drains, and answers what it has', async () => {
      const channel = await aChannel(fresh());
      await people.say('m1', 'slow one', channel);
      await expect.poll(() => ran.length, patience).toBe(1);
      const drained = channel.drain();
      await people.say('m2', 'too late', channel).catch(() => {});
      release();
      await drained;
      expect(people.replies()).toEqual(['re: slow one']);
      expect(channel.state).toBe('stopped');
      expect(ran).toEqual(['slow one']);
    });

    it('answers by another instance when the one that took the message is gone', async () => {
      const shared = fresh();
      const first = await aChannel(shared);
      await people.say('m1', 'slow one', first);
      await expect.poll(() => ran.length, patience).toBe(1);
      await first.stop();
      const second = await aChannel(shared);
      await expect.poll(() => second.state, patience).toBe('open');
      release();
      await expect.poll(() => people.replies(), patience).toEqual(['re: slow one']);
    });

    it('is open in one instance at a time, and opens again where it was open before', async () => {
      const shared = fresh();
      const first = await aChannel(shared);
      const second = await aChannel(shared);
      expect([first.state, second.state]).toEqual(['open', 'standby']);
      await first.drain();
      await expect.poll(() => second.state, patience).toBe('open');
      const third = await aChannel(shared);
      expect(third.state).toBe('standby');
      await second.drain();
      await expect.poll(() => third.state, patience).toBe('open');
      await people.say('m1', 'hello', third);
      await expect.poll(() => people.replies(), patience).toEqual(['re: hello']);
    });
  });
}

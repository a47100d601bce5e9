/** The example that connects Discord, against a small Discord of ours: it keeps the contract that the built-in platforms keep. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { discord } from '../../examples/discord-channel.ts';
import { createGateway } from '../../src/actors/gateway/gateway.ts';
import type { Gateway } from '../../src/actors/gateway/gateway-options.ts';
import { createNode } from '../../src/actors/node/node.ts';
import type { Node } from '../../src/actors/node/node-options.ts';
import { createChannel } from '../../src/channels/channel.ts';
import { channelConformance } from '../conformance/channel.ts';
import { DISCORD_TOKEN, startDiscord } from '../support/discord.ts';

const patience = { timeout: 15_000, interval: 10 };

channelConformance('the discord example', async () => {
  const server = await startDiscord();
  return {
    platform: () => discord({ token: DISCORD_TOKEN, api: server.api }),
    say: async (id, text) => server.say(id.replace(/\D/g, ''), text),
    replies: () => server.posted.map(({ content }) => content),
    // discord.js itself tries again what fails with 5xx, and would hide it.
    failNext: () => {
      for (let tries = 0; tries < 4; tries += 1) server.failNext(500);
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
});

describe('the discord example', () => {
  let gateway: Gateway;
  let agent: Node;
  beforeAll(async () => {
    gateway = await createGateway({ listen: null });
    agent = await createNode({ join: gateway.dial, capabilities: ['llm'] });
    agent.handle({ type: 'agent-turn' }, async ({ input, progress }) => {
      await progress({ delta: 'hm' });
      return (input as { text: string }).text.replace('long', 'x'.repeat(4_500));
    });
  });
  afterAll(async () => {
    await agent.stop();
    await gateway.stop();
  });

  const aChannel = (name: string, api: string, token = DISCORD_TOKEN) =>
    createChannel({ join: gateway.dial, name, platform: discord({ token, api }) });

  it('replies to the message, in parts, each once though an answer of Discord was lost', async () => {
    await using server = await startDiscord();
    await using channel = await aChannel('discord-parts', server.api);
    for (let tries = 0; tries < 4; tries += 1) server.failNext(500, { isTaken: true });
    server.say('5', 'long');
    await expect.poll(() => channel.counters.delivered, patience).toBe(1);
    expect(server.posted.map(({ content }) => content.length)).toEqual([2_000, 2_000, 500]);
    expect(server.posted.map(({ repliesTo }) => repliesTo)).toEqual(['5', undefined, undefined]);
    expect(channel.counters.failed).toBe(1);
    expect(server.asked).toContain('POST /channels/77/typing');
  });

  it('gives up what Discord will never take', async () => {
    await using server = await startDiscord();
    await using channel = await aChannel('discord-refused', server.api);
    server.failNext(403);
    server.say('5', 'hi');
    await expect.poll(() => channel.counters.dead, patience).toBe(1);
    expect(server.posted).toEqual([]);
  });

  it('replies in parts that Discord takes, however the text is made', async () => {
    await using server = await startDiscord();
    await using channel = await aChannel('discord-odd', server.api);
    server.say('6', `${'x'.repeat(1_999)}😀${' '.repeat(1_998)}y`);
    server.say('7', ' ');
    await expect.poll(() => channel.counters.delivered, patience).toBe(2);
    const contents = server.posted.map(({ content }) => content).sort();
    expect(contents).toEqual(['(no text)', 'x'.repeat(1_999), `😀${' '.repeat(1_998)}`, 'y'].sort());
  });

  it('waits for minutes when Discord asks for them, and says so', async () => {
    await using server = await startDiscord();
    const warnings: unknown[] = [];
    await using _channel = await createChannel({
      join: gateway.dial,
      name: 'discord-patience',
      platform: discord({ token: DISCORD_TOKEN, api: server.api }),
      log: { debug() {}, info() {}, error() {}, warn: (event, fields) => void warnings.push([event, fields]) },
    });
    server.failNext(429, { retryAfterS: 240 });
    server.say('8', 'hi');
    await expect
      .poll(() => warnings, patience)
      .toEqual([
        ['delivery.failed', expect.objectContaining({ code: 'DELIVERY_FAILED', waitMs: expect.closeTo(240_000, -3) })],
      ]);
    expect(server.posted).toEqual([]);
  });

  it('ends when Discord ends its session for good', async () => {
    await using server = await startDiscord();
    await using channel = await aChannel('discord-ended', server.api);
    server.endSession(4_004);
    expect(await channel.stopped).toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringContaining('AuthenticationFailed'),
    });
  });

  it('is refused with a token that Discord does not know', async () => {
    await using server = await startDiscord();
    await expect(aChannel('discord-wrong', server.api, 'MTIz.wrong.token')).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });
});

import type { Update } from 'grammy/types';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createGateway } from '../../src/actors/gateway/gateway.ts';
import type { Gateway } from '../../src/actors/gateway/gateway-options.ts';
import { createNode } from '../../src/actors/node/node.ts';
import type { Node } from '../../src/actors/node/node-options.ts';
import { createChannel } from '../../src/channels/channel.ts';
import type { Channel } from '../../src/channels/channel-options.ts';
import { type TelegramOptions, telegram } from '../../src/channels/telegram/telegram.ts';
import { inboundOf, partsOf, tailOf } from '../../src/channels/telegram/telegram-message.ts';
import type { Limits } from '../../src/protocol/limits.ts';
import { readJson } from '../house/tree.ts';
import { BOT_TOKEN, startTelegram, type TestTelegram } from '../support/telegram.ts';

const QUICK: Partial<Limits> = {
  telegramPollMs: 1_000,
  telegramIdleMs: 10,
  telegramRetryMinMs: 20,
  telegramRetryMaxMs: 100,
  telegramEditMs: 200,
};
let gateway: Gateway;
let agent: Node;
let server: TestTelegram;
let release: () => void;
let ran: { text: string }[] = [];

beforeAll(async () => {
  gateway = await createGateway({ listen: null });
  agent = await createNode({ join: gateway.dial, capabilities: ['llm'], maxTasks: 50 });
  agent.handle({ type: 'agent-turn' }, async ({ input, progress }) => {
    const { text } = input as { text: string };
    ran.push(input as { text: string });
    if (text === 'long') return 'word '.repeat(2_000);
    if (text === 'think') {
      for (let step = 1; step <= 40; step += 1) {
        await progress({ text: `thought ${step}` });
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    }
    return { text: `echo ${text}` };
  });
});

afterAll(async () => {
  await agent.stop();
  await gateway.stop();
});

beforeEach(async () => {
  ran = [];
  server = await startTelegram();
});

afterEach(() => server[Symbol.asyncDispose]());

let channels = 0;
function aChannel(options: Partial<TelegramOptions> = {}, limits: Partial<Limits> = {}): Promise<Channel> {
  channels += 1;
  return createChannel({
    join: gateway.dial,
    name: `telegram-${channels}`,
    platform: telegram({ token: BOT_TOKEN, apiRoot: server.apiRoot, allowAnyone: true, ...options }),
    limits: { ...QUICK, ...limits },
  });
}

describe('a message to a bot', () => {
  it('becomes a task, and its reply answers it', async () => {
    await using _channel = await aChannel();
    await server.say('hi', { chat: 7, user: 8 });
    await expect.poll(() => server.texts(), { timeout: 10_000 }).toEqual(['echo hi']);
    expect(ran).toMatchObject([{ text: 'hi', conversation: '7', sender: '8' }]);
    const { body } = server.calls.find(({ method }) => method === 'sendMessage') ?? {};
    expect(body).toMatchObject({ chat_id: 7, reply_parameters: { allow_sending_without_reply: true } });
  });

  it('shows how its task gets on in one message that becomes the reply, edited no more often than allowed', async () => {
    await using _channel = await aChannel();
    await server.say('think');
    await expect.poll(() => server.texts(), { timeout: 10_000 }).toEqual(['thought 40']);
    release();
    await expect.poll(() => server.texts(), { timeout: 10_000 }).toEqual(['echo think']);
    const edits = server.calls.filter(({ method }) => method === 'editMessageText');
    const progress = edits.slice(0, -1);
    // Forty reports in 400 ms or more, and no two edits within 200 ms of each other.
    expect(progress.length).toBeLessThan(40);
    progress.slice(1).forEach(({ at }, index) => {
      expect(at - (progress[index]?.at ?? 0)).toBeGreaterThanOrEqual(190);
    });
  });

  it('gets a reply of its own when the message that showed progress is gone', async () => {
    await using _channel = await aChannel();
    await server.say('think');
    await expect.poll(() => server.texts(), { timeout: 10_000 }).toEqual(['thought 40']);
    server.failNext('editMessageText', 400, 'Bad Request: message to edit not found');
    release();
    await expect.poll(() => server.texts(), { timeout: 10_000 }).toEqual(['thought 40', 'echo think']);
  });

  it('gets a long reply in parts, of which none is repeated when a later one fails', async () => {
    await using channel = await aChannel();
    server.failNext('sendMessage', 502, 'Bad Gateway', { after: 2 });
    await server.say('long');
    await expect.poll(() => server.texts().length, { timeout: 10_000 }).toBe(3);
    expect(server.texts().join('')).toBe('word '.repeat(2_000));
    await expect.poll(() => channel.counters).toMatchObject({ failed: 1, delivered: 1 });
  });

  it('is dropped and counted if its writer is not let in', async () => {
    await using channel = await aChannel({ allowAnyone: false, allow: [5, -100] });
    await server.say('stranger', { chat: 6, user: 6 });
    await server.say('friend', { chat: 9, user: 5 });
    await server.say('in the group', { chat: -100, user: 6 });
    await expect.poll(() => server.texts().sort(), { timeout: 10_000 }).toEqual(['echo friend', 'echo in the group']);
    expect(ran.map(({ text }) => text).sort()).toEqual(['friend', 'in the group']);
    expect(channel.counters).toMatchObject({ received: 2, refused: 1 });
  });

  it('is not lost while the channel has no room for it', async () => {
    await using channel = await aChannel({}, { channelTurnsMax: 1 });
    await server.say('think');
    await expect.poll(() => ran.length, { timeout: 10_000 }).toBe(1);
    await server.say('later');
    await expect.poll(() => channel.counters.refused, { timeout: 10_000 }).toBeGreaterThan(1);
    await expect.poll(() => server.texts(), { timeout: 10_000 }).toEqual(['thought 40']);
    release();
    await expect.poll(() => server.texts(), { timeout: 10_000 }).toEqual(['echo think', 'echo later']);
  });

  it('that came while no channel ran is taken by the next one, once', async () => {
    await server.say('early');
    const first = await aChannel();
    await expect.poll(() => server.texts(), { timeout: 10_000 }).toEqual(['echo early']);
    await first.drain();
    await server.say('between');
    await using _second = await createChannel({
      join: gateway.dial,
      name: first.name,
      platform: telegram({ token: BOT_TOKEN, apiRoot: server.apiRoot, allowAnyone: true }),
      limits: QUICK,
    });
    await expect.poll(() => server.texts(), { timeout: 10_000 }).toEqual(['echo early', 'echo between']);
    expect(ran).toHaveLength(2);
  });
});

describe('a telegram channel', () => {
  it('gives way to another poller and comes back, and stays up meanwhile', async () => {
    const logged: string[] = [];
    const log = { debug() {}, error() {}, info: (event: string) => void logged.push(event) };
    await using channel = await createChannel({
      join: gateway.dial,
      name: 'telegram-conflict',
      platform: telegram({ token: BOT_TOKEN, apiRoot: server.apiRoot, allowAnyone: true }),
      limits: QUICK,
      log: { ...log, warn: (event) => void logged.push(event) },
    });
    await expect
      .poll(
        async () => {
          await server.pollElsewhere();
          return logged.includes('telegram.conflict');
        },
        { timeout: 10_000 },
      )
      .toBe(true);
    expect(channel.state).toBe('open');
    await server.say('still there?');
    await expect.poll(() => server.texts(), { timeout: 10_000 }).toEqual(['echo still there?']);
    expect(logged).toContain('telegram.recovered');
  });

  it('says as an error, which everybody is shown, that its bot has a webhook and hears nothing', async () => {
    const errors: unknown[] = [];
    const message =
      "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete it first";
    server.failNext('getUpdates', 409, message);
    await using _channel = await createChannel({
      join: gateway.dial,
      name: 'telegram-webhook',
      platform: telegram({ token: BOT_TOKEN, apiRoot: server.apiRoot, allowAnyone: true }),
      limits: QUICK,
      log: { debug() {}, info() {}, warn() {}, error: (event, fields) => void errors.push({ event, ...fields }) },
    });
    await expect.poll(() => errors).toEqual([{ event: 'telegram.conflict', code: 409, message }]);
  });

  it('waits as long as Telegram says when it sends too much', async () => {
    await using channel = await aChannel();
    server.failNext('sendMessage', 429, 'Too Many Requests: retry after 1', { retryAfter: 1 });
    await server.say('hi');
    const saidAt = performance.now();
    await expect.poll(() => server.texts(), { timeout: 10_000 }).toEqual(['echo hi']);
    expect(performance.now() - saidAt).toBeGreaterThanOrEqual(990);
    await expect.poll(() => channel.counters).toMatchObject({ failed: 1, delivered: 1 });
  });

  it('lets a group in that became a supergroup, by the id that it had', async () => {
    await using channel = await createChannel({
      join: gateway.dial,
      name: 'telegram-moved',
      platform: telegram({ token: BOT_TOKEN, apiRoot: server.apiRoot, allow: [-7] }),
      limits: QUICK,
    });
    server.tell({ message_id: 8, date: 0, chat: { id: -7, type: 'group' }, migrate_to_chat_id: -1_007 });
    server.tell({ message_id: 1, date: 0, chat: { id: -1_007, type: 'supergroup' }, from: { id: 5 }, text: 'hi' });
    await expect.poll(() => server.texts(), { timeout: 10_000 }).toEqual(['echo hi']);
    expect(channel.counters).toMatchObject({ received: 1, refused: 0 });
  });

  it('gives up a reply to who has blocked it', async () => {
    await using channel = await aChannel();
    server.failNext('sendMessage', 403, 'Forbidden: bot was blocked by the user');
    await server.say('hi');
    await expect.poll(() => channel.counters.dead, { timeout: 10_000 }).toBe(1);
    expect(channel.counters.failed).toBe(1);
  });

  it('goes on after Telegram has failed it', async () => {
    await using _channel = await aChannel();
    server.failNext('getUpdates', 502, 'Bad Gateway');
    server.failNext('getUpdates', 500, 'Internal Server Error');
    await server.say('hi');
    await expect.poll(() => server.texts(), { timeout: 10_000 }).toEqual(['echo hi']);
  });

  it('is refused with a token that Telegram does not know, and says so without the token', async () => {
    const wrong = createChannel({
      join: gateway.dial,
      name: 'telegram-wrong',
      platform: telegram({ token: '1:wrong', apiRoot: server.apiRoot, allowAnyone: true }),
    });
    await expect(wrong).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(wrong).rejects.not.toThrow(/1:wrong/);
  });

  it('sends what anybody submits to a chat', async () => {
    await using channel = await aChannel();
    await using client = gateway.client();
    await client.submit(`channel/${channel.name}`, { to: { chat: 3 }, text: 'good morning' });
    expect(server.texts()).toEqual(['good morning']);
    const wrong = client.submit(`channel/${channel.name}`, { to: 'ada', text: 'hi' });
    expect((await wrong.outcome()).error?.code).toBe('PAYLOAD_INVALID');
  });

  it.each([
    ['without anybody to listen to', { token: BOT_TOKEN }],
    ['with a token that is none', { token: 'nonsense', allowAnyone: true }],
    ['with an API root that is none', { token: BOT_TOKEN, allowAnyone: true, apiRoot: 'ftp://x' }],
  ])('cannot be made %s', (_, options) => {
    expect(() => telegram(options)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });

  it('is named after its bot, so that a lease is for one bot', () => {
    expect(telegram({ token: BOT_TOKEN, allowAnyone: true })).toMatchObject({
      kind: 'telegram',
      name: 'telegram-123456',
    });
  });

  it('asks for the version of grammy that package.json names', () => {
    const { peerDependencies, devDependencies } = readJson('package.json') as Record<string, Record<string, string>>;
    expect(peerDependencies?.['grammy']).toBe('1.46.0');
    expect(devDependencies?.['grammy']).toBe(peerDependencies?.['grammy']);
  });
});

describe('a message from Telegram', () => {
  const inbound = (more: object) =>
    inboundOf({
      update_id: 1,
      message: { message_id: 9, date: 0, chat: { id: -7, type: 'supergroup', title: 't' }, text: 'hi', ...more },
    } as Update);

  it('of a topic is answered there, and topics are conversations of their own', () => {
    expect(inbound({ message_thread_id: 5, is_topic_message: true })?.message).toMatchObject({
      conversation: '-7:5',
      replyTo: { chat: -7, message: 9, thread: 5 },
    });
  });

  it('that answers another in a group without topics is answered in the group: there is no such thread to Telegram', () => {
    expect(inbound({ message_thread_id: 5 })?.message).toMatchObject({
      conversation: '-7',
      replyTo: { chat: -7, message: 9 },
    });
    expect(inbound({ message_thread_id: 5 })?.message.replyTo).not.toHaveProperty('thread');
  });
});

describe('a text for Telegram', () => {
  it.each([
    ['short', 'hi', ['hi']],
    ['empty', ' ', ['(no text)']],
    ['long, without a seam', 'x'.repeat(5_000), ['x'.repeat(4_096), 'x'.repeat(904)]],
    ['long, with a line end', `${'x'.repeat(4_000)}\n${'y'.repeat(500)}`, [`${'x'.repeat(4_000)}\n`, 'y'.repeat(500)]],
    ['divided at a pair of surrogates', `${'x'.repeat(4_095)}😀`, ['x'.repeat(4_095), '😀']],
  ])('is divided so that each part fits: %s', (_, text, parts) => {
    expect(partsOf(text, 8)).toEqual(parts);
  });

  it.each([
    ['half a character, where the rest is cut off', `${'x'.repeat(8_186)}${'😀'.repeat(5_000)}`, 2],
    ['nothing but white space', `begin${'\n'.repeat(20_000)}end`, 8],
  ])('has no part that Telegram refuses: %s', (_, text, partsMax) => {
    const parts = partsOf(text, partsMax);
    expect(parts.length).toBeGreaterThan(1);
    for (const part of parts) {
      expect(part.trim()).not.toBe('');
      expect(Buffer.from(part).toString()).toBe(part);
    }
  });

  it('is shown by its end while it grows, which begins with no half character', () => {
    expect(tailOf('short')).toBe('short');
    const tail = tailOf(`${'😀'.repeat(3_000)}x`);
    expect(tail).toMatch(/^…😀.*x$/u);
    expect([tail.length <= 4_096, Buffer.from(tail).toString()]).toEqual([true, tail]);
  });

  it('has at most so many parts, and says that there was more', () => {
    const parts = partsOf('x'.repeat(100_000), 3);
    expect(parts).toHaveLength(3);
    expect(parts.every((part) => part.length <= 4_096)).toBe(true);
    expect(parts[2]).toMatch(/\n\[…\]$/);
  });
});

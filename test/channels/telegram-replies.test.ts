import { inspect } from 'node:util';
import { Api } from 'grammy';
import { expect, it } from 'vitest';
import { type BotApi, explain, describe as wordsOf } from '../../src/channels/telegram/bot-api.ts';
import { ChatMoves } from '../../src/channels/telegram/chat-moves.ts';
import { Replies } from '../../src/channels/telegram/replies.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { createHandClock } from '../support/hand-clock.ts';

/** A bot whose messages are kept as their chats show them. */
function aBot() {
  const told: object[] = [];
  /** Groups by their old ids, with the new ones. */
  const moved = new Map<number, number>();
  const stay = (chat: number): void => {
    const migrate_to_chat_id = moved.get(chat);
    if (migrate_to_chat_id === undefined) return;
    const description = 'Bad Request: group chat was upgraded to a supergroup chat';
    throw Object.assign(new Error(description), { error_code: 400, description, parameters: { migrate_to_chat_id } });
  };
  const repliesTo: (readonly [chat: number, message: number])[] = [];
  const texts: { chat: number; text: string }[] = [];
  const api = {
    async sendMessage(chat: number, text: string, { reply_parameters }: { reply_parameters?: { message_id: number } }) {
      stay(chat);
      if (reply_parameters !== undefined) repliesTo.push([chat, reply_parameters.message_id]);
      texts.push({ chat, text });
      return { message_id: texts.length };
    },
    async editMessageText(chat: number, messageId: number, text: string) {
      stay(chat);
      (texts[messageId - 1] as { text: string }).text = text;
      return true;
    },
  } as unknown as BotApi;
  const clock = createHandClock();
  const tell = (level: string) => (event: string, fields?: object) => void told.push({ level, event, ...fields });
  const log = { debug() {}, info() {}, warn: tell('warn'), error: tell('error') };
  const moves = new ChatMoves(log, (chat) => chat === -7);
  const replies = new Replies(api, { clock, log, random: Math.random, ids: () => 'id', limits: defaultLimits }, moves);
  return { replies, clock, texts, moved, told, repliesTo };
}

it('how a task ended goes to whom it is sent to, also while its progress is shown elsewhere', async () => {
  const { replies, clock, texts } = aBot();
  const { signal } = new AbortController();
  const asker = { chat: 7, message: 1 };
  replies.progress({ taskId: 't', to: asker, text: 'thinking' });
  clock.pass(1);
  await expect.poll(() => texts).toEqual([{ chat: 7, text: 'thinking' }]);
  const reply = { taskId: 't', status: 'completed' } as const;
  await replies.deliver({ key: 'watcher', to: { chat: 42 }, text: 'done', reply }, signal);
  expect(texts).toEqual([
    { chat: 7, text: 'thinking' },
    { chat: 42, text: 'done' },
  ]);
  await replies.deliver({ key: 't-reply', to: asker, text: 'done', reply }, signal);
  expect(texts).toEqual([
    { chat: 7, text: 'done' },
    { chat: 42, text: 'done' },
  ]);
});

it('what goes to a group that has become a supergroup is sent on to that, which is told once', async () => {
  const { replies, clock, texts, moved, told, repliesTo } = aBot();
  const { signal } = new AbortController();
  const to = { chat: -7, message: 3 };
  replies.progress({ taskId: 't', to, text: 'thinking' });
  clock.pass(1);
  await expect.poll(() => texts).toEqual([{ chat: -7, text: 'thinking' }]);
  moved.set(-7, -1_007).set(-8, -1_008);
  replies.progress({ taskId: 't', to, text: 'thinking on' });
  const later = (): readonly object[] => {
    clock.pass(defaultLimits.telegramEditMs);
    return told;
  };
  await expect.poll(later).toHaveLength(1);
  replies.progress({ taskId: 't', to, text: 'thinking harder' });
  await expect.poll(() => later() && texts.length).toBe(2);
  replies.progress({ taskId: 't', to, text: 'got it' });
  await expect.poll(() => later() && texts.at(-1)?.text).toBe('got it');
  const reply = { taskId: 't', status: 'completed' } as const;
  await replies.deliver({ key: 't-reply', to, text: 'done', reply }, signal);
  await replies.deliver({ key: 'news', to: { chat: -7 }, text: 'news' }, signal);
  await replies.deliver({ key: 'more', to: { chat: -8 }, text: 'more' }, signal);
  expect(texts).toEqual([
    { chat: -7, text: 'thinking' },
    { chat: -1_007, text: 'done' },
    { chat: -1_007, text: 'news' },
    { chat: -1_008, text: 'more' },
  ]);
  // A message of the old group has another id in the new one, and its own may be that of another message there.
  expect(repliesTo).toEqual([[-7, 3]]);
  const message = expect.stringContaining('--allow -1007');
  expect(told).toEqual([
    { level: 'error', event: 'telegram.chat-moved', from: -7, to: -1_007, message },
    { level: 'warn', event: 'telegram.chat-moved', from: -8, to: -1_008 },
  ]);
});

it.each(['http://127.0.0.1:9', 'http://bob:hunter2@127.0.0.1:9'])(
  'what does not get through to %s is told with its reason, and nowhere with the token',
  async (apiRoot) => {
    const error: unknown = await new Api('123456:very-secret', { apiRoot }).getMe().catch((thrown: unknown) => thrown);
    const failure = explain(error);
    expect(wordsOf(error)).toContain('ECONNREFUSED');
    expect(failure).toMatchObject({ code: 'DELIVERY_FAILED', message: expect.stringContaining('ECONNREFUSED') });
    expect(inspect(failure, { depth: 10, showHidden: true })).not.toMatch(/very-secret|hunter2/);
  },
);

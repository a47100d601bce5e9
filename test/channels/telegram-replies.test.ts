import { inspect } from 'node:util';
import { Api } from 'grammy';
import { expect, it } from 'vitest';
import { type BotApi, explain, describe as wordsOf } from '../../src/channels/telegram/bot-api.ts';
import { Replies } from '../../src/channels/telegram/replies.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { createHandClock } from '../support/hand-clock.ts';

/** A bot whose messages are kept as their chats show them. */
function aBot() {
  const texts: { chat: number; text: string }[] = [];
  const api = {
    async sendMessage(chat: number, text: string) {
      texts.push({ chat, text });
      return { message_id: texts.length };
    },
    async editMessageText(_chat: number, messageId: number, text: string) {
      (texts[messageId - 1] as { text: string }).text = text;
      return true;
    },
  } as unknown as BotApi;
  const clock = createHandClock();
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const replies = new Replies(api, { clock, log, random: Math.random, ids: () => 'id', limits: defaultLimits });
  return { replies, clock, texts };
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

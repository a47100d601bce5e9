/** The channel contract, run against every platform that there is. */
import { memoryPlatform } from '../../src/channels/memory.ts';
import { telegram } from '../../src/channels/telegram/telegram.ts';
import { webhook } from '../../src/channels/webhook/webhook.ts';
import { PincerError } from '../../src/protocol/failure.ts';
import { channelConformance } from '../conformance/channel.ts';
import { BOT_TOKEN, startTelegram } from '../support/telegram.ts';
import { post, SECRET, startReceiver } from '../support/webhooks.ts';

channelConformance('the memory platform', async () => {
  const platform = memoryPlatform();
  return {
    platform: () => platform,
    say: async (id, text) => void (await platform.say({ id, text })),
    replies: () => platform.sent.map(({ text }) => text),
    failNext: () => platform.failNext(new PincerError('DELIVERY_FAILED', 'busy')),
    async [Symbol.asyncDispose]() {},
  };
});

channelConformance('the webhook platform', async () => {
  const receiver = await startReceiver();
  let sent = 0;
  return {
    platform: () => webhook({ secrets: SECRET, allowLoopbackCallbacks: true }),
    async say(id, text, channel) {
      // Each time it is sent it is signed anew, for another second.
      sent += 1;
      const at = new Date(Date.now() + sent * 1_000);
      const answer = await post(`${channel.url}/`, id, { text, callback: receiver.url }, { at });
      if (answer.status !== 202) throw new Error(`answered ${answer.status}`);
    },
    replies: () => receiver.received.map(({ body }) => String(body.text)),
    failNext: () => receiver.failNext(503),
    [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose](),
  };
});

channelConformance(
  'the telegram platform',
  async () => {
    const server = await startTelegram();
    return {
      platform: () => telegram({ token: BOT_TOKEN, apiRoot: server.apiRoot, allowAnyone: true }),
      say: (_id, text) => server.say(text),
      replies: () => server.texts(),
      failNext: () => server.failNext('sendMessage', 502, 'Bad Gateway'),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  },
  {
    limits: { telegramPollMs: 1_000, telegramIdleMs: 10, telegramRetryMinMs: 20, telegramRetryMaxMs: 100 },
    cannotRepeat: 'its updates carry no id that a user could choose',
  },
);

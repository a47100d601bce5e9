/**
 * A channel of one’s own: Discord, with discord.js (`npm install discord.js@14.28.1`). As a program it is a bot:
 * DISCORD_TOKEN=… PINCER_URL=ws://127.0.0.1:7443 node discord-channel.js
 */
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  Client,
  DiscordAPIError,
  Events,
  GatewayCloseCodes,
  GatewayIntentBits,
  type Message,
  Partials,
  RateLimitError,
  Routes,
} from 'discord.js';
import { PincerError } from 'pincer';
import { createChannel, type Inlet, type Platform } from 'pincer/channels';
import { z } from 'zod';

const { DirectMessages, GuildMessages, Guilds, MessageContent } = GatewayIntentBits;
const Address = z.object({ channel: z.string(), message: z.string().optional() });
/** As much as Discord takes at once, and no half of a character at the end. */
const PART = /.{1,2000}(?![\uDC00-\uDFFF])/gs;
const TYPING_MS = 8_000;
/** discord.js itself waits out what is shorter: Discord asks for a second or two all the time. */
const PATIENCE_MS = 5_000;

export function discord(options: { token: string; api?: string }): Platform {
  return {
    kind: 'discord',
    async open(inlet, { clock, log }, signal) {
      let isTaking = true;
      const typing = new Map<string, number>();
      const client = new Client({
        intents: [Guilds, GuildMessages, DirectMessages, MessageContent],
        partials: [Partials.Channel],
        rest: {
          rejectOnRateLimit: ({ retryAfter, timeToReset }) => Math.max(retryAfter, timeToReset) > PATIENCE_MS,
          ...(options.api === undefined ? {} : { api: options.api }),
        },
      });
      client.on(Events.Error, (error) => log.warn('discord.failed', { error: error.message }));
      // For good: the token is another one now, or the bot must not read messages.
      client.on(Events.ShardDisconnect, ({ code }) =>
        inlet.failed(
          new PincerError('UNAUTHENTICATED', `Discord ended the session (${GatewayCloseCodes[code] ?? code})`),
        ),
      );
      client.on(Events.MessageCreate, (message) => {
        if (isTaking && !message.author.bot && message.content !== '') void take(inlet, message, () => isTaking);
      });
      const end = async (): Promise<void> => {
        isTaking = false;
        await client.destroy();
      };
      signal.addEventListener('abort', () => void end(), { once: true });
      await client.login(options.token).catch(async (error: unknown) => {
        await end();
        throw explain(error);
      });
      return {
        async deliver({ key, to, text }) {
          const { data: address } = Address.safeParse(to);
          if (address === undefined)
            throw new PincerError('PAYLOAD_INVALID', 'a message goes `to` { channel, message? }');
          for (const [index, content] of partsOf(text).entries()) {
            const body = {
              content,
              // Discord takes a message with the same nonce for the same message, for some minutes: once per key.
              nonce: createHash('sha256').update(`${key} ${index}`).digest('base64url').slice(0, 25),
              enforce_nonce: true,
              ...(address.message === undefined || index > 0
                ? {}
                : { message_reference: { message_id: address.message, fail_if_not_exists: false } }),
              allowed_mentions: { parse: [] },
            };
            await client.rest.post(Routes.channelMessages(address.channel), { body }).catch((error: unknown) => {
              throw explain(error);
            });
          }
        },
        progress({ to }) {
          const { data: address } = Address.safeParse(to);
          if (address === undefined || clock.now() - (typing.get(address.channel) ?? -TYPING_MS) < TYPING_MS) return;
          if (typing.size > 1_000) typing.clear();
          typing.set(address.channel, clock.now());
          void client.rest.post(Routes.channelTyping(address.channel)).catch(() => {});
        },
        async pause() {
          isTaking = false;
        },
        close: end,
      };
    },
  };
}

/** Discord says everything once: what cannot be taken now is offered again from here. */
async function take(inlet: Inlet, message: Message, isTaking: () => boolean): Promise<void> {
  for (let waitMs = 250; isTaking(); waitMs = Math.min(2 * waitMs, 30_000)) {
    try {
      await inlet.take({
        id: message.id,
        conversation: message.channelId,
        sender: message.author.id,
        text: message.content,
        replyTo: { channel: message.channelId, message: message.id },
      });
      return;
    } catch (error) {
      if (!(error instanceof PincerError) || !error.retryable) return;
      await pause(waitMs);
    }
  }
}

function partsOf(text: string): string[] {
  // Of nothing but white space Discord takes no message, and with it would refuse the whole reply.
  const parts = (text.match(PART) ?? []).filter((part) => part.trim() !== '');
  return parts.length === 0 ? ['(no text)'] : parts;
}

function explain(error: unknown): PincerError {
  const message = `Discord: ${error instanceof Error ? error.message : String(error)}`;
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'TokenInvalid') return new PincerError('UNAUTHENTICATED', message, { cause: error });
  if (error instanceof RateLimitError) {
    // The channel waits as long as that, and others of its deliveries go on meanwhile.
    const retryAfterMs = Math.max(error.retryAfter, error.timeToReset);
    return new PincerError('DELIVERY_FAILED', `Discord asks for patience (${error.route})`, { retryAfterMs });
  }
  const isFinal = error instanceof DiscordAPIError && error.status >= 400 && error.status < 500;
  return new PincerError(isFinal ? 'DELIVERY_REFUSED' : 'DELIVERY_FAILED', message, { cause: error });
}

const { DISCORD_TOKEN: token, DISCORD_API: api, PINCER_URL: join = 'ws://127.0.0.1:7443' } = process.env;
if (import.meta.filename === process.argv[1] && token !== undefined) {
  const platform = discord({ token, ...(api === undefined ? {} : { api }) });
  const channel = await createChannel({ platform, join });
  process.once('SIGTERM', () => void channel.drain());
  console.log(`the channel is ${channel.state}`);
  const reason = await channel.stopped;
  if (reason !== null) throw reason;
}

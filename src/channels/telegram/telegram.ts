/**
 * The telegram platform: long polling, replies to the message that was answered, progress as edits of one message. Needs
 * the package grammy, which is loaded when the platform is opened and not before.
 */
import { PincerError } from '../../protocol/failure.ts';
import { plainUrl } from '../../protocol/identifier.ts';
import { checkOptions, type Names } from '../../protocol/options.ts';
import type { OpenPlatform, Platform } from '../platform.ts';
import { type BotApi, explain } from './bot-api.ts';
import { ChatMoves } from './chat-moves.ts';
import { Poller } from './poller.ts';
import { Replies } from './replies.ts';

/** What `telegram` takes: a token, and whom the bot listens to. */
export interface TelegramOptions {
  /** The token that @BotFather gave. It goes nowhere but to `apiRoot`. */
  readonly token: string;
  /** Ids of chats and users that are let in; messages of anybody else are dropped and counted. */
  readonly allow?: readonly number[];
  /** True: everybody is let in. Default false. */
  readonly allowAnyone?: boolean;
  /** The Bot API server. Default `https://api.telegram.org`. */
  readonly apiRoot?: string;
}

const TELEGRAM_OPTIONS: Names<TelegramOptions> = { token: true, allow: true, allowAnyone: true, apiRoot: true };

const MISSING = 'npm install grammy@1.46.0';

/**
 * A bot, by long polling. One process may poll for a bot: the lease of the channel sees to that among instances, and a
 * poller that is none of them is given way to.
 * @throws PincerError `OPTION_INVALID`.
 */
export function telegram(options: TelegramOptions): Platform {
  checkOptions(options, 'telegram', 'token, that of the bot, and allow', TELEGRAM_OPTIONS);
  const { token, allow = [], allowAnyone = false, apiRoot } = options;
  const botId = /^(\d{1,20}):[A-Za-z0-9_-]{1,128}$/.exec(token)?.[1];
  if (botId === undefined) {
    throw new PincerError('OPTION_INVALID', 'the token of a bot is a number, a colon and letters', {
      hint: 'Copy it from @BotFather.',
    });
  }
  if (!allowAnyone && allow.length === 0) {
    throw new PincerError('OPTION_INVALID', 'the telegram channel lets nobody in', {
      hint: 'Name chats or users with `allow` (`--allow 123,456`), or let everybody in with `allowAnyone` (`--allow-anyone`).',
    });
  }
  if (apiRoot !== undefined && !/^https?:$/.test(URL.canParse(apiRoot) ? new URL(apiRoot).protocol : '')) {
    throw new PincerError('OPTION_INVALID', `apiRoot '${plainUrl(apiRoot)}' is not an http(s) URL`);
  }
  const allowed = new Set(allow);
  return {
    kind: 'telegram',
    name: `telegram-${botId}`,
    async prepare() {
      await load();
    },
    async open(inlet, world, signal): Promise<OpenPlatform> {
      const { limits, log } = world;
      const { Api } = await load();
      const api: BotApi = new Api(token, {
        timeoutSeconds: Math.ceil(limits.telegramPollMs / 1_000) + 15,
        ...(apiRoot === undefined ? {} : { apiRoot: apiRoot.replace(/\/+$/, '') }),
      });
      // A wrong token is found here, before anything is promised.
      await api.getMe(signal as never).catch((error: unknown) => {
        throw explain(error);
      });
      const moves = new ChatMoves(log, (chat) => allowed.has(chat));
      const isAllowed = (id: number | undefined): boolean => id !== undefined && allowed.has(id);
      const replies = new Replies(api, world, moves);
      const poller = new Poller(api, world, {
        inlet,
        isLetIn: (chat, user) => allowAnyone || isAllowed(chat) || isAllowed(moves.oldIdOf(chat)) || isAllowed(user),
        onMoved: (from, to) => moves.note(from, to),
      });
      return {
        deliver: (message, deliverySignal) => replies.deliver(message, deliverySignal),
        progress: (note) => replies.progress(note),
        pause: () => poller.stop(),
        async close() {
          await poller.stop();
          replies.close();
        },
      };
    },
  };
}

async function load(): Promise<typeof import('grammy')> {
  try {
    return await import('grammy');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new PincerError('PACKAGE_MISSING', 'the telegram channel needs the package grammy', {
      cause: error,
      hint: MISSING,
    });
  }
}

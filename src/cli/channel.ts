/** `pincer channel`: a platform connected to a cluster, until it is told to stop. */
import process from 'node:process';
import { Command, InvalidArgumentError } from 'commander';
import { type Channel, createChannel, type Platform, type Route, telegram, webhook } from '../channels.ts';
import { PincerError, plainText } from '../client.ts';
import { type FindOptions, finderOf, withFinding } from './discovery.ts';
import { EXIT, exitCodeOfSignal } from './exit-codes.ts';
import { collect, parseDuration, parseList } from './option-values.ts';
import {
  DEFAULT_ADDRESS,
  gatewayUrlsOf,
  linkLog,
  logOf,
  type SharedOptions,
  tokenOf,
  withOutput,
  withToken,
} from './options.ts';
import { createOutput } from './output.ts';
import { secretIn } from './secret-file.ts';
import { onSignals } from './signals.ts';
import { submitOptionsOf, type TaskFlags, withTask } from './task-options.ts';

interface ChannelCommandOptions extends SharedOptions, FindOptions, TaskFlags {
  readonly join?: string[];
  readonly name?: string;
  readonly id?: string;
  readonly lease?: number;
  readonly type?: string;
  readonly topic?: string;
}

interface WebhookCommandOptions extends ChannelCommandOptions {
  readonly listen: string;
  readonly secretFile: string;
  readonly allowLoopbackCallbacks?: boolean;
  readonly allowPrivateCallbacks?: boolean;
}

interface TelegramCommandOptions extends ChannelCommandOptions {
  readonly botTokenFile: string;
  readonly allow?: number[];
  readonly allowAnyone?: boolean;
  readonly apiRoot?: string;
}

const IN_ORDER =
  '\nStops in order with SIGTERM or Ctrl-C: takes nothing new, lets replies go out, frees the channel. A second signal ends it at once.';

export function channelCommand(): Command {
  return new Command('channel').addCommand(webhookCommand()).addCommand(telegramCommand());
}

function webhookCommand(): Command {
  return withChannel(new Command('webhook'))
    .description('take signed webhooks; reply to the request, by a stream, or by a callback')
    .requiredOption('--secret-file <file>', 'file with the secrets, one `whsec_…` a line, the newest first')
    .option(
      '--listen <host:port>',
      'where to listen, over plain HTTP; beyond this machine, put TLS before it',
      '127.0.0.1:7490',
    )
    .option('--allow-loopback-callbacks', 'let callbacks lead to this machine, over plain HTTP too')
    .option('--allow-private-callbacks', 'let callbacks lead into private networks')
    .addHelpText('after', IN_ORDER)
    .action(async (options: WebhookCommandOptions) => {
      const { listen, secretFile, allowLoopbackCallbacks = false, allowPrivateCallbacks = false } = options;
      const secrets = secretIn(secretFile, '--secret-file');
      await runChannel(webhook({ listen, secrets, allowLoopbackCallbacks, allowPrivateCallbacks }), options);
    });
}

function telegramCommand(): Command {
  return withChannel(new Command('telegram'))
    .description('be a Telegram bot, by long polling (needs the package grammy)')
    .requiredOption('--bot-token-file <file>', 'file with the token that @BotFather gave')
    .option('--allow <ids>', 'ids of the chats and users that are let in, as a,b', parseIds)
    .option('--allow-anyone', 'let everybody in')
    .option('--api-root <url>', 'the Bot API server (default https://api.telegram.org)')
    .addHelpText('after', IN_ORDER)
    .action(async (options: TelegramCommandOptions) => {
      const { botTokenFile, allow = [], allowAnyone = false, apiRoot } = options;
      const token = secretIn(botTokenFile, '--bot-token-file');
      const platform = telegram({ token, allow, allowAnyone, ...(apiRoot === undefined ? {} : { apiRoot }) });
      await runChannel(platform, options);
    });
}

/** Adds what every channel may be told. */
function withChannel(command: Command): Command {
  return withTask(
    withFinding(withToken(withOutput(command)))
      .option(
        '--join <url>',
        `the gateway, several for one store (or set PINCER_URL; default ws://${DEFAULT_ADDRESS})`,
        collect,
      )
      .option('--name <name>', 'the name of the channel: what its instances share (default: the platform’s)')
      .option('--id <id>', 'the name of this instance as a node')
      .option('--lease <duration>', 'how long another instance waits for this one after it fell silent', parseDuration)
      .option('--type <type>', 'the type of the tasks that messages become (default agent-turn)')
      .option('--topic <topic>', 'publish messages to a topic instead')
      .option('--verbose', 'log every state change to stderr'),
  );
}

async function runChannel(platform: Platform, options: ChannelCommandOptions): Promise<void> {
  const output = createOutput(options);
  const log = linkLog(output, logOf(options));
  if (options.join !== undefined && options.discover !== undefined) {
    throw new PincerError('OPTION_INVALID', '--join names the gateway, --discover finds it: say one of them');
  }
  const { name, id, lease } = options;
  const route = routeOf(options);
  const finder = await finderOf(options, { ...tokenOf(options), log });
  const giveUp = new AbortController();
  let stop = (signal: 'SIGINT' | 'SIGTERM'): void => {
    output.say('stopping; it had not joined');
    process.exitCode = exitCodeOfSignal(signal);
    giveUp.abort(new PincerError('STOPPED', 'stopped before it had joined'));
  };
  const off = onSignals((signal) => stop(signal));
  let channel: Channel | null = null;
  try {
    channel = await createChannel({
      platform,
      route,
      join: finder?.dial ?? gatewayUrlsOf(options.join),
      log,
      signal: giveUp.signal,
      onState: (state) => {
        if (channel !== null) tell(channel, state);
      },
      ...tokenOf(options),
      ...(name === undefined ? {} : { name }),
      ...(id === undefined ? {} : { id }),
      ...(lease === undefined ? {} : { leaseMs: lease }),
    });
    stop = () => {
      output.say('draining: takes nothing new; a second signal stops at once');
      void channel?.drain();
    };
    const { state, name: channelName, id: nodeId } = channel;
    const ready = { event: 'ready', channel: channelName, nodeId, ...factsOf(channel, state) };
    output.result(ready, () => wordsOf(ready));
    const refusal = await channel.stopped;
    if (output.isJson) output.result({ event: 'stopped', counters: channel.counters }, () => '');
    if (refusal !== null) throw refusal;
    process.exitCode = EXIT.ok;
  } catch (error) {
    if (!giveUp.signal.aborted) throw error;
  } finally {
    off();
    await finder?.stop();
  }

  function tell(of: Channel, now: string): void {
    const facts = factsOf(of, now);
    if (output.isJson) output.result({ event: 'state', ...facts }, () => '');
    else output.say(wordsOf(facts));
  }
}

interface Facts {
  readonly state: string;
  readonly url: string | null;
  readonly reason?: string;
}

function factsOf({ url, trouble }: Channel, state: string): Facts {
  return { state, url, ...(state === 'degraded' && trouble !== null ? { reason: trouble.message } : {}) };
}

function wordsOf({ state, url, reason }: Facts): string {
  if (state === 'standby') return 'standing by: another instance has the channel';
  if (reason !== undefined) return `the channel is ${state}, and tries again: ${plainText(reason, 500)}`;
  return `the channel is ${state}${url === null ? '' : ` at ${url}`}`;
}

function routeOf(options: ChannelCommandOptions): Route {
  const { topic, type } = options;
  const how = submitOptionsOf(options);
  if (topic === undefined) return { ...how, ...(type === undefined ? {} : { type }) };
  if (type !== undefined || Object.keys(how).length > 0) {
    throw new PincerError('OPTION_INVALID', '--topic publishes messages: what is said of tasks has no meaning with it');
  }
  return { topic };
}

function parseIds(text: string): number[] {
  const ids = parseList(text).map(Number);
  if (ids.length > 0 && ids.every(Number.isSafeInteger)) return ids;
  throw new InvalidArgumentError('must be ids of chats or users, which are numbers, as a,b.');
}

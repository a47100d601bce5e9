/** Options that several commands share. */
import process from 'node:process';
import { type Command, Option } from 'commander';
import { createClient, PincerError, plainText } from '../client.ts';
import type { Client, Log } from '../index.ts';
import { type FindOptions, finderOf, withFinding } from './discovery.ts';
import { collect, parseDuration } from './option-values.ts';
import { createOutput, type Output, toJson } from './output.ts';
import { secretIn } from './secret-file.ts';

/** Where a gateway listens, and where clients look for one, when nothing is said. */
export const DEFAULT_ADDRESS = '127.0.0.1:7443';

export interface SharedOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly tokenFile?: string;
  readonly verbose?: boolean;
}

export interface ClientCommandOptions extends SharedOptions, FindOptions {
  readonly url?: readonly string[];
  readonly connectTimeout: number;
}

export function withOutput(command: Command): Command {
  return command.option('--json', 'print results as JSON').option('--quiet', 'print nothing but results and errors');
}

export function withToken(command: Command): Command {
  return command.option('--token-file <file>', 'file with the gateway’s token (or set PINCER_TOKEN)');
}

export function withClient(command: Command): Command {
  return withFinding(withToken(withOutput(command)))
    .option(
      '--url <url>',
      `the gateway, or several of one store (or set PINCER_URL; default ws://${DEFAULT_ADDRESS})`,
      collect,
    )
    .addOption(
      new Option('--connect-timeout <duration>', 'give up connecting after this long')
        .argParser(parseDuration)
        .default(10_000, '10s'),
    );
}

/**
 * The token of `--token-file`, else of PINCER_TOKEN, else none.
 * @throws PincerError `OPTION_INVALID` when the file cannot be read or is empty.
 */
export function tokenOf({ tokenFile }: SharedOptions): { token?: string } {
  if (tokenFile !== undefined) return { token: secretIn(tokenFile, '--token-file') };
  const token = process.env['PINCER_TOKEN'];
  if (token === undefined || token === '') return {};
  if (/^[\x21-\x7e]{1,4096}$/.test(token)) return { token };
  throw unfit('PINCER_TOKEN', 'must be 1–4096 printable ASCII characters without spaces');
}

/** How charts are run: PINCER_CHARTS, else compiled. A variable that is empty is not set. */
export function chartsOf(environment = process.env): { charts?: 'compiled' | 'interpreted' } {
  const charts = environment['PINCER_CHARTS'] ?? '';
  if (charts === '') return {};
  if (charts === 'compiled' || charts === 'interpreted') return { charts };
  throw unfit('PINCER_CHARTS', `is '${plainText(charts)}', must be compiled or interpreted`);
}

/**
 * The gateways of `--url` or `--join`, else of PINCER_URL, else the one on this machine. Several, of one store, are said
 * with commas between them, or by repeating the option. A variable that is empty is not set.
 */
export function gatewayUrlsOf(urls: readonly string[] | undefined, environment = process.env): string[] {
  const ofEnvironment = environment['PINCER_URL'] ?? '';
  const said = urls ?? [ofEnvironment === '' ? `ws://${DEFAULT_ADDRESS}` : ofEnvironment];
  const named = said.flatMap((text) => text.split(',')).flatMap((text) => (text.trim() === '' ? [] : [text.trim()]));
  const wrong = urls === undefined ? named.find((url) => !/^wss?:\/\/./i.test(url)) : undefined;
  if (wrong === undefined) return named;
  throw unfit('PINCER_URL', `names '${plainText(wrong)}', which is no gateway URL like ws://${DEFAULT_ADDRESS}`);
}

/** Who has not typed it would look for it in the command. */
function unfit(variable: string, what: string): PincerError {
  return new PincerError('OPTION_INVALID', `the variable ${variable} ${what}`, {
    hint: `Set ${variable} anew, or unset it.`,
  });
}

/**
 * Runs a client command: connects, does the work, hangs up. The work begins at once, since whatever is asked waits for the
 * link by itself, and what is wrong with it is told before a gateway has been waited for.
 */
export async function withGateway(
  options: ClientCommandOptions,
  work: (client: Client, output: Output) => Promise<void>,
): Promise<void> {
  const output = createOutput(options);
  const log = linkLog(output, silentLog);
  if (options.url !== undefined && options.discover !== undefined) {
    throw new PincerError('OPTION_INVALID', '--url names the gateway, --discover finds it: say one of them');
  }
  const finder = await finderOf(options, tokenOf(options));
  const client = createClient({
    url: finder?.dial ?? gatewayUrlsOf(options.url),
    log,
    ...tokenOf(options),
    ...chartsOf(),
  });
  try {
    const connected = client.ready(options.connectTimeout);
    const done = work(client, output);
    // Told by the other one: a link that never was ends the work, too, and work that is wrong needs no link.
    connected.catch(() => {});
    done.catch(() => {});
    await Promise.race([connected, done]);
    await done;
  } finally {
    await client.stop();
    await finder?.stop();
  }
}

/** Log lines on stderr: only errors, unless `--verbose`. */
export function logOf(options: SharedOptions): Log {
  const write =
    (level: string) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}) => {
      process.stderr.write(`${toJson({ level, event, ...fields })}\n`);
    };
  const silent = (): void => {};
  const isVerbose = options.verbose === true;
  return {
    debug: silent,
    info: isVerbose ? write('info') : silent,
    warn: isVerbose ? write('warn') : silent,
    error: write('error'),
  };
}

const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * A log that also tells people how the link fares, once for each change: that no gateway answers and the command waits
 * for one, and that it has found one again. Without that, waiting would look like work.
 */
export function linkLog(output: Output, log: Log): Log {
  let isWaiting = false;
  let wasUp = false;
  return {
    ...log,
    debug(event, fields) {
      if (event === 'link.failed' && !isWaiting) {
        isWaiting = true;
        const { code, message, hint } = fields ?? {};
        output.say(`waiting for the gateway: ${plainText(String(message))} (${plainText(String(code))})`);
        if (code === 'GATEWAY_UNREACHABLE' && hint !== '') output.say(`→ ${plainText(String(hint))}`);
      }
      log.debug(event, fields);
    },
    info(event, fields) {
      if (event === 'link.up') {
        if (isWaiting && wasUp) output.say('the gateway is back');
        isWaiting = false;
        wasUp = true;
      }
      log.info(event, fields);
    },
  };
}

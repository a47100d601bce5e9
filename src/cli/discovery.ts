/** Options of commands that find a gateway, or announce one: where to look, and whom to trust. */
import { isIPv4 } from 'node:net';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { PincerError } from '../client.ts';
import type { DiscoverOptions, Discovery, DiscoverySource, GatewayFinder } from '../discovery.ts';
import type { Gateway, Limits, Log } from '../index.ts';
import { collect, parseList, parseWhole } from './option-values.ts';
import { secretIn } from './secret-file.ts';
import { versionOf } from './version.ts';

// Loaded when it is asked for: most commands name their gateway, and should not wait for what finds one.
const load = () => import('../discovery.ts');

const KINDS = ['mdns', 'registry'] as const;
type Kind = (typeof KINDS)[number];

/** Where a command looks for others, or announces itself. */
export interface SourceOptions {
  readonly registry?: string;
  readonly apiKeyFile?: string;
  readonly region?: string;
  readonly mdnsInterface?: string;
  readonly mdnsPort?: number;
}

export interface FindOptions extends SourceOptions {
  readonly discover?: Kind[];
  readonly trust?: string[];
}

export interface AdvertiseOptions extends SourceOptions {
  readonly advertise?: Kind[];
  readonly advertiseUrl?: string;
}

/** Adds the options of a command that may find its gateway. */
export function withFinding(command: Command): Command {
  return withSources(
    command
      .addOption(new Option('--discover <sources>', 'find the gateway by mdns, registry or both').argParser(parseKinds))
      .option('--trust <gateway>', 'with --discover: an address, network or host name to dial; repeatable', collect),
    '127.0.0.1: this machine alone',
  );
}

/** Adds the options of a command that may announce itself. */
export function withAdvertising(command: Command): Command {
  return withSources(
    command
      .addOption(new Option('--advertise <sources>', 'be found by mdns, registry or both').argParser(parseKinds))
      .option('--advertise-url <url>', 'with --advertise registry: what to dial, where that is not --listen'),
    'where it listens',
  );
}

function withSources(command: Command, mdnsDefault: string): Command {
  return command
    .option('--registry <url>', 'the registry, https or on this machine')
    .option('--api-key-file <file>', 'file with the key of the registry')
    .option('--region <name>', 'the region in the registry')
    .option('--mdns-interface <address>', `the address to use mdns at (default ${mdnsDefault})`)
    .option('--mdns-port <n>', 'the port of mdns (default 5353)', parseWhole(1, 65_535));
}

/**
 * What finds the gateway, or null if it is named.
 * @throws PincerError `OPTION_INVALID` for options that do not fit together
 */
export async function finderOf(
  options: FindOptions,
  world: { token?: string; log?: Log; limits?: Partial<Limits> },
): Promise<GatewayFinder | null> {
  const { discover = [], trust } = options;
  if (discover.length === 0) {
    if (trust !== undefined) throw new PincerError('OPTION_INVALID', '--trust is for --discover');
    return null;
  }
  const sources = await sourcesOf(discover, options, { type: 'gateway' });
  const { findGateways } = await load();
  return findGateways({ sources, ...world, ...(trust === undefined ? {} : { trust }) });
}

type Announce = (gateway: Gateway, options: Pick<DiscoverOptions, 'log' | 'limits' | 'onNews'>) => Discovery;

/**
 * What announces a gateway once it listens, in each way that is asked for.
 * @throws PincerError `OPTION_INVALID` where nobody could dial what would be announced
 */
export async function announcementsOf(options: AdvertiseOptions, listen: string): Promise<Announce[]> {
  const { advertise = [], advertiseUrl: url, mdnsInterface } = options;
  const host = listen.slice(0, listen.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
  const isEverywhere = ['', '0.0.0.0', '::'].includes(host);
  if (url !== undefined) checkAdvertised(url, advertise);
  const ways = advertise.map(async (kind): Promise<Announce> => {
    if (kind === 'mdns' && isEverywhere && mdnsInterface === undefined) {
      throw new PincerError('OPTION_INVALID', `--listen ${listen} is every address: name one in --mdns-interface`);
    }
    if (kind === 'mdns' && !isEverywhere && !(isIPv4(host) && (mdnsInterface ?? host) === host)) {
      throw new PincerError('OPTION_INVALID', `nobody who hears of it by mdns could dial --listen ${listen}`, {
        hint: 'Listen at the IPv4 address of an interface, or at all (0.0.0.0), and name that in --mdns-interface.',
      });
    }
    if (kind === 'registry' && isEverywhere && url === undefined) {
      throw new PincerError('OPTION_INVALID', `--listen ${listen} is no address to dial: name one in --advertise-url`);
    }
    const [source] = await sourcesOf([kind], { ...options, mdnsInterface: mdnsInterface ?? host });
    const { discover } = await load();
    return ({ id, url: ownUrl }, more) => {
      const address = new URL(ownUrl).host;
      const self = { nodeId: id, type: 'gateway', address, capabilities: [], version: versionOf() } as const;
      return discover(source as DiscoverySource, { ...more, self: url === undefined ? self : { ...self, url } });
    };
  });
  return Promise.all(ways);
}

/** The URL is not shown: what it must not have may be in it. */
function checkAdvertised(url: string, advertise: readonly Kind[]): void {
  if (!advertise.includes('registry')) {
    throw new PincerError('OPTION_INVALID', '--advertise-url is for --advertise registry');
  }
  const { protocol = '', username = '', password = '' } = URL.canParse(url) ? new URL(url) : {};
  if (/^wss?:$/.test(protocol) && username === '' && password === '') return;
  const message = '--advertise-url must be ws://HOST:PORT or wss://…, without a user name and password';
  throw new PincerError('OPTION_INVALID', message);
}

/**
 * The sources that are named.
 * @throws PincerError `OPTION_INVALID` for a registry without its URL or key
 */
async function sourcesOf(
  kinds: readonly Kind[],
  options: SourceOptions,
  { type }: { type?: 'gateway' } = {},
): Promise<DiscoverySource[]> {
  const { mdnsNodes, registryNodes } = await load();
  return kinds.map((kind) => {
    if (kind === 'mdns') return mdnsNodes({ interface: options.mdnsInterface, port: options.mdnsPort });
    const { registry, apiKeyFile, region } = options;
    if (registry === undefined || apiKeyFile === undefined) {
      throw new PincerError('OPTION_INVALID', 'registry needs --registry and --api-key-file');
    }
    // Who writes the URL on a command line means it, also where it leads into a private network.
    return registryNodes(registry, {
      apiKey: secretIn(apiKeyFile, '--api-key-file'),
      region,
      type,
      isPrivateAllowed: true,
    });
  });
}

function parseKinds(text: string): Kind[] {
  const kinds = parseList(text);
  const isKind = (name: string): name is Kind => (KINDS as readonly string[]).includes(name);
  if (kinds.length === 0 || !kinds.every(isKind)) {
    throw new InvalidArgumentError(`must be one or more of ${KINDS.join(', ')}, as a,b.`);
  }
  return [...new Set(kinds.filter(isKind))];
}

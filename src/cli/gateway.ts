/** `pincer gateway`: the hub, until it is told to stop. */
import { sep } from 'node:path';
import { Command } from 'commander';
import { PincerError } from '../client.ts';
import type { Discovery, DiscoveryNews } from '../discovery.ts';
import { createGateway, type Gateway, type Limits, type Log, plainText } from '../index.ts';
import { type AdvertiseOptions, announcementsOf, withAdvertising } from './discovery.ts';
import { collectLimit, parsePlace } from './option-values.ts';
import { chartsOf, DEFAULT_ADDRESS, logOf, type SharedOptions, tokenOf, withOutput, withToken } from './options.ts';
import { createOutput, type Output } from './output.ts';
import { onSignals } from './signals.ts';
import { dataDir, storeAt, storePlace } from './store-place.ts';

interface GatewayCommandOptions extends SharedOptions, AdvertiseOptions {
  readonly listen: string;
  readonly id?: string;
  readonly strategy: string;
  readonly store?: string;
  readonly nodes?: string;
  readonly strictNodes?: boolean;
  readonly limit?: Partial<Limits>;
}

export function gatewayCommand(): Command {
  return withAdvertising(withToken(withOutput(new Command('gateway'))))
    .option(
      '--listen <host:port>',
      'where to listen; anything but loopback needs a token of at least 16 characters',
      DEFAULT_ADDRESS,
    )
    .option('--id <id>', 'the name of this gateway')
    .option(
      '--store <dir>',
      'where tasks are kept: a directory, which gateways of this machine may share, or "memory" (default: a directory for the port)',
      parsePlace,
    )
    .option(
      '--strategy <name>',
      'how nodes are chosen: least-connections, round-robin, least-load, weighted, consistent-hash or power-of-two',
      'least-connections',
    )
    .option(
      '--nodes <file>',
      'nodes.json: the nodes that are expected, and what each may do; read again when it changes',
      parsePlace,
    )
    .option('--strict-nodes', 'with --nodes: refuse nodes that are not in it')
    .option('--limit <name=value>', 'a limit of docs/limits.md, such as drainMs=5000; repeatable', collectLimit)
    .option('--verbose', 'log every state change to stderr')
    .addHelpText(
      'after',
      `\nTasks outlive the gateway: without --store they are in ${dataDir()}${sep}gateway-PORT (PINCER_HOME moves that), or in` +
        ' memory if the system is to choose the port. Gateways that are given one --store directory serve one cluster.' +
        '\nStops in order with SIGTERM or Ctrl-C: takes no more tasks, lets running ones finish. A second signal ends it at once.',
    )
    .action(async (options: GatewayCommandOptions) => {
      const output = createOutput(options);
      const { listen, id, strategy, store, nodes, strictNodes, limit = {} } = options;
      if (strictNodes === true && nodes === undefined) {
        throw new PincerError(
          'OPTION_INVALID',
          '--strict-nodes needs --nodes: without a list every node would be refused',
        );
      }
      const log = logOf(options);
      const place = storePlace(store, listen);
      const announcements = await announcementsOf(options, listen);
      const file = nodes === undefined ? null : await nodesFile(nodes);
      const gateway = await createGateway({
        listen,
        strategy,
        log,
        limits: limit,
        ...(await storeAt(place, limit)),
        ...tokenOf(options),
        ...chartsOf(),
        ...(id === undefined ? {} : { id }),
        ...(file === null ? {} : { nodes: await file.load() }),
        ...(strictNodes === undefined ? {} : { strictNodes }),
      });
      const discoveries = [
        ...(file === null ? [] : [file.watch(gateway, newsTo(output, log))]),
        ...announcements.map((announce) => announce(gateway, { log, limits: limit, onNews: newsTo(output, log) })),
      ];
      const off = onSignals(() => {
        output.say('draining: no new tasks; a second signal stops at once');
        // Who looks for a gateway from now on should not find one that takes nothing new.
        void stopAll(discoveries);
        void gateway.drain();
      });
      output.result(
        { event: 'ready', url: gateway.url, gatewayId: gateway.id, store: place },
        () => `gateway ${gateway.id} listens at ${gateway.url}; its tasks are in ${place}`,
      );
      await gateway.stopped;
      await stopAll(discoveries);
      off();
    });
}

/**
 * The file of expected nodes: as it is now, and how the gateway’s list is kept as it says. A mistake in it that comes
 * later changes nothing, and that is said.
 */
async function nodesFile(file: string) {
  const { discover, loadNodesFile, staticNodes } = await import('../discovery.ts');
  return {
    load: () => loadNodesFile(file),
    watch: (gateway: Gateway, onNews: (news: DiscoveryNews) => void): Discovery =>
      discover(staticNodes(file, { onNodes: (nodes) => gateway.expect(nodes) }), { onNews }),
  };
}

/** Tells of a source that cannot see, once for each reason, and when it can again: people in words, programs in the log. */
function newsTo(output: Output, log: Log): (news: DiscoveryNews) => void {
  let told: string | null = null;
  return (news) => {
    if (news.type !== 'state') return;
    const reason = news.reason?.message ?? null;
    if (news.state === 'degraded' && reason !== null && reason !== told) {
      if (output.isJson) log.error('discovery.degraded', { code: news.reason?.code, message: reason });
      else output.say(plainText(reason, 500));
    }
    if (news.state === 'watching' && told !== null) output.say(`no more: ${plainText(told, 500)}`);
    if (news.state === 'degraded') told = reason;
    if (news.state === 'watching') told = null;
  };
}

async function stopAll(discoveries: readonly Discovery[]): Promise<void> {
  await Promise.all(discoveries.map((discovery) => discovery.stop()));
}

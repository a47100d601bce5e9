/** `pincer gateway`: the hub, until it is told to stop. */
import { Command } from 'commander';
import { loadNodesFile } from '../discovery.ts';
import { createGateway } from '../index.ts';
import { DEFAULT_ADDRESS, logOf, type SharedOptions, tokenOf, withOutput, withToken } from './options.ts';
import { createOutput } from './output.ts';
import { onSignals } from './signals.ts';

interface GatewayCommandOptions extends SharedOptions {
  readonly listen: string;
  readonly id?: string;
  readonly strategy: string;
  readonly nodes?: string;
  readonly strictNodes?: boolean;
}

export function gatewayCommand(): Command {
  return withToken(withOutput(new Command('gateway')))
    .description('run a gateway: nodes and clients dial it')
    .option('--listen <host:port>', 'where to listen; anything but loopback needs a token', DEFAULT_ADDRESS)
    .option('--id <id>', 'the name of this gateway')
    .option('--strategy <name>', 'how nodes are chosen', 'least-connections')
    .option('--nodes <file>', 'nodes.json: the nodes that are expected, and what each may do')
    .option('--strict-nodes', 'refuse nodes that are not in --nodes')
    .option('--verbose', 'log every state change to stderr')
    .addHelpText(
      'after',
      '\nStops in order with SIGTERM or Ctrl-C: takes no more tasks, lets running ones finish. A second signal ends it at once.',
    )
    .action(async (options: GatewayCommandOptions) => {
      const output = createOutput(options);
      const { listen, id, strategy, nodes, strictNodes } = options;
      const gateway = await createGateway({
        listen,
        strategy,
        log: logOf(options),
        ...tokenOf(options),
        ...(id === undefined ? {} : { id }),
        ...(nodes === undefined ? {} : { nodes: await loadNodesFile(nodes) }),
        ...(strictNodes === undefined ? {} : { strictNodes }),
      });
      const off = onSignals(() => {
        output.say('draining: no new tasks; a second signal stops at once');
        void gateway.drain();
      });
      output.result(
        { event: 'ready', url: gateway.url, gatewayId: gateway.id },
        () => `gateway ${gateway.id} listens at ${gateway.url}`,
      );
      await gateway.stopped;
      off();
    });
}

/** `pincer types`: task types that are not placed, or not taken in. */
import { Command } from 'commander';
import { type ClientCommandOptions, withClient, withGateway } from './options.ts';
import { table } from './output.ts';

export function typesCommand(): Command {
  const types = new Command('types');
  types.addCommand(
    withClient(new Command('ls'))
      .description('list types that are paused or drained, and classes that no node can do')
      .action(async (options: ClientCommandOptions) => {
        await withGateway(options, async (client, output) => {
          const { paused, draining, starved } = await client.stats();
          output.result({ paused, draining, starved }, () => {
            const rows = [
              ...paused.map((type) => [type, 'paused', '']),
              ...draining.map((type) => [type, 'draining', '']),
              ...Object.entries(starved).map(([name, tasks]) => [name, 'starved', tasks]),
            ];
            return rows.length === 0
              ? 'every type is taken in and placed, and every class has a node'
              : table(['type or class', 'state', 'waiting'], rows, true);
          });
        });
      }),
  );
  types.addCommand(order('pause', 'place no more tasks of a type until resumed; they wait', 'type.pause'));
  types.addCommand(
    order('drain', 'take in no more tasks of a type until resumed; those that wait are placed', 'type.drain'),
  );
  types.addCommand(order('resume', 'take in and place the tasks of a type again', 'type.resume'));
  return types;
}

function order(name: string, description: string, what: 'type.pause' | 'type.drain' | 'type.resume'): Command {
  return withClient(new Command(name))
    .description(`${description}; on every gateway of the store`)
    .argument('<type>')
    .action(async (type: string, options: ClientCommandOptions) => {
      await withGateway(options, async (client, output) => {
        const status = await client.order({ what, type });
        output.result({ type, status }, () => `${type} is ${status}`);
      });
    });
}

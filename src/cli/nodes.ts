/** `pincer nodes`: look at nodes; drain, resume and evict them. */
import { Command } from 'commander';
import { plainText } from '../client.ts';
import type { NodeView } from '../index.ts';
import { type ClientCommandOptions, withClient, withGateway } from './options.ts';
import { duration, table } from './output.ts';

const HEAD = ['node', 'kind', 'status', 'tasks', 'cpu', 'memory', 'lag', 'heard', 'capabilities', 'reason'];

interface ListOptions extends ClientCommandOptions {
  readonly wide?: boolean;
}

export function nodesCommand(): Command {
  const nodes = new Command('nodes');
  nodes.addCommand(
    withClient(new Command('ls'))
      .description('list nodes')
      .option('--wide', 'do not shorten columns')
      .action(async (options: ListOptions) => {
        await withGateway(options, async (client, output) => {
          const [items, { starved }] = await Promise.all([client.nodes(), client.stats()]);
          output.result({ items, total: items.length, starved }, () =>
            items.length === 0 ? 'no nodes' : table(HEAD, items.map(rowOf), options.wide),
          );
          for (const [name, count] of Object.entries(starved)) {
            output.say(`starved: ${count} waiting, and none of these nodes can do them: ${plainText(name)}`);
          }
        });
      }),
  );
  nodes.addCommand(
    withClient(new Command('get'))
      .description('show one node, its slots and what runs in them')
      .argument('<node>')
      .action(async (nodeId: string, options: ClientCommandOptions) => {
        await withGateway(options, async (client, output) => {
          const node = await client.node(nodeId);
          output.result(node, () => {
            const lines = [table(HEAD, [rowOf(node)], true)];
            if (node.faults !== undefined) lines.push(`${node.faults} faults in a row`);
            for (const { taskId, attempt } of node.running) lines.push(`runs ${plainText(taskId)}, attempt ${attempt}`);
            for (const { taskId, attempt } of node.overdue) {
              lines.push(
                `overdue ${plainText(taskId)}, attempt ${attempt}: told to stop, and its handler has not ended`,
              );
            }
            return lines.join('\n');
          });
        });
      }),
  );
  nodes.addCommand(order('drain', 'give a node no new work; what it runs may finish', 'node.drain'));
  nodes.addCommand(order('resume', 'give a drained node work again', 'node.resume'));
  nodes.addCommand(order('evict', 'end a node’s session; what it runs is placed elsewhere', 'node.evict'));
  return nodes;
}

function order(name: string, description: string, what: 'node.drain' | 'node.resume' | 'node.evict'): Command {
  return withClient(new Command(name))
    .description(description)
    .argument('<node>')
    .action(async (nodeId: string, options: ClientCommandOptions) => {
      await withGateway(options, async (client, output) => {
        const status = await client.order({ what, nodeId });
        output.result({ nodeId, status }, () => `${nodeId} is ${status}`);
      });
    });
}

function rowOf(node: NodeView): (string | number)[] {
  const { nodeId, type, status, tasks, maxTasks, load, silentMs, capabilities, reason } = node;
  const share = (value: number | undefined): string => (value === undefined ? '' : `${Math.round(value * 100)} %`);
  return [
    nodeId,
    type,
    status,
    `${tasks}/${maxTasks}`,
    share(load?.cpu),
    share(load?.memory),
    load?.lagMs === undefined ? '' : duration(load.lagMs),
    silentMs === undefined ? '' : `${duration(silentMs)} ago`,
    capabilities.join(','),
    reason ?? '',
  ];
}

/** `pincer tasks retry`: failed tasks wait again, by their ids or by what they have in common. */
import process from 'node:process';
import { Command } from 'commander';
import { PincerError, plainText } from '../client.ts';
import type { Client } from '../index.ts';
import { EXIT } from './exit-codes.ts';
import { parseWhole } from './option-values.ts';
import { type ClientCommandOptions, withClient, withGateway } from './options.ts';

interface RetryOptions extends ClientCommandOptions {
  readonly failed?: boolean;
  readonly cancelled?: boolean;
  readonly type?: string;
  readonly node?: string;
  readonly limit: number;
}

interface Retried {
  readonly taskId: string;
  readonly status?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

export function retryCommand(): Command {
  return withClient(new Command('retry'))
    .description('let failed or cancelled tasks wait again, with fresh attempts')
    .argument('[tasks...]', 'their ids; or none, and --failed or --cancelled')
    .option('--failed', 'every task that failed, oldest first')
    .option('--cancelled', 'every task that was cancelled')
    .option('--type <type>', 'of these only those of one type')
    .option('--node <id>', 'of these only those whose last attempt was on one node')
    .option('--limit <n>', 'at most so many', parseWhole(1, 1_000), 100)
    .action(async (taskIds: string[], options: RetryOptions, command: Command) => {
      const isFilter = options.failed === true || options.cancelled === true;
      if (isFilter === taskIds.length > 0) {
        throw new PincerError('OPTION_INVALID', 'name tasks, or say --failed or --cancelled', {
          hint: 'pincer tasks retry TASK…, or pincer tasks retry --failed --type TYPE.',
        });
      }
      const narrowing = ['type', 'node', 'limit'].find((name) => command.getOptionValueSource(name) === 'cli');
      if (!isFilter && narrowing !== undefined) {
        throw new PincerError(
          'OPTION_INVALID',
          `--${narrowing} narrows --failed and --cancelled, but tasks are named`,
          {
            hint: `Leave --${narrowing} away, or say --failed or --cancelled and name no tasks.`,
          },
        );
      }
      await withGateway(options, async (client, output) => {
        const found = isFilter ? await find(client, options) : { taskIds, total: taskIds.length };
        const items: Retried[] = [];
        for (const taskId of found.taskIds) items.push(await retry(client, taskId));
        const refused = items.filter(({ error }) => error !== undefined);
        if (items.length === 1 && !isFilter) {
          const [{ error, ...only }] = items as [Retried];
          if (error !== undefined) throw PincerError.from(error);
          output.result(only, () => `${only.taskId} is ${only.status}`);
          return;
        }
        const left = found.total - items.length;
        output.result({ items, retried: items.length - refused.length, left }, () =>
          items.map(({ taskId, status, error }) => `${taskId} ${status ?? plainText(error?.message ?? '')}`).join('\n'),
        );
        output.say(`${items.length - refused.length} wait again${left > 0 ? `; ${left} more match` : ''}`);
        if (refused.length > 0) process.exitCode = EXIT.conflict;
      });
    });
}

/** What matches, oldest first: so that what others depend on waits before them. */
async function find(
  client: Client,
  { failed, cancelled, type, node, limit }: RetryOptions,
): Promise<{ taskIds: string[]; total: number }> {
  const { items, total } = await client.tasks({
    status: [
      ...(failed === true ? (['failed'] as const) : []),
      ...(cancelled === true ? (['cancelled'] as const) : []),
    ],
    ...(type === undefined ? {} : { type }),
    ...(node === undefined ? {} : { node }),
    limit,
  });
  return { taskIds: items.map(({ taskId }) => taskId).reverse(), total };
}

async function retry(client: Client, taskId: string): Promise<Retried> {
  try {
    return { taskId, status: await client.order({ what: 'task.retry', taskId }) };
  } catch (error) {
    // Somebody else may have been faster, or the store may have forgotten it.
    if (error instanceof PincerError && (error.code === 'TASK_UNKNOWN' || error.code === 'TASK_NOT_FAILED')) {
      return { taskId, error: { code: error.code, message: error.message } };
    }
    throw error;
  }
}

/** `pincer tasks` and `pincer why`: look at tasks, cancel them, ask why one waits. */
import { Command, InvalidArgumentError } from 'commander';
import { plainText, TASK_STATUSES } from '../client.ts';
import type { TaskStatus, TaskView } from '../index.ts';
import { onStdout } from './colours.ts';
import { parseCursor, parseList, parseWhole } from './option-values.ts';
import { type ClientCommandOptions, withClient, withGateway } from './options.ts';
import { duration, table, toPrettyJson } from './output.ts';
import { retryCommand } from './retry.ts';

interface ListOptions extends ClientCommandOptions {
  readonly status?: TaskStatus[];
  readonly type?: string;
  readonly node?: string;
  readonly limit: number;
  readonly cursor?: string;
  readonly wide?: boolean;
}

export function tasksCommand(): Command {
  const tasks = new Command('tasks');
  tasks.addCommand(
    withClient(new Command('ls'))
      .description('list tasks, newest first')
      .option('--status <statuses>', `only these, as a,b of ${TASK_STATUSES.join(', ')}`, parseStatuses)
      .option('--type <type>', 'only this type')
      .option('--node <id>', 'only those of this node')
      .option('--limit <n>', 'how many at most', parseWhole(1, 1_000), 100)
      .option('--cursor <cursor>', 'go on where the last list ended', parseCursor)
      .option('--wide', 'do not shorten columns')
      .action(async (options: ListOptions) => {
        const { status, type, node, limit, cursor } = options;
        await withGateway(options, async (client, output) => {
          const page = await client.tasks({
            limit,
            ...(status === undefined ? {} : { status }),
            ...(type === undefined ? {} : { type }),
            ...(node === undefined ? {} : { node }),
            ...(cursor === undefined ? {} : { cursor }),
          });
          const { items, total } = page;
          // There is more behind the cursor: the last of several pages is as short of the total, and whole.
          const truncated = page.cursor !== undefined;
          output.result({ items, total, truncated, cursor: page.cursor ?? null }, () => {
            const head = ['task', 'type', 'status', 'pri', 'node', 'attempts', 'queued', 'ran', 'error'];
            return table(head, items.map(rowOf), options.wide);
          });
          output.say(`showing ${items.length} of ${total}`);
        });
      }),
  );
  tasks.addCommand(
    withClient(new Command('get'))
      .description('show one task with its history and result')
      .argument('<task>')
      .action(async (taskId: string, options: ClientCommandOptions) => {
        await withGateway(options, async (client, output) => {
          const found = await client.task(taskId);
          output.result(found, () => {
            const { task, timeouts, history } = found;
            const lines = [
              table(
                ['task', 'type', 'status', 'pri', 'node', 'attempts', 'queued', 'ran', 'error'],
                [rowOf(task)],
                true,
              ),
              '',
              `failures of the handler ${task.failures - timeouts}, timeouts ${timeouts}, nodes lost ${task.crashes}`,
              '',
            ];
            for (const { at, event, attempt, node, detail } of history) {
              const words = [new Date(at).toISOString(), event, `attempt ${attempt}`, node ?? '', detail ?? ''];
              lines.push(
                words
                  .map((word) => plainText(word))
                  .join('  ')
                  .trimEnd(),
              );
            }
            if ('result' in found) lines.push('', toPrettyJson(found.result));
            return lines.join('\n');
          });
        });
      }),
  );
  tasks.addCommand(
    withClient(new Command('cancel'))
      .description('cancel a task; what runs is told to stop')
      .argument('<task>')
      .action(async (taskId: string, options: ClientCommandOptions) => {
        await withGateway(options, async (client, output) => {
          const status = await client.cancel(taskId);
          output.result({ taskId, status }, () => `${taskId} is ${status}`);
        });
      }),
  );
  tasks.addCommand(retryCommand());
  return tasks;
}

export function whyCommand(): Command {
  return withClient(new Command('why'))
    .argument('<task>')
    .action(async (taskId: string, options: ClientCommandOptions) => {
      await withGateway(options, async (client, output) => {
        const why = await client.why(taskId);
        output.result(why, () => {
          const rows = why.nodes.map(({ nodeId, fits, reason }) => [nodeId, fits ? 'fits' : 'no', reason]);
          const said = `${onStdout.bold(why.status)}  ${plainText(why.summary, 2_000)}`;
          return rows.length === 0 ? said : `${said}\n\n${table(['node', 'fits', 'reason'], rows, true)}`;
        });
      });
    });
}

function rowOf(task: TaskView): (string | number)[] {
  const { taskId, type, status, priority, node, attempts, queuedMs, runMs, error } = task;
  const time = (ms: number | undefined): string => (ms === undefined ? '' : duration(ms));
  return [taskId, type, status, priority, node ?? '', attempts, time(queuedMs), time(runMs), error?.code ?? ''];
}

function parseStatuses(text: string): TaskStatus[] {
  return parseList(text).map((name) => {
    const status = TASK_STATUSES.find((one) => one === name);
    if (status !== undefined) return status;
    throw new InvalidArgumentError(`${name} is none of ${TASK_STATUSES.join(', ')}.`);
  });
}

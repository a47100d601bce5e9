/** `pincer schedules`: tasks that are submitted again and again. */
import { Command } from 'commander';
import { PincerError } from '../client.ts';
import type { ScheduleOptions, ScheduleView } from '../index.ts';
import { readPayload } from './input.ts';
import { parseDuration, parseWhole } from './option-values.ts';
import { type ClientCommandOptions, withClient, withGateway } from './options.ts';
import { duration, table } from './output.ts';
import { submitOptionsOf, type TaskFlags, withoutAbsent, withTask } from './task-options.ts';

interface AddOptions extends ClientCommandOptions, TaskFlags {
  readonly cron?: string;
  readonly every?: number;
  readonly timezone?: string;
}

interface ListOptions extends ClientCommandOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly wide?: boolean;
}

export function schedulesCommand(): Command {
  const schedules = new Command('schedules');
  schedules.addCommand(
    withClient(withTask(new Command('add')))
      .description('keep a schedule; one with the same id is replaced')
      .argument('<id>', 'its name')
      .argument('<type>', 'the task type')
      .argument('[payload]', 'JSON, @file, or - for stdin')
      .option('--cron <pattern>', 'five fields, such as "0 3 * * *", or six with seconds first')
      .option('--every <duration>', 'time between two runs, at least 1s', parseDuration)
      .option('--timezone <zone>', 'of --cron, such as Europe/Vienna; default UTC')
      .addHelpText(
        'after',
        '\nWhile no gateway is up nothing runs; after that the newest missed run is made up for, and no other.\nRuns may overlap: --limit ID,concurrency=1 lets one wait for the other.',
      )
      .action(async (id: string, type: string, argument: string | undefined, options: AddOptions) => {
        const { cron, every, timezone } = options;
        if ((cron === undefined) === (every === undefined)) {
          throw new PincerError('OPTION_INVALID', 'a schedule has either --cron or --every');
        }
        const payload = await readPayload(argument);
        await withGateway(options, async (client, output) => {
          const when = withoutAbsent({ cron, everyMs: every, timezone });
          await client.schedule(id, when, type, payload, submitOptionsOf(options) as ScheduleOptions);
          output.result({ scheduleId: id, status: 'scheduled' }, () => `${id} is scheduled`);
        });
      }),
  );
  schedules.addCommand(
    withClient(new Command('ls'))
      .description('list schedules')
      .option('--limit <n>', 'how many at most', parseWhole(1, 1_000), 100)
      .option('--cursor <cursor>', 'go on where the last list ended')
      .option('--wide', 'do not shorten columns')
      .action(async ({ limit, cursor, wide, ...options }: ListOptions) => {
        await withGateway(options, async (client, output) => {
          const page = await client.schedules({ limit, ...(cursor === undefined ? {} : { cursor }) });
          const { items, total } = page;
          const truncated = page.cursor !== undefined;
          output.result({ items, total, truncated, cursor: page.cursor ?? null }, () =>
            items.length === 0
              ? 'no schedules'
              : table(['schedule', 'type', 'pri', 'when', 'last run', 'next run'], items.map(rowOf), wide),
          );
          output.say(`showing ${items.length} of ${total}`);
        });
      }),
  );
  schedules.addCommand(
    withClient(new Command('rm'))
      .description('end a schedule; tasks it has made stay')
      .argument('<id>')
      .action(async (id: string, options: ClientCommandOptions) => {
        await withGateway(options, async (client, output) => {
          await client.unschedule(id);
          output.result({ scheduleId: id, status: 'dropped' }, () => `${id} is dropped`);
        });
      }),
  );
  return schedules;
}

function rowOf(schedule: ScheduleView): (string | number)[] {
  const { scheduleId, type, priority, cron, everyMs, timezone, lastRunAt, nextRunAt } = schedule;
  const time = (at: number | undefined): string => (at === undefined ? '' : new Date(at).toISOString());
  const when = cron === undefined ? `every ${duration(everyMs ?? 0)}` : `${cron} ${timezone ?? 'UTC'}`;
  return [scheduleId, type, priority, when, time(lastRunAt), time(nextRunAt)];
}

/** `pincer run`: one task, its progress, its result. */
import process from 'node:process';
import { Command } from 'commander';
import { PincerError } from '../index.ts';
import { exitCodeOfSignal, exitCodeOfTask } from './exit-codes.ts';
import { readPayload } from './input.ts';
import {
  type ClientCommandOptions,
  collectAmount,
  collectPair,
  parseDuration,
  parseList,
  parseWhole,
  withClient,
  withGateway,
} from './options.ts';
import { duration, type Output, toPrettyJson } from './output.ts';
import { onSignals } from './signals.ts';

interface RunOptions extends ClientCommandOptions {
  readonly priority?: number;
  readonly timeout?: number;
  readonly needs?: string[];
  readonly label?: Record<string, string>;
  readonly resource?: Record<string, number>;
  readonly node?: string;
  readonly key?: string;
  readonly attempts?: number;
  readonly delay?: number;
  readonly ttl?: number;
  readonly deadline?: number;
  readonly fairKey?: string;
  readonly after?: string[];
  readonly detach?: boolean;
}

export function runCommand(): Command {
  return withClient(new Command('run'))
    .description('run one task and print its result')
    .argument('<type>', 'the task type, such as tool-execution')
    .argument('[payload]', 'JSON, @file, or - for stdin')
    .option('--priority <n>', '1 (first) to 10 (last)', parseWhole(1, 10))
    .option('--timeout <duration>', 'how long one attempt may run', parseDuration)
    .option('--needs <capabilities>', 'capabilities a node must have, as a,b', parseList)
    .option('--label <key=value>', 'a label the node must carry; repeatable', collectPair)
    .option('--resource <name=amount>', 'what an attempt takes of its node; repeatable', collectAmount)
    .option('--node <id>', 'the only node that may run it')
    .option('--key <key>', 'idempotency key: the same key is the same task')
    .option('--attempts <n>', 'failures after which it is failed', parseWhole(1, 100))
    .option('--delay <duration>', 'not before', parseDuration)
    .option('--ttl <duration>', 'fail it if it has not started by then', parseDuration)
    .option('--deadline <duration>', 'fail it if it has not ended by then', parseDuration)
    .option('--fair-key <key>', 'tasks of one key do not stand before those of another')
    .option('--after <tasks>', 'tasks that must have settled first, as a,b', parseList)
    .option('--detach', 'print the task’s id and do not wait')
    .addHelpText('after', '\nCtrl-C cancels the task and waits for its end; a second one leaves at once.')
    .action(async (type: string, argument: string | undefined, options: RunOptions) => {
      const payload = await readPayload(argument);
      await withGateway(options, async (client, output) => {
        const { priority, timeout, needs, label, resource, node, key, attempts } = options;
        const { delay, ttl, deadline, fairKey, after } = options;
        const interrupt = new AbortController();
        const off = onSignals((signal) => {
          process.exitCode = exitCodeOfSignal(signal);
          // Without a gateway nobody can be told to cancel, and the task would never end.
          if (!client.isConnected) process.exit();
          output.say('cancelling; again to leave at once');
          interrupt.abort();
        });
        const handle = client.submit(type, payload, {
          signal: interrupt.signal,
          ...(priority === undefined ? {} : { priority }),
          ...(timeout === undefined ? {} : { timeoutMs: timeout }),
          ...(needs === undefined ? {} : { needs }),
          ...(label === undefined ? {} : { labels: label }),
          ...(resource === undefined ? {} : { resources: resource }),
          ...(node === undefined ? {} : { node }),
          ...(key === undefined ? {} : { key }),
          ...(attempts === undefined ? {} : { attempts }),
          ...(delay === undefined ? {} : { delayMs: delay }),
          ...(ttl === undefined ? {} : { ttlMs: ttl }),
          ...(deadline === undefined ? {} : { deadlineMs: deadline }),
          ...(fairKey === undefined ? {} : { fairKey }),
          ...(after === undefined ? {} : { after }),
          ...(options.detach === true ? { watch: false } : {}),
        });
        const { taskId } = await handle.accepted().catch((error: unknown) => {
          off();
          throw error;
        });
        if (options.detach === true) {
          off();
          output.result({ taskId }, () => taskId);
          return;
        }
        const shown = showProgress(handle.progress, output);
        const task = await handle.outcome();
        await shown;
        off();
        if (task.status === 'completed') {
          output.result(task, () => toPrettyJson(task.result ?? null));
          output.say(`done on ${task.node}, ${duration(task.runMs)} after ${duration(task.queuedMs)} in the queue`);
          return;
        }
        const error = task.error ?? new PincerError('INTERNAL', `task ${taskId} ended as ${task.status}`);
        if (output.isJson) output.result(task, () => '');
        output.fail(error);
        process.exitCode ??= exitCodeOfTask(error);
      });
    });
}

/** Passes on what a tool writes as it comes; any other report is shown as JSON, one after the other. */
async function showProgress(progress: AsyncIterable<unknown>, output: Output): Promise<void> {
  let isLineOpen = false;
  const endLine = (): void => {
    if (isLineOpen) output.pass('\n');
    isLineOpen = false;
  };
  for await (const report of progress) {
    const chunk = typeof report === 'object' && report !== null && 'chunk' in report ? report.chunk : null;
    if (typeof chunk === 'string') {
      output.pass(chunk);
      if (chunk !== '') isLineOpen = !chunk.endsWith('\n');
    } else {
      endLine();
      output.say(toPrettyJson(report));
    }
  }
  endLine();
}

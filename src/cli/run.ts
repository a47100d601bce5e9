/** `pincer run`: one task, its progress, its result. */
import process from 'node:process';
import { Command } from 'commander';
import { PincerError } from '../client.ts';
import { exitCodeOfSignal, exitCodeOfTask } from './exit-codes.ts';
import { readPayload } from './input.ts';
import { type ClientCommandOptions, withClient, withGateway } from './options.ts';
import { duration, type Output, toPrettyJson } from './output.ts';
import { onSignals } from './signals.ts';
import { submitOptionsOf, type TaskFlags, withTask, withTurn } from './task-options.ts';

interface RunOptions extends ClientCommandOptions, TaskFlags {
  readonly detach?: boolean;
}

export function runCommand(): Command {
  return withClient(withTurn(withTask(new Command('run'))))
    .argument('<type>', 'the task type, such as tool-execution')
    .argument('[payload]', 'JSON, @file, or - for stdin')
    .option('--detach', 'print the task’s id and do not wait')
    .addHelpText('after', '\nCtrl-C cancels the task and waits for its end; a second one leaves at once.')
    .action(async (type: string, argument: string | undefined, options: RunOptions) => {
      const payload = await readPayload(argument);
      await withGateway(options, async (client, output) => {
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
          ...submitOptionsOf(options),
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

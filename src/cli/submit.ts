/** `pincer submit`: a list of tasks, one JSON object a line; results in the order in which they come. */
import process from 'node:process';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { type Client, PincerError, type SettledTask } from '../index.ts';
import { EXIT } from './exit-codes.ts';
import { readTaskLines, type TaskLine } from './input.ts';
import { type ClientCommandOptions, withClient, withGateway } from './options.ts';
import { onSignals } from './signals.ts';

/** Tasks under way at once: their results are all that is kept in memory. */
const WINDOW = 5_000;

/** One line of output. */
interface Row {
  /** The line of the list, from 0. */
  readonly index: number;
  readonly taskId: string | null;
  readonly status: 'completed' | 'failed' | 'cancelled' | 'refused';
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string; readonly retryable: boolean };
  readonly node: string | null;
  readonly attempts: number;
  readonly queuedMs: number;
  readonly runMs: number;
}

export function submitCommand(): Command {
  return withClient(new Command('submit'))
    .description('run a list of tasks, one JSON object a line: {"type","payload","priority","timeout","key"}')
    .argument('<file>', 'the list, or - for stdin')
    .addHelpText(
      'after',
      '\nWith --json prints one line per task as it ends: { index, taskId, status, result | error, node, attempts, queuedMs, runMs }.\nA line that is not a task is reported as refused and the rest goes on. Exits with 6 unless all completed.',
    )
    .action(async (file: string, options: ClientCommandOptions) => {
      await withGateway(options, async (client, output) => {
        const bar = process.stderr.isTTY && !output.isJson && options.quiet !== true ? progressBar() : null;
        const counts = { completed: 0, failed: 0, cancelled: 0, refused: 0 };
        const underWay = new Set<Promise<void>>();
        const cancels = new Set<() => void>();
        let isInterrupted = false;
        let total = 0;
        const off = onSignals(() => {
          isInterrupted = true;
          output.say('cancelling what is under way; again to leave at once');
          for (const cancel of cancels) cancel();
        });
        const settle = (row: Row): void => {
          counts[row.status] += 1;
          bar?.update(counts.completed + counts.failed + counts.cancelled + counts.refused, {
            failed: counts.failed + counts.refused,
          });
          if (output.isJson) output.result(row, () => '');
          else if (row.error !== undefined)
            output.say(`line ${row.index + 1}: ${row.error.code}, ${row.error.message}`);
        };
        bar?.start(0, 0, { failed: 0 });
        for await (const { index, task } of readTaskLines(file)) {
          if (isInterrupted) break;
          total += 1;
          bar?.setTotal(total);
          if (task instanceof PincerError) {
            settle(refused(index, task));
            continue;
          }
          const run: Promise<void> = runLine(client, index, task, cancels).then((row) => {
            underWay.delete(run);
            settle(row);
          });
          underWay.add(run);
          if (underWay.size >= WINDOW) await Promise.race(underWay);
        }
        await Promise.all(underWay);
        off();
        bar?.stop();
        output.say(
          `${total} tasks: ${Object.entries(counts)
            .map(([status, count]) => `${count} ${status}`)
            .join(', ')}`,
        );
        if (isInterrupted) process.exitCode = EXIT.interrupted;
        else if (counts.completed < total) process.exitCode = EXIT.taskFailed;
      });
    });
}

async function runLine(client: Client, index: number, task: TaskLine, cancels: Set<() => void>): Promise<Row> {
  const { type, payload = null, priority, timeout, key } = task;
  for (;;) {
    const handle = client.submit(type, payload, {
      ...(priority === undefined ? {} : { priority }),
      ...(timeout === undefined ? {} : { timeoutMs: timeout }),
      ...(key === undefined ? {} : { key }),
    });
    const cancel = (): void => void handle.cancel().catch(() => {});
    cancels.add(cancel);
    try {
      return rowOf(index, await handle.outcome());
    } catch (error) {
      const refusal =
        error instanceof PincerError ? error : new PincerError('INTERNAL', String(error), { cause: error });
      // A full queue says when to come back; anything else will not get better by waiting.
      if (refusal.code !== 'QUEUE_FULL') return refused(index, refusal);
      await new Promise((resolve) => setTimeout(resolve, refusal.retryAfterMs ?? 1_000));
    } finally {
      cancels.delete(cancel);
    }
  }
}

function rowOf(index: number, task: SettledTask): Row {
  const { taskId, status, result, error, node, attempts, queuedMs, runMs } = task;
  return {
    index,
    taskId,
    status,
    ...(status === 'completed' ? { result: result ?? null } : {}),
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message, retryable: error.retryable } }),
    node: node ?? null,
    attempts,
    queuedMs: Math.round(queuedMs),
    runMs: Math.round(runMs),
  };
}

function refused(index: number, error: PincerError): Row {
  const { code, message, retryable } = error;
  return {
    index,
    taskId: null,
    status: 'refused',
    error: { code, message, retryable },
    node: null,
    attempts: 0,
    queuedMs: 0,
    runMs: 0,
  };
}

function progressBar(): SingleBar {
  return new SingleBar({
    format: '{bar} {value}/{total} tasks, {failed} failed, {duration_formatted}',
    hideCursor: true,
    stream: process.stderr,
    etaBuffer: 100,
  });
}

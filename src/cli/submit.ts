/** `pincer submit`: a list of tasks, one JSON object a line; results in the order in which they come. */
import { setMaxListeners } from 'node:events';
import process from 'node:process';
import { setTimeout as wait } from 'node:timers/promises';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { PincerError, plainText } from '../client.ts';
import type { Client, SettledTask, SubmitOptions } from '../index.ts';
import { EXIT, exitCodeOfSignal } from './exit-codes.ts';
import { FIELDS, openTaskList, readTaskLines, type TaskLine } from './input.ts';
import { type ClientCommandOptions, withClient, withGateway } from './options.ts';
import { onSignals } from './signals.ts';
import { withoutAbsent } from './task-options.ts';
import { Window } from './window.ts';

/** Tasks under way at once: their results are all that is kept in memory. */
const WINDOW = 5_000;

/** One line of output. */
interface Row {
  /** The line of the list, from 0. */
  readonly index: number;
  readonly taskId: string | null;
  readonly status: 'completed' | 'failed' | 'cancelled' | 'refused';
  readonly result?: unknown;
  readonly error?: {
    readonly code: string;
    readonly message: string;
    readonly hint: string;
    readonly retryable: boolean;
  };
  readonly node: string | null;
  readonly attempts: number;
  readonly queuedMs: number;
  readonly runMs: number;
}

export function submitCommand(): Command {
  return withClient(new Command('submit'))
    .argument('<file>', 'the list, or - for stdin')
    .addHelpText(
      'after',
      `\nFields of a line: ${FIELDS.join(', ')}. Times are milliseconds.\nWith --json prints one line per task as it ends: { index, taskId, status, result | error, node, attempts, queuedMs, runMs }.\nA line that is not a task is reported as refused and the rest goes on. Exits with 6 unless all completed.`,
    )
    .action(async (file: string, options: ClientCommandOptions) => {
      const list = await openTaskList(file);
      await withGateway(options, async (client, output) => {
        // Lines that no gateway was asked about are not refused: the command has failed, and says why.
        await client.ready(options.connectTimeout);
        const bar = process.stderr.isTTY && !output.isJson && options.quiet !== true ? progressBar() : null;
        const counts = { completed: 0, failed: 0, cancelled: 0, refused: 0 };
        const window = new Window(WINDOW);
        const interrupt = new AbortController();
        // Every task under way listens to it.
        setMaxListeners(0, interrupt.signal);
        let interruptedBy: 'SIGINT' | 'SIGTERM' | null = null;
        let total = 0;
        const off = onSignals((signal) => {
          interruptedBy = signal;
          // Without a gateway nobody can be told to cancel, and nothing would ever end.
          if (!client.isConnected) process.exit(exitCodeOfSignal(signal));
          output.say('cancelling what is under way; again to leave at once');
          interrupt.abort();
        });
        const settle = (row: Row): void => {
          counts[row.status] += 1;
          bar?.update(counts.completed + counts.failed + counts.cancelled + counts.refused, {
            failed: counts.failed + counts.refused,
          });
          if (output.isJson) output.result(row, () => '');
          else if (row.error !== undefined) {
            const { code, message, hint } = row.error;
            const mend = row.status === 'refused' && hint !== '' ? `; ${plainText(hint, 2_000)}` : '';
            output.say(`line ${row.index + 1}: ${plainText(code)}, ${plainText(message, 2_000)}${mend}`);
          }
        };
        bar?.start(0, 0, { failed: 0 });
        for await (const { index, task } of readTaskLines(list, interrupt.signal)) {
          if (interrupt.signal.aborted) break;
          total += 1;
          bar?.setTotal(total);
          if (task instanceof PincerError) settle(refused(index, task));
          else await window.add(runLine(client, index, task, interrupt.signal).then(settle));
        }
        await window.empty();
        off();
        bar?.stop();
        output.say(summaryOf(total, counts));
        if (interruptedBy !== null) process.exitCode = exitCodeOfSignal(interruptedBy);
        else if (counts.completed < total) process.exitCode = EXIT.taskFailed;
      });
    });
}

/** `2000 tasks: 1999 completed, 1 failed`. */
function summaryOf(total: number, counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).filter(([, count]) => count > 0);
  const said = parts.map(([status, count]) => `${count} ${status}`).join(', ');
  return `${total} ${total === 1 ? 'task' : 'tasks'}${said === '' ? '' : `: ${said}`}`;
}

/** Refusals of a gateway that has too much to do, or too much from here. */
const NO_ROOM: readonly string[] = ['QUEUE_FULL', 'RATE_EXCEEDED'];

/** Runs one task, for as long as it takes until there is room for it. Refused or not, it is one task: each try has the same id. */
export async function runLine(
  client: Pick<Client, 'submit'>,
  index: number,
  task: TaskLine,
  signal: AbortSignal,
): Promise<Row> {
  const { type, payload = null, timeout, delay, ttl, deadline, ...rest } = task;
  const times = { timeoutMs: timeout, delayMs: delay, ttlMs: ttl, deadlineMs: deadline };
  let options = withoutAbsent({ ...rest, ...times }) as SubmitOptions;
  for (;;) {
    const handle = client.submit(type, payload, { signal, ...options });
    try {
      return rowOf(index, await handle.outcome());
    } catch (error) {
      const refusal =
        error instanceof PincerError ? error : new PincerError('INTERNAL', String(error), { cause: error });
      // Who says that there is no room for now will have some; anything else will not get better by waiting.
      if (!NO_ROOM.includes(refusal.code) || signal.aborted) return refused(index, refusal);
      options = { ...options, taskId: handle.taskId };
      // Cut short by an interrupt: the next submit is then refused at once.
      await wait(refusal.retryAfterMs ?? 1_000, undefined, { signal }).catch(() => {});
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
    ...(error === undefined ? {} : { error: wordsOf(error) }),
    node: node ?? null,
    attempts,
    queuedMs: Math.round(queuedMs),
    runMs: Math.round(runMs),
  };
}

function refused(index: number, error: PincerError): Row {
  return {
    index,
    taskId: null,
    status: 'refused',
    error: wordsOf(error),
    node: null,
    attempts: 0,
    queuedMs: 0,
    runMs: 0,
  };
}

function wordsOf({ code, message, hint, retryable }: PincerError): NonNullable<Row['error']> {
  return { code, message, hint, retryable };
}

function progressBar(): SingleBar {
  return new SingleBar({
    format: '{bar} {value}/{total} tasks, {failed} failed, {duration_formatted}',
    hideCursor: true,
    stream: process.stderr,
    etaBuffer: 100,
  });
}

/** `pincer story`: everything that happened to a task, and where its chart was after any of it. */
import { Command } from 'commander';
import { PincerError, plainText } from '../client.ts';
import type { HistoryEntry } from '../index.ts';
import { gatewayNameOf, type ReplayTurn, replayHistory, sentenceOf } from '../inspect.ts';
import { onStdout } from './colours.ts';
import { parseWhole } from './option-values.ts';
import { type ClientCommandOptions, withClient, withGateway } from './options.ts';
import { table } from './output.ts';

interface StoryOptions extends ClientCommandOptions {
  readonly at?: number;
  readonly wide?: boolean;
}

export function storyCommand(): Command {
  return withClient(new Command('story'))
    .argument('<task>')
    .option('--at <n>', 'stop after entry n, and show the task’s chart as it was then', parseWhole(1, 1_000_000_000))
    .option('--wide', 'do not shorten columns')
    .action(async (taskId: string, options: StoryOptions) => {
      await withGateway(options, async (client, output) => {
        const { task, history } = await client.task(taskId);
        const entries = options.at === undefined ? history : upTo(history, options.at);
        const { turns, isWhole, problems } = replayHistory(entries, { taskId });
        const last = turns.at(-1);
        const story = {
          taskId,
          type: task.type,
          status: task.status,
          isWhole,
          problems,
          events: turns.map((turn) => ({ ...turn.entry, says: sentenceOf(turn.entry), state: turn.value })),
          ...(options.at === undefined || last === undefined ? {} : { at: stateOf(last) }),
        };
        output.result(story, () => {
          const head = ['n', 'when', 'attempt', 'gateway', 'node', 'state', 'what'];
          const lines = [table(head, turns.map(rowOf), options.wide)];
          if (!isWhole)
            lines.push('', 'Entries are missing: of a long history the oldest but the first are forgotten.');
          for (const problem of problems) lines.push('', onStdout.red(`This cannot have happened: ${problem}`));
          if (story.at !== undefined) lines.push('', ...inWords(story.at));
          return lines.join('\n');
        });
      });
    });
}

/** The beginning of a history, as long as entry `n` was the last one. */
function upTo(history: readonly HistoryEntry[], n: number): HistoryEntry[] {
  const last = history.at(-1)?.n ?? 0;
  if (n <= last) return history.filter((entry) => entry.n <= n);
  throw new PincerError('OPTION_INVALID', `--at ${n}: the history has ${last} entries`);
}

function rowOf({ entry, value }: ReplayTurn): (string | number)[] {
  const { n, at, attempt, node = '' } = entry;
  const name = gatewayNameOf(entry) ?? '';
  const tried = attempt === 0 ? '' : attempt;
  return [n, new Date(at).toISOString(), tried, name, node, value, plainText(sentenceOf(entry), 500)];
}

interface StateThen {
  readonly state: string;
  readonly attempt: number;
  readonly node: string | null;
  readonly failures: number;
  readonly crashes: number;
  readonly stopReason: string | null;
  readonly failure: { readonly code: string } | null;
  readonly takes: readonly string[];
}

function stateOf({ value, context, takes }: ReplayTurn): StateThen {
  const { attempt, nodeId, failures, crashes, stopReason, failure } = context;
  const node = nodeId === '' ? null : nodeId;
  return { state: value, attempt, node, failures, crashes, stopReason, failure, takes };
}

function inWords({ state, attempt, node, failures, crashes, stopReason, failure, takes }: StateThen): string[] {
  const facts: [string, string | number | null][] = [
    ['attempt', attempt === 0 ? null : attempt],
    ['node', node],
    ['failures', failures],
    ['crashes', crashes],
    ['to stop because', stopReason],
    ['last failure', failure?.code ?? null],
    ['next may come', takes.length === 0 ? 'nothing: it is over' : takes.join(', ')],
  ];
  const said = facts.filter(([, value]) => value !== null);
  return [
    `The task chart was in ${onStdout.bold(state)}.`,
    ...said.map(([name, value]) => `  ${name.padEnd(16)}${plainText(String(value), 500)}`),
  ];
}

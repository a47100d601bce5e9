/** `pincer node`: a worker that joins a gateway, with handlers from modules or an allow-list of commands. */
import path from 'node:path';
import process from 'node:process';
import { Command, Option } from 'commander';
import { toolExecution, toolHandler } from '../handlers.ts';
import type { Limits } from '../index.ts';
import { createNode, defineHandler, diskOutbox, PincerError, systemClock } from '../node.ts';
import { type FindOptions, finderOf, withFinding } from './discovery.ts';
import { EXIT, exitCodeOfSignal } from './exit-codes.ts';
import { handlersOf, type ModuleOptions } from './handler-modules.ts';
import {
  collect,
  collectAmount,
  collectLimit,
  collectPair,
  parseList,
  parsePlace,
  parseWhole,
} from './option-values.ts';
import {
  chartsOf,
  DEFAULT_ADDRESS,
  gatewayUrlsOf,
  linkLog,
  logOf,
  type SharedOptions,
  tokenOf,
  withOutput,
  withToken,
} from './options.ts';
import { createOutput } from './output.ts';
import { onSignals } from './signals.ts';

/** How long a process that has stopped may take to say what went wrong. */
const LAST_WORDS_MS = 500;

interface NodeCommandOptions extends SharedOptions, FindOptions, ModuleOptions {
  readonly join?: string[];
  readonly id?: string;
  readonly type: 'agent' | 'channel';
  readonly capabilities: string[];
  readonly maxTasks: number;
  readonly label?: Record<string, string>;
  readonly resource?: Record<string, number>;
  readonly allow?: string[];
  readonly outbox?: string;
  readonly limit?: Partial<Limits>;
}

export function nodeCommand(): Command {
  return withFinding(withToken(withOutput(new Command('node'))))
    .argument('[modules...]', 'modules that export handlers made with defineHandler')
    .option(
      '--join <url>',
      `the gateway, or several of one store (or set PINCER_URL; default ws://${DEFAULT_ADDRESS})`,
      collect,
    )
    .option('--id <id>', 'the name of this node; the newest process with a name replaces the older')
    .addOption(
      new Option('--type <type>', 'agent runs tasks, channel connects a platform')
        .choices(['agent', 'channel'])
        .default('agent'),
    )
    .option('--capabilities <names>', 'what it can do, as a,b,c', parseList, [])
    .option('--max-tasks <n>', 'slots: how many tasks run at once', parseWhole(0, 10_000), 5)
    .option('--label <key=value>', 'a label that tasks may ask for; repeatable', collectPair)
    .option('--resource <name=amount>', 'what it has, such as gpu=1; repeatable', collectAmount)
    .option(
      '--allow <commands>',
      'run tool-execution tasks with these commands, as a,b,c (adds the capability tools)',
      parseList,
    )
    .addOption(
      new Option(
        '--isolate <where>',
        'run each attempt of the modules’ handlers in a thread or a process of its own',
      ).choices(['thread', 'process']),
    )
    .option('--memory-mb <n>', 'with --isolate: the memory of one attempt (default 512)', parseWhole(16, 1_048_576))
    .option(
      '--outbox <dir>',
      'with --id: where results are kept until a gateway has them, so that they outlive this process; a directory of its own',
      parsePlace,
    )
    .option('--limit <name=value>', 'a limit of docs/limits.md, such as drainMs=5000; repeatable', collectLimit)
    .option('--verbose', 'log every state change to stderr')
    .addHelpText(
      'after',
      '\nStops in order with SIGTERM or Ctrl-C: takes nothing new, finishes what runs. A second signal ends it at once.' +
        '\nWith --outbox a node that was killed reports, when it is started again with the same --id, what it had done: if it is' +
        ' back before its tasks are given to others (resumeWindowMs of the gateway, 3 s), nothing of that is run again.',
    )
    .action(async (modules: string[], options: NodeCommandOptions) => {
      const output = createOutput(options);
      const { id, type, maxTasks, label, resource, allow, outbox, limit = {} } = options;
      const log = linkLog(output, logOf(options));
      if (options.join !== undefined && options.discover !== undefined) {
        throw new PincerError('OPTION_INVALID', '--join names the gateway, --discover finds it: say one of them');
      }
      if (outbox !== undefined && id === undefined) {
        throw new PincerError('OPTION_INVALID', '--outbox needs --id: the process that comes after is known by it');
      }
      if (options.memoryMb !== undefined && options.isolate === undefined) {
        throw new PincerError('OPTION_INVALID', '--memory-mb needs --isolate: what runs in the node has its memory');
      }
      const handlers = (await Promise.all(modules.map((module) => handlersOf(module, options)))).flat();
      // One handler’s: all others, and the node, have nothing to do with it.
      process.on('unhandledRejection', (reason) => {
        const error = reason instanceof Error ? (reason.stack ?? String(reason)) : String(reason);
        log.error('handler.rejected-unheard', { error });
      });
      const capabilities = new Set(options.capabilities);
      if (allow !== undefined) {
        handlers.push(defineHandler(toolExecution, toolHandler({ allow, clock: systemClock() })));
        capabilities.add('tools');
      }
      if (handlers.length === 0 && type === 'agent') {
        throw new PincerError('OPTION_INVALID', 'an agent without handlers can do nothing', {
          hint: 'Name a module of handlers (`pincer node ./handlers.js`), or allow commands (`--allow sha256sum,wc`).',
        });
      }
      const finder = await finderOf(options, { ...tokenOf(options), log, limits: limit });
      const join = gatewayUrlsOf(options.join);
      const giveUp = new AbortController();
      let stop = (signal: 'SIGINT' | 'SIGTERM'): void => {
        output.say('stopping; it had not joined');
        process.exitCode = exitCodeOfSignal(signal);
        giveUp.abort(new PincerError('STOPPED', 'stopped before it had joined'));
      };
      const off = onSignals((signal) => stop(signal));
      output.say(
        finder === null ? `joining ${join.join(', ')}` : `looking for a gateway by ${options.discover?.join(', ')}`,
      );
      const node = await createNode({
        join: finder?.dial ?? join,
        type,
        capabilities: [...capabilities],
        maxTasks,
        handlers,
        log,
        limits: limit,
        signal: giveUp.signal,
        ...tokenOf(options),
        ...chartsOf(),
        ...(id === undefined ? {} : { id }),
        ...(outbox === undefined ? {} : { outbox: diskOutbox(path.resolve(outbox)) }),
        ...(label === undefined ? {} : { labels: label }),
        ...(resource === undefined ? {} : { resources: resource }),
      }).catch(async (error: unknown) => {
        off();
        await finder?.stop();
        if (giveUp.signal.aborted) return null;
        throw error;
      });
      if (node === null) return;
      stop = () => {
        output.say('draining: takes nothing new; a second signal stops at once');
        void node.drain();
      };
      output.result({ event: 'ready', nodeId: node.id }, () => `node ${node.id} has joined, with ${maxTasks} slots`);
      const refusal = await node.stopped;
      off();
      await finder?.stop();
      // What a handler that ignores its signal has left would keep the process: its work runs elsewhere by now.
      setTimeout(() => process.exit(), LAST_WORDS_MS).unref();
      if (refusal !== null) throw refusal;
      process.exitCode = EXIT.ok;
    });
}

#!/usr/bin/env node
/** The command line. Parses, runs, and turns what went wrong into words and an exit code. */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { Command, CommanderError } from 'commander';
import { PincerError } from '../index.ts';
import { demoCommand } from './demo.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { gatewayCommand } from './gateway.ts';
import { nodeCommand } from './node.ts';
import { nodesCommand } from './nodes.ts';
import { createOutput } from './output.ts';
import { runCommand } from './run.ts';
import { submitCommand } from './submit.ts';
import { tasksCommand, whyCommand } from './tasks.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('pincer')
  .description('Run AI-agent work across the machines you own.')
  .version(version)
  .addHelpText('after', '\nNew here? Run `pincer demo`.');

for (const command of [
  demoCommand(),
  gatewayCommand(),
  nodeCommand(),
  runCommand(),
  submitCommand(),
  tasksCommand(),
  nodesCommand(),
  whyCommand(),
]) {
  program.addCommand(command);
}

// Commander’s own way is to end with 1 for a wrong option, which would look like a failure of the work.
const each = (command: Command): void => {
  command.exitOverride().showHelpAfterError('(add --help for what there is)');
  command.commands.forEach(each);
};
each(program);

// A reader that goes away (`| head`) is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else {
    const failure =
      error instanceof PincerError
        ? error
        : new PincerError('INTERNAL', error instanceof Error ? (error.stack ?? error.message) : String(error));
    createOutput({ json: process.argv.includes('--json') }).fail(failure);
    process.exitCode = exitCodeOf(failure);
  }
}

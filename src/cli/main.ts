#!/usr/bin/env node
/** The command line. Parses, runs, and turns what went wrong into words and an exit code. */
import process from 'node:process';
import { Command, CommanderError } from 'commander';
import { PincerError } from '../index.ts';
import { channelCommand } from './channel.ts';
import { demoCommand } from './demo.ts';
import { doctorCommand } from './doctor.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { gatewayCommand } from './gateway.ts';
import { nodeCommand } from './node.ts';
import { nodesCommand } from './nodes.ts';
import { createOutput } from './output.ts';
import { registryCommand } from './registry.ts';
import { runCommand } from './run.ts';
import { schedulesCommand } from './schedules.ts';
import { storeCommand } from './store.ts';
import { storyCommand } from './story.ts';
import { submitCommand } from './submit.ts';
import { tasksCommand, whyCommand } from './tasks.ts';
import { typesCommand } from './types.ts';
import { versionOf } from './version.ts';

const program = new Command('pincer')
  .description('Run AI-agent work across the machines you own.')
  .version(versionOf())
  .addHelpText('after', '\nNew here? Run `pincer demo`.');

for (const command of [
  demoCommand(),
  gatewayCommand(),
  nodeCommand(),
  runCommand(),
  submitCommand(),
  tasksCommand(),
  nodesCommand(),
  schedulesCommand(),
  typesCommand(),
  whyCommand(),
  storyCommand(),
  doctorCommand(),
  channelCommand(),
  storeCommand(),
  registryCommand(),
]) {
  program.addCommand(command);
}

const isJson = process.argv.includes('--json');

// Commander’s own way is to end with 1 for a wrong option, which would look like a failure of the work.
const each = (command: Command): void => {
  command.exitOverride().showHelpAfterError('(add --help for what there is)');
  if (isJson) command.configureOutput({ writeErr: () => {} });
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
  const output = createOutput({ json: isJson });
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (isJson && error.exitCode !== 0) output.fail(wrongUse(error));
  } else {
    const failure =
      error instanceof PincerError
        ? error
        : new PincerError('INTERNAL', error instanceof Error ? error.message : String(error), { cause: error });
    output.fail(failure);
    // Only a fault of ours has a stack that is worth reading, and only to who asks for it.
    if (failure.code === 'INTERNAL' && process.argv.includes('--verbose')) console.error(failure.cause ?? failure);
    process.exitCode ??= exitCodeOf(failure);
  }
}

/** What Commander says, in the shape of every other error. */
function wrongUse({ code, message }: CommanderError): PincerError {
  const said = code === 'commander.help' ? 'a command is missing' : message.replace(/^error: /, '');
  return new PincerError('OPTION_INVALID', said, { hint: 'Add --help for what there is.' });
}

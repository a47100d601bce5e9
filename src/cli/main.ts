#!/usr/bin/env node
/** The command line. Parses, runs, and sees to it that what went wrong becomes words and an exit code. */
import process from 'node:process';
import { Command, CommanderError } from 'commander';
import { commandsOf } from './commands.ts';
import { EXIT } from './exit-codes.ts';
import { versionOf } from './version.ts';

const program = new Command('pincer')
  .description('Run AI-agent work across the machines you own.')
  .version(versionOf())
  .addHelpText('after', '\nNew here? Run `pincer demo`.');

const asked = process.argv.slice(2).find((word) => !word.startsWith('-') && word !== 'help');
for (const command of await commandsOf(asked)) program.addCommand(command);

const how = { isJson: process.argv.includes('--json'), isVerbose: process.argv.includes('--verbose') };

// Commander’s own way is to end with 1 for a wrong option, which would look like a failure of the work.
const each = (command: Command): void => {
  command.exitOverride().showHelpAfterError('(add --help for what there is)');
  if (how.isJson) command.configureOutput({ writeErr: () => {} });
  command.commands.forEach(each);
};
each(program);

// Whoever read what is said besides has gone, a terminal or a collector of logs: that is no reason to end what runs.
process.stderr.on('error', () => {});
// A reader that goes away (`| head`) is no fault. A disk without room is: what was asked for has not been said.
process.stdout.on('error', async (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  const { tell, unwritable } = await import('./faults.ts');
  tell(unwritable(error), how);
  process.exit(EXIT.unexpected);
});

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) {
    const { tell } = await import('./faults.ts');
    const exitCode = tell(error, how);
    process.exitCode ??= exitCode;
  } else if (error.exitCode === 0) process.exitCode = EXIT.ok;
  else {
    process.exitCode = EXIT.usage;
    const { tell, wrongUse } = await import('./faults.ts');
    if (how.isJson) tell(wrongUse(error), how);
  }
}

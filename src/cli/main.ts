#!/usr/bin/env node
/** The command line. Parses, runs, and turns what went wrong into words and an exit code. */
import process from 'node:process';
import { Command, CommanderError } from 'commander';
import { PincerError } from '../client.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { createOutput } from './output.ts';
import { versionOf } from './version.ts';

/** Each command by its name, in the order of the help. */
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['demo', async () => (await import('./demo.ts')).demoCommand()],
  ['gateway', async () => (await import('./gateway.ts')).gatewayCommand()],
  ['node', async () => (await import('./node.ts')).nodeCommand()],
  ['run', async () => (await import('./run.ts')).runCommand()],
  ['submit', async () => (await import('./submit.ts')).submitCommand()],
  ['tasks', async () => (await import('./tasks.ts')).tasksCommand()],
  ['nodes', async () => (await import('./nodes.ts')).nodesCommand()],
  ['schedules', async () => (await import('./schedules.ts')).schedulesCommand()],
  ['types', async () => (await import('./types.ts')).typesCommand()],
  ['why', async () => (await import('./tasks.ts')).whyCommand()],
  ['story', async () => (await import('./story.ts')).storyCommand()],
  ['doctor', async () => (await import('./doctor.ts')).doctorCommand()],
  ['channel', async () => (await import('./channel.ts')).channelCommand()],
  ['store', async () => (await import('./store.ts')).storeCommand()],
  ['registry', async () => (await import('./registry.ts')).registryCommand()],
]);

const program = new Command('pincer')
  .description('Run AI-agent work across the machines you own.')
  .version(versionOf())
  .addHelpText('after', '\nNew here? Run `pincer demo`.');

// Only what is asked for is loaded, which is most of the time that a command takes; whatever else stands there, all are.
const [, , asked = ''] = process.argv;
const named = COMMANDS.get(asked);
const loads = named === undefined ? [...COMMANDS.values()] : [named];
for (const command of await Promise.all(loads.map((load) => load()))) program.addCommand(command);

const isJson = process.argv.includes('--json');
const HELP = 'Add --help for what there is.';

// Commander’s own way is to end with 1 for a wrong option, which would look like a failure of the work.
const each = (command: Command): void => {
  command.exitOverride().showHelpAfterError('(add --help for what there is)');
  if (isJson) command.configureOutput({ writeErr: () => {} });
  command.commands.forEach(each);
};
each(program);

// Whoever read what is said besides has gone, a terminal or a collector of logs: that is no reason to end what runs.
process.stderr.on('error', () => {});
// A reader that goes away (`| head`) is no fault. A disk without room is: what was asked for has not been said.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  createOutput({ json: isJson }).fail(
    new PincerError('OUTPUT_UNWRITABLE', `the output could not be written: ${error.message}`, { cause: error }),
  );
  process.exit(EXIT.unexpected);
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
    output.fail(withHelp(failure));
    // Only a fault of ours has a stack that is worth reading, and only to who asks for it.
    if (failure.code === 'INTERNAL' && process.argv.includes('--verbose')) console.error(failure.cause ?? failure);
    process.exitCode ??= exitCodeOf(failure);
  }
}

/** What Commander says, in the shape of every other error. */
function wrongUse({ code, message }: CommanderError): PincerError {
  const said = code === 'commander.help' ? 'a command is missing' : message.replace(/^error: /, '');
  return new PincerError('OPTION_INVALID', said, { hint: HELP });
}

/** An option that is wrong is mended from the list of options, where nothing nearer is said. */
function withHelp(error: PincerError): PincerError {
  const { code, message, hint, cause } = error;
  const isNear = hint !== new PincerError('OPTION_INVALID', '').hint;
  return code !== 'OPTION_INVALID' || isNear ? error : new PincerError(code, message, { cause, hint: HELP });
}

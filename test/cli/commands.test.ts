import { describe, expect, it } from 'vitest';
import { allCommands, commandsOf } from '../../src/cli/commands.ts';

describe('the list of commands', () => {
  it('shows of each what it takes, as the command itself has it, and what it does', async () => {
    const shownOf = (commands: Awaited<ReturnType<typeof allCommands>>) =>
      commands.map((command) => ({
        name: command.name(),
        takes: command.registeredArguments.map((each) => [each.name(), each.required, each.variadic]),
        says: command.description(),
      }));
    const listed = await commandsOf(undefined);
    expect(shownOf(listed)).toEqual(shownOf(await allCommands()));
    for (const command of listed) expect(command.description()).toMatch(/^[a-z].*[^.]$/);
  });

  it('loads the one that is asked for, and no other', async () => {
    const loaded = (await commandsOf('tasks')).filter(({ options, commands }) => options.length + commands.length > 0);
    expect(loaded.map((command) => command.name())).toEqual(['tasks']);
  });
});

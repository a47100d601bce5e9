/** What pages and messages have people type or write: the commands and options are there, and the data is taken. */
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { allCommands } from '../../src/cli/commands.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { parseNodesFile } from '../../src/discovery.ts';
import { parseMessage } from '../../src/protocol/message.ts';
import { blocksOf } from '../support/programs.ts';
import { read, sources, trackedFiles } from './tree.ts';

const pincer = new Command('pincer').option('--help').option('--version');
for (const command of await allCommands()) pincer.addCommand(command);

/** What of a command line there is not, or null; `a|b` stands for either, and what stands for something is in capitals. */
function strangeIn(line: string): string | null {
  let commands: Command[] = [pincer];
  for (const word of line.split(/\s+/).slice(1)) {
    const isOption = word.startsWith('--');
    const [name = ''] = word.split('=');
    if (isOption && !commands.every(({ options }) => options.some(({ long }) => long === name) || name === '--help')) {
      return word;
    }
    if (isOption || commands.every((command) => command.commands.length === 0)) continue;
    if (/^[A-Z…]/.test(word)) continue;
    const named = word.split('|').map((each) => commands[0]?.commands.find((command) => command.name() === each));
    if (named.includes(undefined)) return word;
    commands = named.filter((command) => command !== undefined);
  }
  return null;
}

/** Command lines: those of blocks that are to be typed, and those that stand in a text between backticks. */
function linesOf(text: string): string[] {
  const blocks = ['sh', ''].flatMap((language) => blocksOf(text, language)).join('\n');
  const typed = blocks.replaceAll('\\\n', ' ').split('\n');
  const prose = [...text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`]*)`/g)].map(([, code = '']) => code);
  return [...typed, ...prose.map((code) => code.replaceAll(/\s+/g, ' '))].filter((line) => /^pincer [a-z-]/.test(line));
}

describe('a command', () => {
  const pages = trackedFiles().filter((file) => file.endsWith('.md'));

  it.each([
    ['the pages', pages, 60],
    ['the sources', sources('src'), 10],
  ])('that is named in %s is there, with its options', (_, files, least) => {
    const lines = files.flatMap((file) => linesOf(read(file).replaceAll('\\`', '`')).map((line) => ({ file, line })));
    expect(lines.length).toBeGreaterThan(least);
    const strange = lines.flatMap(({ file, line }) => {
      const what = strangeIn(line);
      return what === null ? [] : [`${file}: ${line}: ${what}`];
    });
    expect(strange).toEqual([]);
  });
});

describe('the exit codes', () => {
  it('have a row each in docs/operating.md, with that of a closed terminal, which is not ours', () => {
    const [, table = ''] = /## Exit codes\n([\s\S]*)$/.exec(read('docs/operating.md')) ?? [];
    const codes = [...table.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, cell = '']) => cell.split(',').map(Number));
    expect(codes.sort()).toEqual([...Object.values(EXIT), 129].sort());
  });
});

describe('the JSON of a page', () => {
  it('is a message, where docs/protocol.md shows one', () => {
    const messages = blocksOf(read('docs/protocol.md'), 'json').map((block) => JSON.parse(block) as unknown);
    expect(messages.map((message) => parseMessage(message).type)).toEqual(['register', 'welcome']);
  });

  it('is a list of nodes that is taken, in docs/discovery.md', () => {
    const [file = ''] = blocksOf(read('docs/discovery.md'), 'json');
    expect(parseNodesFile(file, 'nodes.json').map(({ nodeId }) => nodeId)).toEqual([
      'agent-01',
      'agent-02',
      'channel-discord',
    ]);
  });
});

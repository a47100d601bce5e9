import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/actors/world/system-clock.ts';
import { type ToolHandlerOptions, toolHandler } from '../../src/handlers.ts';
import { scratchDirectory, tool } from './tool-runner.ts';

const make = (options: Omit<ToolHandlerOptions, 'clock'>) => () => toolHandler({ ...options, clock: systemClock() });
const optionInvalid = (message: string) =>
  expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining(message) });

/** Sets a variable of this process until the test is over. */
function setVariable(name: string, value: string): void {
  const before = process.env[name];
  process.env[name] = value;
  onTestFinished(() => {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  });
}

describe('the list of allowed commands', () => {
  it('must not be empty', () => {
    expect(make({ allow: [] })).toThrow(optionInvalid('allow is empty'));
    expect(make({ allow: {} })).toThrow(optionInvalid('allow is empty'));
  });

  it('names the command that is not found', () => {
    expect(make({ allow: ['wc', 'no-such-program'] })).toThrow(
      optionInvalid("'no-such-program' was not found on PATH"),
    );
  });

  it('takes bare names and absolute paths only', () => {
    for (const name of ['/bin/sh', './sh', '..', '', 'a\0b'])
      expect(make({ allow: [name] })).toThrow(optionInvalid('bare name'));
    expect(make({ allow: { sh: 'bin/sh' } })).toThrow(optionInvalid('absolute path'));
    expect(make({ allow: { sh: tmpdir() } })).toThrow(optionInvalid('absolute path'));
  });

  it('is looked up once, passing over what is relative or not executable', async () => {
    const directory = scratchDirectory();
    const write = (folder: string, words: string, mode: number): string => {
      mkdirSync(join(directory, folder));
      writeFileSync(join(directory, folder, 'greet'), `#!/bin/sh\necho ${words}\n`, { mode });
      return join(directory, folder);
    };
    const plain = write('plain', 'plain', 0o644);
    const first = write('first', 'first', 0o755);
    const second = write('second', 'second', 0o755);
    const here = relative(process.cwd(), write('relative', 'relative', 0o755));
    setVariable('PATH', `${here}:${plain}:${first}:${second}:${process.env['PATH']}`);
    const run = tool({ allow: ['greet'] });
    expect((await run({ command: 'greet' })).stdout).toBe('first\n');
    setVariable('PATH', second);
    chmodSync(join(plain, 'greet'), 0o755);
    expect((await run({ command: 'greet' })).stdout).toBe('first\n');
  });

  it('refuses any other command, naming what is allowed but not where it is', async () => {
    const run = tool({ allow: ['wc', 'cat'] });
    for (const command of ['rm', '/bin/cat', 'constructor', '__proto__', 'cat ', 'cat -v']) {
      await expect(run({ command })).rejects.toMatchObject({
        code: 'COMMAND_NOT_ALLOWED',
        retryable: false,
        message: `command '${command}' is not allowed on this node; allowed: cat, wc`,
      });
    }
  });

  it('can give a name to a program of its own', async () => {
    const path = join(scratchDirectory(), 'program');
    writeFileSync(path, '#!/bin/sh\necho "$@"\n', { mode: 0o755 });
    expect((await tool({ allow: { greet: path } })({ command: 'greet', args: ['a b'] })).stdout).toBe('a b\n');
  });
});

describe('the payload of a tool', () => {
  it('is refused when it is not of the shape', async () => {
    const run = tool({ allow: ['wc'] });
    const refused = (message: string) => ({ code: 'PAYLOAD_INVALID', message: expect.stringContaining(message) });
    await expect(run({ command: 'wc', args: ['a\0b'] })).rejects.toMatchObject(refused('input.args.0'));
    await expect(run({ command: 'wc', args: Array(257).fill('x') })).rejects.toMatchObject(refused('input.args'));
    await expect(run({ command: '' })).rejects.toMatchObject(refused('input.command'));
    await expect(run({ command: 'wc', env: { 'A=B': 'x' } })).rejects.toMatchObject(refused('input.env'));
    // @ts-expect-error the shape has no such field
    await expect(run({ command: 'wc', shell: true })).rejects.toMatchObject(refused('shell'));
    // @ts-expect-error a number is no stdin
    await expect(run({ command: 'wc', stdin: 5 })).rejects.toMatchObject(refused('input.stdin'));
  });
});

describe('the environment of a tool', () => {
  const variables = (stdout: string): string[] =>
    stdout
      .split('\n')
      .map((line) => line.split('=')[0] ?? '')
      .filter(Boolean)
      .sort();

  it('holds what is inherited by name and nothing else of this process', async () => {
    setVariable('PINCER_TEST_SECRET', 'secret');
    setVariable('TZ', 'UTC');
    const { stdout } = await tool({ allow: ['env'], inherit: ['PATH', 'TZ'] })({ command: 'env' });
    expect(variables(stdout)).toEqual(['PATH', 'PINCER_RUN', 'TZ']);
    const byDefault = await tool({ allow: ['env'] })({ command: 'env' });
    expect(byDefault.stdout).not.toContain('secret');
    expect(byDefault.stdout).toContain(`HOME=${process.env['HOME']}\n`);
  });

  it('takes only the variables that may be set', async () => {
    const run = tool({ allow: ['env'] });
    expect((await run({ command: 'env', env: { TZ: 'Asia/Tokyo' } })).stdout).toContain('TZ=Asia/Tokyo\n');
    for (const name of ['LD_PRELOAD', 'NODE_OPTIONS', 'PATH', 'HOME', 'PINCER_RUN', 'tz']) {
      await expect(run({ command: 'env', env: { [name]: 'x' } })).rejects.toMatchObject({
        code: 'PAYLOAD_INVALID',
        message: `input.env.${name}: may not be set on this node; allowed: LANG, LC_ALL, TZ`,
      });
    }
    const explicit = tool({ allow: ['env'], environment: ['NODE_OPTIONS'] });
    expect((await explicit({ command: 'env', env: { NODE_OPTIONS: '--x' } })).stdout).toContain('NODE_OPTIONS=--x\n');
    await expect(explicit({ command: 'env', env: { TZ: 'UTC' } })).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' });
  });
});

describe('the directory of a tool', () => {
  it('is the node’s, or one inside it, links resolved', async () => {
    const directory = scratchDirectory();
    mkdirSync(join(directory, 'inner'));
    mkdirSync(join(directory, '..inner'));
    symlinkSync(join(directory, 'inner'), join(directory, 'link'));
    const run = tool({ allow: ['pwd'], directory });
    const where = async (cwd?: string) =>
      (await run({ command: 'pwd', ...(cwd === undefined ? {} : { cwd }) })).stdout.trim();
    expect(await where()).toBe(directory);
    expect(await where('.')).toBe(directory);
    expect(await where('inner')).toBe(join(directory, 'inner'));
    expect(await where(join(directory, 'inner'))).toBe(join(directory, 'inner'));
    expect(await where('link')).toBe(join(directory, 'inner'));
    expect(await where('..inner')).toBe(join(directory, '..inner'));
  });

  it('is refused outside, whichever way it gets there, without saying what is there', async () => {
    const outside = scratchDirectory();
    const directory = join(outside, 'root');
    mkdirSync(directory);
    mkdirSync(join(outside, 'root-twin'));
    symlinkSync(outside, join(directory, 'link'));
    writeFileSync(join(directory, 'file'), '');
    const run = tool({ allow: ['pwd'], directory });
    for (const cwd of ['..', '/', '../root-twin', 'link', 'link/root-twin', outside, '../missing', 'missing', 'file']) {
      await expect(run({ command: 'pwd', cwd })).rejects.toMatchObject({
        code: 'PAYLOAD_INVALID',
        message: `input.cwd: '${cwd}' is no directory inside the node’s`,
      });
    }
  });
});

describe('the options of the tool handler', () => {
  it('are refused out of their range, with the number', () => {
    const allow = ['wc'];
    expect(make({ allow, outputBytesMax: 0 })).toThrow(optionInvalid('outputBytesMax is 0'));
    expect(make({ allow, outputBytesMax: 400_000 })).toThrow(optionInvalid('to 391168'));
    expect(make({ allow, killGraceMs: -1 })).toThrow(optionInvalid('killGraceMs is -1'));
    expect(make({ allow, timeoutMs: 1.5 })).toThrow(optionInvalid('timeoutMs is 1.5'));
    expect(make({ allow, directory: '/no/such/directory' })).toThrow(optionInvalid('/no/such/directory'));
    expect(make({ allow, directory: join(import.meta.dirname, 'tool-runner.ts') })).toThrow(
      optionInvalid('not a directory'),
    );
  });
});

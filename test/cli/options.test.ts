import { writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { InvalidArgumentError } from 'commander';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { invocationOf } from '../../src/cli/demo.ts';
import { doctorCommand } from '../../src/cli/doctor.ts';
import { gatewayCommand } from '../../src/cli/gateway.ts';
import { nodeCommand } from '../../src/cli/node.ts';
import {
  collectAmount,
  collectPair,
  parseDuration,
  parseList,
  parsePlace,
  parseWhole,
} from '../../src/cli/option-values.ts';
import { chartsOf, gatewayUrlsOf, linkLog, tokenOf } from '../../src/cli/options.ts';
import type { Output } from '../../src/cli/output.ts';
import { registryCommand } from '../../src/cli/registry.ts';
import { runCommand } from '../../src/cli/run.ts';
import { schedulesCommand } from '../../src/cli/schedules.ts';
import { storeCommand } from '../../src/cli/store.ts';
import { submitCommand } from '../../src/cli/submit.ts';
import { tasksCommand } from '../../src/cli/tasks.ts';
import { strategies } from '../../src/machines/policies/placement/index.ts';
import { scratchDirectory } from '../handlers/tool-runner.ts';

const COMMANDS = {
  gateway: gatewayCommand,
  node: nodeCommand,
  doctor: doctorCommand,
  store: storeCommand,
  registry: registryCommand,
  tasks: tasksCommand,
};

afterEach(() => vi.unstubAllEnvs());

describe('a value on the command line', () => {
  it('is a duration with or without its unit', () => {
    expect(['250', '250ms', '1.5s', '5m', '2h'].map(parseDuration)).toEqual([250, 250, 1_500, 300_000, 7_200_000]);
    for (const text of ['', 'soon', '-1s', '1d', '1 s', '1e3']) {
      expect(() => parseDuration(text), text).toThrow(InvalidArgumentError);
    }
  });

  it('is a whole number within its bounds', () => {
    const parse = parseWhole(1, 10);
    expect([parse('1'), parse('10')]).toEqual([1, 10]);
    for (const text of ['0', '11', '1.5', '-1', '', ' 1', '0x1', '1e0']) {
      expect(() => parse(text), text).toThrow('from 1 to 10');
    }
  });

  it('is a place with a name', () => {
    expect(parsePlace('./tasks')).toBe('./tasks');
    for (const text of ['', ' ']) expect(() => parsePlace(text)).toThrow('must not be empty');
  });

  it.each([
    ['gateway', ['--store', '']],
    ['gateway', ['--nodes', '']],
    ['node', ['--outbox', '']],
    ['doctor', ['--store', '']],
    ['store', ['check', '--store', '']],
    ['store', ['compact', '--to', '']],
    ['registry', ['--data', '']],
    ['tasks', ['ls', '--cursor', 'zz']],
  ])('of pincer %s is refused as %j, before anything is done', async (name, args) => {
    const command = COMMANDS[name as keyof typeof COMMANDS]();
    for (const each of [command, ...command.commands]) each.exitOverride().configureOutput({ writeErr() {} });
    await expect(command.parseAsync(args, { from: 'user' })).rejects.toMatchObject({
      code: 'commander.invalidArgument',
    });
  });

  it('is a list without empty items', () => {
    expect(parseList(' a, b,,c ')).toEqual(['a', 'b', 'c']);
  });

  it('gathers pairs and amounts over several uses', () => {
    expect(collectPair('b=x=y', collectPair('a=1'))).toEqual({ a: '1', b: 'x=y' });
    expect(collectAmount('gpu=1', collectAmount('memoryMb=4096'))).toEqual({ memoryMb: 4_096, gpu: 1 });
    for (const text of ['', '=1', 'a']) expect(() => collectPair(text), text).toThrow(InvalidArgumentError);
    for (const text of ['', '=1', 'a', 'a=', 'a=-1', 'a=x', 'gpu=1=2', 'gpu= ']) {
      expect(() => collectAmount(text), text).toThrow(InvalidArgumentError);
    }
  });
});

describe('the gateway of a command', () => {
  it('is what was said, else PINCER_URL, else the one on this machine', () => {
    expect(gatewayUrlsOf(['ws://a:1'], { PINCER_URL: 'ws://b:2' })).toEqual(['ws://a:1']);
    expect(gatewayUrlsOf(undefined, { PINCER_URL: 'ws://b:2' })).toEqual(['ws://b:2']);
    expect(gatewayUrlsOf(undefined, { PINCER_URL: '' })).toEqual(['ws://127.0.0.1:7443']);
    expect(gatewayUrlsOf(undefined, {})).toEqual(['ws://127.0.0.1:7443']);
  });

  it('may be several: repeated, or with commas between them', () => {
    expect(gatewayUrlsOf(['ws://a:1,ws://b:2', 'ws://c:3'])).toEqual(['ws://a:1', 'ws://b:2', 'ws://c:3']);
    expect(gatewayUrlsOf(undefined, { PINCER_URL: 'ws://a:1, ws://b:2,' })).toEqual(['ws://a:1', 'ws://b:2']);
  });

  it('is refused by the name of the variable, where it is none', () => {
    expect(() => gatewayUrlsOf(undefined, { PINCER_URL: 'localhost:7443' })).toThrow('the variable PINCER_URL names ');
  });
});

describe('the charts of a command', () => {
  it('are run as PINCER_CHARTS says, else as usual', () => {
    expect(chartsOf({ PINCER_CHARTS: 'interpreted' })).toEqual({ charts: 'interpreted' });
    for (const environment of [{ PINCER_CHARTS: '' }, {}]) expect(chartsOf(environment)).toEqual({});
    expect(() => chartsOf({ PINCER_CHARTS: 'x' })).toThrow('the variable PINCER_CHARTS is ');
  });
});

describe('the token of a command', () => {
  it('is that of the file, else PINCER_TOKEN, else none', () => {
    const file = path.join(scratchDirectory(), 'token');
    writeFileSync(file, '  from-the-file\n');
    vi.stubEnv('PINCER_TOKEN', 'from-the-environment');
    expect(tokenOf({ tokenFile: file })).toEqual({ token: 'from-the-file' });
    expect(tokenOf({})).toEqual({ token: 'from-the-environment' });
    vi.stubEnv('PINCER_TOKEN', '');
    expect(tokenOf({})).toEqual({});
    vi.stubEnv('PINCER_TOKEN', 'two words');
    expect(() => tokenOf({})).toThrow('the variable PINCER_TOKEN must be');
  });

  it('is never silently left out', () => {
    const file = path.join(scratchDirectory(), 'empty');
    writeFileSync(file, '\n');
    expect(() => tokenOf({ tokenFile: file })).toThrow('is empty');
    expect(() => tokenOf({ tokenFile: `${file}-not` })).toThrow('cannot be read: ENOENT');
  });
});

describe('the state of the link', () => {
  it('is told once for each change', () => {
    const said: string[] = [];
    const output: Output = { isJson: false, result() {}, fail() {}, pass() {}, say: (text) => void said.push(text) };
    const seen: string[] = [];
    const note = (event: string): void => void seen.push(event);
    const log = linkLog(output, { debug: note, info: note, warn: note, error: note });
    const failed = {
      code: 'GATEWAY_UNREACHABLE',
      message: 'nobody\u001b[31m there',
      hint: 'Look\u001b[31m elsewhere.',
    };
    for (let turn = 0; turn < 3; turn += 1) log.debug('link.failed', failed);
    log.info('link.up');
    for (let turn = 0; turn < 3; turn += 1) log.debug('link.failed', failed);
    log.info('link.up');
    log.warn('other');
    const waiting = [
      'waiting for the gateway: nobody\uFFFD[31m there (GATEWAY_UNREACHABLE)',
      '→ Look\uFFFD[31m elsewhere.',
    ];
    expect(said).toEqual([...waiting, ...waiting, 'the gateway is back']);
    expect(seen).toHaveLength(9);
  });
});

it('the next commands of the demo are printed as this one was called', () => {
  expect(invocationOf('/usr/local/bin/pincer', {})).toBe('pincer');
  expect(invocationOf('/anywhere/.bin/pincer', { npm_command: 'exec' })).toBe('npx pincer');
  expect(invocationOf(path.join(process.cwd(), 'dist/cli/main.js'), { npm_command: 'run-script' })).toBe(
    `node ${path.join('dist', 'cli', 'main.js')}`,
  );
});

it('a bound on the memory of handlers that share their node’s is refused', async () => {
  const started = nodeCommand().parseAsync(['--memory-mb', '256', '--allow', 'sh'], { from: 'user' });
  await expect(started).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringContaining('--memory-mb needs --isolate'),
  });
});

it.each([
  ['--type', 'job'],
  ['--node', 'n1'],
  ['--limit', '5'],
])('%s narrows a retry of what failed, and is refused beside named tasks', async (option, value) => {
  const started = tasksCommand().parseAsync(['retry', 't-1', option, value], { from: 'user' });
  await expect(started).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: `${option} narrows --failed and --cancelled, but tasks are named`,
  });
});

it.each([
  ['--limit', '5'],
  ['--url', 'ws://127.0.0.1:1'],
  ['--discover', 'mdns'],
])('%s is refused by a doctor that looks at all of a store', async (option, value) => {
  const command = doctorCommand()
    .exitOverride()
    .configureOutput({ writeErr() {} });
  const started = command.parseAsync(['--store', scratchDirectory(), option, value], { from: 'user' });
  await expect(started).rejects.toMatchObject({
    code: 'commander.conflictingOption',
    message: expect.stringMatching(`'--store <dir>' cannot be used with option '${option} `),
  });
});

describe('without a gateway', () => {
  it.each([
    [runCommand, ['a b'], 'submit: type must be'],
    [runCommand, ['a', '--timeout', '0'], 'submit: timeoutMs '],
    [runCommand, ['a', '--needs', 'b c'], 'submit: needs.0 must be'],
    [runCommand, ['a', '@/no/such/file'], '/no/such/file cannot be read'],
    [submitCommand, ['/no/such/file'], 'the list /no/such/file cannot be read: ENOENT'],
    [submitCommand, ['/'], 'cannot be read: it is a directory'],
    [schedulesCommand, ['add', 's', 'a', '--every', '1ms'], 'schedule: everyMs '],
    [schedulesCommand, ['rm', 'a b'], 'scheduleId'],
    [tasksCommand, ['get', 'a b'], 'taskId'],
    [tasksCommand, ['retry', 'a b'], 'taskId'],
  ] as const)('it is told at once what is wrong with what is asked: %o %j', async (command, args, message) => {
    const addressed = [...args, '--url', 'ws://127.0.0.1:1', '--connect-timeout', '100ms', '--quiet'];
    await expect(command().parseAsync(addressed, { from: 'user' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining(message),
    });
  });

  it('it is told that none answers, of no line of a list that it was refused', async () => {
    const list = path.join(scratchDirectory(), 'tasks.jsonl');
    writeFileSync(list, '{"type":"a"}\n');
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const started = submitCommand().parseAsync([list, '--url', 'ws://127.0.0.1:1', '--connect-timeout', '100ms'], {
      from: 'user',
    });
    await expect(started).rejects.toMatchObject({ code: 'GATEWAY_UNREACHABLE' });
    expect(said.mock.calls.join()).not.toContain('line 1');
  });
});

it('a strict gateway without a list of nodes is refused: it would take none', async () => {
  const started = gatewayCommand().parseAsync(['--strict-nodes', '--listen', '127.0.0.1:0'], { from: 'user' });
  await expect(started).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringContaining('--strict-nodes needs --nodes'),
  });
});

it('the help of the gateway names every strategy', () => {
  const help = gatewayCommand().helpInformation().replaceAll(/\s+/g, ' ');
  for (const name of Object.keys(strategies)) expect(help).toContain(name);
});

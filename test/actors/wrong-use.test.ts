/** What a program without types gives to the doors: refused by name, never with an error of the language. */
import { afterAll, describe, expect, it } from 'vitest';
import { createChannel, memoryPlatform, telegram, webhook } from '../../src/channels.ts';
import { compile } from '../../src/compile.ts';
import { discover, findGateways, parseNodesFile, registryNodes } from '../../src/discovery.ts';
import { toolHandler } from '../../src/handlers.ts';
import {
  createClient,
  createGateway,
  createNode,
  defineHandler,
  defineTask,
  diskOutbox,
  isolatedHandler,
  PincerError,
} from '../../src/index.ts';
import { charts, replayHistory } from '../../src/inspect.ts';
import { createRegistry } from '../../src/registry.ts';
import { checkStore, compactStore, lmdbStore } from '../../src/store.ts';
import { createTestCluster, pathsOf } from '../../src/testing.ts';

type Call = (given: never) => unknown;

const task = defineTask('task');
const gateway = await createGateway({ listen: null });
const client = gateway.client();
afterAll(() => gateway.stop());

const CALLS: Readonly<Record<string, Call>> = {
  createClient,
  createNode,
  createRegistry,
  createChannel,
  webhook,
  telegram,
  findGateways,
  discover,
  toolHandler,
  lmdbStore,
  diskOutbox,
  checkStore,
  compactStore,
  defineHandler: (given) => defineHandler(given, (() => null) as never),
  'defineHandler, its handler': (given) => defineHandler(task, given),
  'isolatedHandler, its task': (given) => isolatedHandler(given, { module: '/x.js', isolate: 'thread' }),
  'isolatedHandler, its options': (given) => isolatedHandler(task, given),
  'isolatedHandler, its module': (given) => isolatedHandler(task, { module: given, isolate: 'thread' }),
  'registryNodes, its options': (given) => registryNodes('http://127.0.0.1:1', given),
  'createRegistry, its key': (given) => createRegistry({ apiKey: given }),
  'webhook, its secrets': (given) => webhook({ secrets: given }),
  'createChannel, its platform': (given) => createChannel({ join: gateway.dial, platform: given }),
  'createClient, its URL': (given) => createClient({ url: given }),
  'submit, its task': (given) => client.submit(given).accepted(),
  'schedule, its task': (given) => client.schedule('s', { everyMs: 60_000 }, given),
  replayHistory,
  parseNodesFile,
  pathsOf: (given) => pathsOf(given, { events: {} }),
};

/** Those that may be left out. */
const OPTIONS: Readonly<Record<string, Call>> = {
  createTestCluster,
  'messages.send': (given) => client.messages.send('a', 1, given),
  'messages.request': (given) => client.messages.request('a', 1, given),
  'messages.broadcast': (given) => client.messages.broadcast(1, given),
  'messages.broadcast, its select': (given) => client.messages.broadcast(1, { select: given }),
  'messages.publish': (given) => client.messages.publish('t', 1, given),
  schedule: (given) => client.schedule('s', { everyMs: 60_000 }, task, null, given),
  'schedule, its times': (given) => client.schedule('s', given, task, null),
  replayHistory: (given) => replayHistory([], given),
  pathsOf: (given) => pathsOf(charts.link, given),
};

describe.each(Object.entries(CALLS))('%s', (_, call) => {
  it.each([undefined, null, {}, 5])('refuses %j', async (given) => {
    await expect((async () => call(given as never))()).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });
});

describe.each(Object.entries(OPTIONS))('%s, its options', (_, call) => {
  it.each([null, 5, 'text', []])('refuses %j', async (given) => {
    await expect((async () => call(given as never))()).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining('takes an object with'),
    });
  });
});

describe('createGateway', () => {
  it.each([
    [{ listeners: 5 }, 'createGateway: listeners must be a list of functions that listen'],
    [{ listeners: ['127.0.0.1:0'] }, 'createGateway: listeners must be a list of functions that listen'],
    [null, 'createGateway: takes an object with options, or nothing'],
    ['127.0.0.1:7443', 'createGateway: takes an object with options, or nothing'],
    [{ store: './tasks' }, 'createGateway: store has no function open; it needs open, submit, claim, close'],
    [{ log: console.log }, 'log has no function debug; it needs debug, info, warn, error'],
    [{ clock: Date }, 'clock has no function wallTime; it needs now, wallTime, schedule, soon'],
    [{ token: 5 }, 'the token must be 1–4096 printable ASCII characters without spaces'],
  ])('refuses %j', async (options, message) => {
    await expect(createGateway(options as never)).rejects.toMatchObject({ code: 'OPTION_INVALID', message });
  });
});

it('createNode refuses the controller of a signal', async () => {
  const options = { join: gateway.dial, signal: new AbortController() as never };
  await expect(createNode(options)).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: 'createNode: signal must be an AbortSignal',
  });
});

describe('a channel that every message would be refused for', () => {
  it.each([
    [{ needs: ['a b'] }, 'createChannel: route: needs.0 must be'],
    [{ type: 'a b' }, 'createChannel: route: type must be'],
    [{ timeoutMs: 0 }, 'createChannel: route: timeoutMs Too small'],
    [{ limit: { key: 'k' } }, 'createChannel: route: limit must have concurrency, perMinute or both'],
    [{ topic: 'a b' }, 'createChannel: route: topic must be'],
  ])('is refused when it starts: %j', async (route, message) => {
    const started = createChannel({ join: gateway.dial, platform: memoryPlatform(), route: route as never });
    await expect(started).rejects.toMatchObject({ code: 'OPTION_INVALID', message: expect.stringContaining(message) });
  });

  it('is refused before it joins for what its platform lacks', async () => {
    const prepare = async (): Promise<void> => {
      throw new PincerError('PACKAGE_MISSING', 'a package is missing');
    };
    const started = createChannel({ join: 'ws://127.0.0.1:1', platform: { ...memoryPlatform(), prepare } });
    await expect(started).rejects.toMatchObject({ code: 'PACKAGE_MISSING' });
  });
});

describe('submit', () => {
  it.each([
    [{ timeoutMs: 0 }, 'submit: timeoutMs Too small'],
    [{ ttlMs: -1 }, 'submit: ttlMs Too small'],
    [{ delayMs: -1 }, 'submit: delayMs Too small'],
    [{ deadlineMs: 0.5 }, 'submit: deadlineMs Invalid input'],
    [{ after: ['a b'] }, 'submit: after.0 must be'],
    [{ after: ['a'], onDependencyFailure: 'stop' }, 'submit: onDependencyFailure Invalid option'],
    [{ onDependencyFailure: 'run' }, 'submit: onDependencyFailure is for the tasks of after, and there is none'],
    [{ limit: { key: 'k' } }, 'submit: limit must have concurrency, perMinute or both'],
    [{ signal: new AbortController() }, 'submit: signal must be an AbortSignal'],
  ])('names an option as it is said: %j', async (options, message) => {
    await expect(client.submit(task, null, options as never).accepted()).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining(message),
    });
  });

  it('takes null for no options, and an empty list for no dependencies', async () => {
    await expect(client.submit(task, null, null as never).accepted()).resolves.toMatchObject({ created: true });
    await expect(client.submit(task, null, { after: [] }).accepted()).resolves.toMatchObject({ created: true });
    const computed = { after: [], onDependencyFailure: 'run' } as const;
    await expect(client.submit(task, null, computed).accepted()).resolves.toMatchObject({ created: true });
  });
});

describe('schedule', () => {
  it.each([
    [{ cron: '61 * * * *' }, 'minute: 61'],
    [{ cron: '0 0 30 2 *' }, 'never comes'],
    [{ cron: '* * * * *', timezone: 'Mars/Olympus' }, 'Mars/Olympus'],
    [{ everyMs: 5_000, timezone: 'UTC' }, 'time zone is for a cron pattern'],
    [{}, 'either a cron pattern or everyMs'],
  ])('refuses times that cannot be before there is a gateway: %j', async (when, message) => {
    await using lonely = createClient({ dial: () => new Promise(() => {}) });
    await expect(lonely.schedule('s', when, task, null)).rejects.toMatchObject({
      code: 'SCHEDULE_INVALID',
      message: expect.stringContaining(message),
    });
  });
});

it('compile says what it takes', () => {
  for (const given of [undefined, null, {}, 'chart'])
    expect(() => compile(given as never)).toThrow('compile takes a machine');
});

/** An option that there is not is refused at every door, by its name: it would have been passed over, and nobody told. */
import { afterAll, describe, expect, it } from 'vitest';
import { createChannel, memoryPlatform, telegram, webhook } from '../../src/channels.ts';
import { discover, findGateways, mdnsNodes, memoryNodes, registryNodes, staticNodes } from '../../src/discovery.ts';
import { toolHandler } from '../../src/handlers.ts';
import { createClient, createGateway, createNode, defineTask, isolatedHandler, systemClock } from '../../src/index.ts';
import { charts } from '../../src/inspect.ts';
import { createRegistry } from '../../src/registry.ts';
import { compactStore, lmdbStore } from '../../src/store.ts';
import { createMemoryNetwork, createMemoryStore, createTestCluster, pathsOf } from '../../src/testing.ts';

const task = defineTask('task');
const gateway = await createGateway({ listen: null });
const client = gateway.client();
const node = await createNode({ join: gateway.dial });
afterAll(async () => {
  await node.stop();
  await gateway.stop();
});
const clock = systemClock();
const join = gateway.dial;
const ids = (): string => 'id';
const random = (): number => 0;
const module = 'file:///x.js';

/** What is wrong in each, and what is said of it. */
const CALLS: Readonly<Record<string, [call: (how: never) => unknown, wrong: string, meant: string | null]>> = {
  createGateway: [createGateway, 'lisen', 'listen'],
  createNode: [(how: object) => createNode({ join, ...how }), 'handelrs', 'handlers'],
  createClient: [(how: object) => createClient({ url: join, ...how }), 'tokn', 'token'],
  createChannel: [(how: object) => createChannel({ join, platform: memoryPlatform(), ...how }), 'rout', 'route'],
  'createChannel: route': [
    (route) => createChannel({ join, platform: memoryPlatform(), route }),
    'priorty',
    'priority',
  ],
  'createChannel: route to a topic': [
    (how: object) => createChannel({ join, platform: memoryPlatform(), route: { topic: 't', ...how } }),
    'priority',
    null,
  ],
  webhook: [(how: object) => webhook({ secrets: '', ...how }), 'secret', 'secrets'],
  telegram: [(how: object) => telegram({ token: '1:a', ...how }), 'allowAny', 'allowAnyone'],
  discover: [(how: object) => discover(memoryNodes(), how), 'onNew', 'onNews'],
  findGateways: [(how: object) => findGateways({ sources: [memoryNodes()], ...how }), 'trusts', 'trust'],
  mdnsNodes: [mdnsNodes, 'prot', 'port'],
  registryNodes: [(how: object) => registryNodes('http://127.0.0.1:1', { apiKey: 'k', ...how }), 'apikey', 'apiKey'],
  staticNodes: [(how) => staticNodes('nodes.json', how), 'onnodes', 'onNodes'],
  createRegistry: [(how: object) => createRegistry({ apiKey: 'k', ...how }), 'ttl', 'ttlMs'],
  toolHandler: [(how: object) => toolHandler({ allow: ['sh'], clock, ...how }), 'outputBytes', 'outputBytesMax'],
  isolatedHandler: [
    (how: object) => isolatedHandler(task, { module, isolate: 'thread', ...how }),
    'memoryMb',
    'memoryMbMax',
  ],
  "defineTask('t')": [(how) => defineTask('t', how), 'timeout', 'timeoutMs'],
  "defineTask('t'): retry": [(retry) => defineTask('t', { retry }), 'atempts', 'attempts'],
  lmdbStore: [(how) => lmdbStore('/nowhere', how), 'nosync', 'noSync'],
  compactStore: [(how) => compactStore('/nowhere', how), 'into', null],
  createMemoryStore: [(how: object) => createMemoryStore({ clock, ids, ...how }), 'limit', 'limits'],
  createMemoryNetwork: [(how: object) => createMemoryNetwork({ clock, random, ...how }), 'fault', 'faults'],
  faults: [(faults) => createMemoryNetwork({ clock, random }).setFaults(faults), 'dorp', 'drop'],
  createTestCluster: [createTestCluster, 'gatways', 'gateways'],
  pathsOf: [(how: object) => pathsOf(charts.link, { events: () => [], ...how }), 'inputs', 'input'],
  submit: [(how) => client.submit(task, null, how).accepted(), 'timeout', 'timeoutMs'],
  schedule: [(how) => client.schedule('s', { everyMs: 60_000 }, task, null, how), 'prio', 'priority'],
  'schedule, its times': [(how) => client.schedule('s', how, task, null), 'corn', 'cron'],
  tasks: [(how) => client.tasks(how), 'stats', 'status'],
  nodes: [(how) => client.nodes(how), 'stats', 'status'],
  schedules: [(how) => client.schedules(how), 'limits', 'limit'],
  doctor: [(how) => client.doctor(how), 'curser', 'cursor'],
  send: [(how) => node.messages.send('a', 1, how), 'relyable', 'reliable'],
  request: [(how) => node.messages.request('a', 1, how), 'timeout', 'timeoutMs'],
  publish: [(how) => node.messages.publish('t', 1, how), 'reliably', 'reliable'],
  broadcast: [(how) => node.messages.broadcast(1, how), 'selct', 'select'],
  'broadcast: select': [(select) => node.messages.broadcast(1, { select }), 'capabilty', 'capability'],
};

describe.each(Object.entries(CALLS))('%s', (name, [call, wrong, meant]) => {
  it(`refuses ${wrong}`, async () => {
    const said = `there is no option ${wrong}${meant === null ? '' : `; did you mean ${meant}?`}`;
    await expect((async () => call({ [wrong]: 1 } as never))()).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: `${name.replace(/,.*/, '')}: ${said}`,
      hint: expect.stringMatching(/^It takes .+\.$/),
    });
  });
});

describe('a limit that there is not', () => {
  const GIVEN: Readonly<Record<string, (limits: never) => unknown>> = {
    createNode: (limits) => createNode({ join, limits }),
    lmdbStore: (limits) => lmdbStore('/nowhere', { limits }),
    createMemoryStore: (limits) => createMemoryStore({ clock, ids, limits }),
  };

  it.each(Object.entries(GIVEN))('is refused by %s', async (_, call) => {
    await expect((async () => call({ drianMs: 5 } as never))()).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: 'limits.drianMs is not a limit; did you mean drainMs?',
    });
    await expect((async () => call(5 as never))()).rejects.toThrow('limits must be an object of limits by their names');
  });
});

describe('defineTask', () => {
  it('makes one like another, of the type that is named', () => {
    const like = defineTask('other', { ...defineTask('one', { timeoutMs: 5 }), needs: ['gpu'] });
    expect(like).toEqual({ type: 'other', timeoutMs: 5, needs: ['gpu'] });
  });

  it('refuses what is no schema', () => {
    expect(() => defineTask('t', { input: { type: 'object' } as never })).toThrow(
      "defineTask('t'): input must be a schema of a Standard Schema library, such as zod or valibot",
    );
  });
});

describe('a handler', () => {
  it('of messages is a function', async () => {
    expect(() => node.messages.onMessage(5 as never)).toThrow('onMessage: the handler is a number, must be a function');
    await expect(node.messages.subscribe('t', null as never)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });

  it('is taken away by the type of its task', () => {
    expect(() => node.unhandle(task as never)).toThrow('node.unhandle: the task type must be text');
  });
});

it('a gateway that has a name gives each of its clients another', async () => {
  const named = await createGateway({ id: 'named', listen: null });
  const [one, other] = [named.client(), named.client()];
  await Promise.all([one.ready(), other.ready()]);
  await expect(one.stats()).resolves.toMatchObject({ gatewayId: 'named' });
  await expect(other.stats()).resolves.toMatchObject({ gatewayId: 'named' });
  await named.stop();
});

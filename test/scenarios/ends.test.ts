/** What is left when a gateway, a node or a client has stopped: no timer, no socket, no word. */
import { createServer } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createGateway } from '../../src/actors/gateway/gateway.ts';
import { createTestCluster } from '../../src/testing/cluster.ts';
import { runAlone } from '../support/lone-process.ts';
import { Puppets } from '../support/puppets.ts';

/** A whole journey over real sockets; prints what still holds the event loop once everything has stopped. */
const JOURNEY = `
import { createClient, createGateway, createNode, defineHandler, defineTask } from './src/index.ts';
process.on('unhandledRejection', (error) => { console.error('unhandled', error); });
const held = () => process.getActiveResourcesInfo().filter((name) => !/^(TTYWrap|PipeWrap|Immediate|CloseReq|MessagePort)$/.test(name));
// What runs TypeScript has a socket of its own.
const before = held();
const left = () => held().filter((name) => !before.includes(name));
const task = defineTask('echo');
const gateway = await createGateway();
const node = await createNode({ join: gateway.url, id: 'node-1', handlers: [defineHandler(task, ({ input }) => input)] });
const client = createClient({ url: gateway.url });
if (await client.submit(task, 7) !== 7) throw new Error('wrong');
client.submit('nobody-can', 1).outcome().catch(() => {});
client.ready().catch(() => {});
ORDER
// Sockets that were told to close have a few turns of the loop for it.
for (let turn = 0; turn < 1_000 && left().length > 0; turn += 1) await new Promise((resolve) => { setImmediate(resolve); });
console.log(left().join(' ') || 'nothing is left');
`;

afterEach(() => {
  vi.restoreAllMocks();
});

describe('what has stopped', () => {
  it.each([
    ['in order', 'await client.stop(); await node.stop(); await gateway.stop();'],
    ['in the opposite order', 'await gateway.stop(); await node.stop(); await client.stop();'],
    ['by draining', 'await node.drain(); await gateway.drain(); await client.stop();'],
    ['all at once', 'await Promise.all([gateway.stop(), node.stop(), client.stop()]);'],
  ])('leaves no timer and no socket, and the process ends by itself: %s (#62 #66)', async (_, order) => {
    const { code, stdout, stderr } = await runAlone(JOURNEY.replace('ORDER', order));
    expect({ code, stderr, left: stdout.trim() }).toEqual({ code: 0, stderr: '', left: 'nothing is left' });
  });

  it('leaves nothing scheduled on the clock of a cluster, and prints nothing (#81)', async () => {
    const printed = (['log', 'warn', 'error', 'info'] as const).map((name) => vi.spyOn(console, name));
    const puppets = new Puppets();
    const cluster = await createTestCluster();
    await cluster.node('node-1', { handlers: [puppets.on('node-1', { obeys: false })] });
    await cluster.node('node-2', { handlers: [puppets.on('node-2')] });
    const client = await cluster.client();
    for (let n = 0; n < 20; n += 1)
      client
        .submit(puppets.task, n)
        .outcome()
        .catch(() => {});
    await cluster.advance(1_000);
    await cluster[Symbol.asyncDispose]();
    await cluster.advance(60_000);
    expect(cluster.clock.pending).toBe(0);
    for (const spy of printed) expect(spy).not.toHaveBeenCalled();
  });

  it('answers a second stop like the first', async () => {
    await using cluster = await createTestCluster();
    const node = await cluster.node('node-1');
    await cluster.until(Promise.all([node.stop(), node.stop(), node.drain()]));
    await cluster.until(Promise.all([cluster.gateway.stop(), cluster.gateway.stop(), cluster.gateway.drain()]));
    expect([node.status, cluster.gateway.status]).toEqual(['stopped', 'stopped']);
  });
});

describe('a gateway', () => {
  it('that stops says so to its peers, and what ran there costs nothing (#56)', async () => {
    const told: unknown[] = [];
    const log = {
      debug() {},
      info: (event: string, fields?: object) => void (event === 'link.down' && told.push(fields)),
      warn() {},
      error() {},
    };
    await using cluster = await createTestCluster({ log });
    const puppets = new Puppets();
    await cluster.node('node-1', { handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    const handle = client.submit(puppets.task, 1);
    await cluster.settle();
    await cluster.until(cluster.gateway.stop());
    expect(told).toEqual([{ code: 'GATEWAY_DRAINING' }, { code: 'GATEWAY_DRAINING' }]);
    expect(await cluster.store.get(handle.taskId)).toMatchObject({ status: 'pending', failures: 0, crashes: 0 });
  });

  it('that drains takes no more submits and waits for what runs (#56)', async () => {
    await using cluster = await createTestCluster();
    const puppets = new Puppets();
    await cluster.node('node-1', { maxTasks: 1, handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    const [runs, waits] = [client.submit(puppets.task, 1), client.submit(puppets.task, 2)];
    await cluster.settle();
    const drained = cluster.gateway.drain();
    await cluster.settle();
    const refused = client.submit(puppets.task, 3).accepted();
    await expect(cluster.until(refused)).rejects.toMatchObject({ code: 'GATEWAY_DRAINING' });
    puppets.only.finish('done');
    expect(await cluster.until(runs.result())).toBe('done');
    await cluster.until(drained);
    expect((await cluster.store.get(waits.taskId))?.status).toBe('pending');
  });

  it('that cannot listen says so, and is gone', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => {
      taken.listen(0, '127.0.0.1', resolve);
    });
    const { port } = taken.address() as { port: number };
    await expect(createGateway({ listen: `127.0.0.1:${port}` })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await new Promise((resolve) => {
      taken.close(resolve);
    });
  });

  it('shares nothing with another one in the same process', async () => {
    await using one = await createTestCluster();
    await using other = await createTestCluster();
    const puppets = new Puppets();
    await one.node('node-1', { handlers: [puppets.on('node-1')] });
    const client = await other.client();
    const handle = client.submit(puppets.task, 1, { taskId: 'same-id' });
    await other.until(handle.accepted());
    await one.advance(10_000);
    expect(puppets.runs).toEqual([]);
    expect(await other.until(client.nodes())).toEqual([]);
    await one.until(one.gateway.stop());
    expect(other.gateway.status).toBe('serving');
  });
});

describe('a node', () => {
  it('outlives a gateway that cannot be reached, and delivers then (#57 #58 #59)', async () => {
    await using cluster = await createTestCluster({ limits: { resumeWindowMs: 30_000 } });
    const puppets = new Puppets();
    const node = await cluster.node('node-1', { handlers: [puppets.on('node-1')] });
    const client = await cluster.client();
    const handle = client.submit(puppets.task, 1);
    await cluster.settle();
    cluster.network.partition('gateway');
    cluster.network.cut();
    puppets.only.finish('success');
    await cluster.advance(2_500);
    expect(node.status).toBe('joining');
    cluster.network.heal();
    expect(await cluster.until(handle.outcome(), 60_000)).toMatchObject({ status: 'completed', result: 'success' });
    await cluster.until(() => node.status === 'online', 60_000);
  });
});

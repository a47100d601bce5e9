/** The contract of docs/messages.md, line by line, over real sockets. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../src/actors/client/client.ts';
import { createGateway } from '../../src/actors/gateway/gateway.ts';
import type { Gateway } from '../../src/actors/gateway/gateway-options.ts';
import { createNode } from '../../src/actors/node/node.ts';
import type { Node, NodeOptions } from '../../src/actors/node/node-options.ts';
import { createTestCluster } from '../../src/testing/cluster.ts';
import { MemoryPeer } from '../support/memory-peer.ts';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts';

const limits = { resumeWindowMs: 5_000, reconnectMinMs: 10, reconnectMaxMs: 50, topicsMax: 3 };

let gateway: Gateway;
let client: Client;
const open: { [Symbol.asyncDispose](): PromiseLike<void> }[] = [];
beforeEach(async () => {
  gateway = await createGateway({ limits: { ...limits, notesPerSecondMax: 5_000 } });
  client = createClient({ url: gateway.url, id: 'desk', limits });
  open.push(gateway, client);
});
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function node(id: string, options: Partial<NodeOptions> = {}): Promise<Node> {
  const made = await createNode({ join: gateway.url, id, limits, ...options });
  open.push(made);
  return made;
}

/** A node behind a wire that can be cut. */
async function farNode(id: string): Promise<{ node: Node; proxy: TcpProxy; heard: unknown[] }> {
  const proxy = await startProxy(gateway.url);
  open.push(proxy);
  const made = await node(id, { join: proxy.url });
  return { node: made, proxy, heard: hearing(made) };
}

function hearing({ messages }: Node): unknown[] {
  const heard: unknown[] = [];
  messages.onMessage(({ body }) => void heard.push(body));
  return heard;
}

describe('a message to one peer', () => {
  it('arrives with who sent it, as the gateway knows it', async () => {
    const attic = await node('attic');
    const heard: unknown[] = [];
    attic.messages.onMessage((message) => void heard.push(message));
    await client.messages.send('attic', { text: 'hello', from: 'somebody else' });
    await expect.poll(() => heard).toEqual([{ from: 'desk', body: { text: 'hello', from: 'somebody else' } }]);
  });

  it('goes to clients as it goes to nodes', async () => {
    const attic = await node('attic');
    client.messages.onMessage(({ from, body }) => `${from}: ${String(body)}`);
    await client.ready();
    expect(await attic.messages.request('desk', 'hello')).toBe('attic: hello');
  });

  it('is refused where nobody is so called, or is away', async () => {
    await expect(client.messages.send('nobody', 1)).rejects.toMatchObject({ code: 'NODE_UNKNOWN' });
    const attic = await node('attic');
    await attic.stop();
    await expect(client.messages.send('attic', 1)).rejects.toMatchObject({
      code: 'NODE_OFFLINE',
      message: "node 'attic' is offline",
    });
  });

  it('and to many arrives in the order in which it was sent, whatever kind each is (#7)', async () => {
    const attic = await node('attic');
    const heard = hearing(attic);
    await attic.messages.subscribe('news', ({ body }) => void heard.push(body));
    const sent = Array.from({ length: 800 }, (_, n) => {
      if (n % 4 === 0) return client.messages.send('attic', n, { reliable: true });
      if (n % 4 === 1) return client.messages.broadcast(n);
      if (n % 4 === 2) return client.messages.publish('news', n, { reliable: true });
      return client.messages.send('attic', n);
    });
    await Promise.all(sent);
    await expect.poll(() => heard.length).toBe(800);
    expect(heard).toEqual(Array.from({ length: 800 }, (_, n) => n));
  });

  it('is not larger than a payload may be', async () => {
    await node('attic');
    const body = 'x'.repeat(2_000_000);
    await expect(client.messages.send('attic', body)).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });
});

describe('a message over a link that breaks', () => {
  it('is kept for its receiver if it is reliable, delivered once, and answered when it has been dealt with', async () => {
    const { proxy, heard, node: attic } = await farNode('attic');
    let letGo = (): void => {};
    attic.messages.onMessage(async ({ body }) => {
      heard.push(body);
      if (body === 2) await new Promise<void>((resolve) => (letGo = resolve));
    });
    await client.messages.send('attic', 1, { reliable: true });
    proxy.isPassing = false;
    proxy.cut();
    await expect.poll(async () => (await client.node('attic')).status).toBe('unhealthy');
    await expect(client.messages.send('attic', 'lost')).rejects.toMatchObject({ code: 'NODE_OFFLINE' });
    let isAnswered = false;
    const sent = client.messages.send('attic', 2, { reliable: true }).then(() => {
      isAnswered = true;
    });
    proxy.isPassing = true;
    await expect.poll(() => heard).toEqual([1, 2]);
    expect(isAnswered).toBe(false);
    letGo();
    await sent;
    // Nothing is said twice, however often the link breaks.
    proxy.cut();
    await expect.poll(async () => (await client.node('attic')).status).toBe('online');
    await client.messages.send('attic', 3, { reliable: true });
    expect(heard).toEqual([1, 2, 3]);
  });

  it('fails when its receiver does not come back in time', async () => {
    const { proxy } = await farNode('attic');
    proxy.isPassing = false;
    proxy.cut();
    await expect.poll(async () => (await client.node('attic')).status).toBe('unhealthy');
    await expect(client.messages.send('attic', 1, { reliable: true })).rejects.toMatchObject({
      code: 'NODE_OFFLINE',
      message: expect.stringContaining('the session of'),
    });
  });

  it('is refused by a receiver that does not read, and reaches the others', async () => {
    const { proxy, heard } = await farNode('slow');
    const quick = await node('quick');
    const quickHeard = hearing(quick);
    proxy.stall();
    const body = new Uint8Array(200_000);
    const flood = async (): Promise<string> => {
      const failure = client.messages.send('slow', body).then(() => null);
      return failure.catch((error) => error.code);
    };
    await expect.poll(flood, { timeout: 15_000, interval: 1 }).toBe('SLOW_CONSUMER');
    const before = quickHeard.length;
    expect(await client.messages.broadcast('all')).toBe(1);
    await expect.poll(() => quickHeard.slice(before)).toEqual(['all']);
    expect(heard).not.toContain('all');
  });
});

describe('a request', () => {
  it('is answered with what the handler returns, or fails as it fails', async () => {
    const attic = await node('attic');
    attic.messages.onMessage(({ body }) => {
      if (body === 'fail') throw new Error('the shelf is empty');
      return [body, 'found'];
    });
    expect(await client.messages.request('attic', 'letters')).toEqual(['letters', 'found']);
    await expect(client.messages.request('attic', 'fail')).rejects.toMatchObject({
      code: 'HANDLER_FAILED',
      message: 'the shelf is empty',
    });
  });

  it('fails if the reply is larger than a payload may be, and costs who replied nothing', async () => {
    const attic = await node('attic');
    attic.messages.onMessage(({ body }) => 'x'.repeat(Number(body)));
    await expect(client.messages.request('attic', 800_000, { timeoutMs: 5_000 })).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      message: 'the reply has 800005 bytes, more than 786432',
    });
    expect(await client.messages.request('attic', 2)).toBe('xx');
    expect(attic.status).toBe('online');
  });

  it('to who has no handler says so', async () => {
    await node('attic');
    await expect(client.messages.request('attic', 1)).rejects.toMatchObject({ code: 'NO_RECEIVER' });
  });

  it('ends at its deadline, and a reply that comes after it is dropped', async () => {
    const attic = await node('attic');
    let answer: (value: unknown) => void = () => {};
    attic.messages.onMessage(() => new Promise((resolve) => (answer = resolve)));
    await expect(client.messages.request('attic', 1, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'TIMED_OUT' });
    attic.messages.onMessage(({ body }) => body);
    answer('late');
    expect(await client.messages.request('attic', 'next')).toBe('next');
  });

  it('ends when its signal does, with its reason, and a reply that comes after it is dropped', async () => {
    const attic = await node('attic');
    let answer: (value: unknown) => void = () => {};
    attic.messages.onMessage(() => new Promise((resolve) => (answer = resolve)));
    const waiting = new AbortController();
    const asked = client.messages.request('attic', 1, { signal: waiting.signal });
    const nobodyWaits = new Error('the handler was cancelled');
    waiting.abort(nobodyWaits);
    await expect(asked).rejects.toBe(nobodyWaits);
    await expect(client.messages.request('attic', 2, { signal: waiting.signal })).rejects.toBe(nobodyWaits);
    await expect(client.messages.request('attic', 2, { signal: 'soon' as never })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
    attic.messages.onMessage(({ body }) => body);
    answer('late');
    const { signal } = new AbortController();
    expect(await client.messages.request('attic', 'next', { signal })).toBe('next');
  });

  it('that is to wait for no time there is, is refused, and no other deadline waits for it', async () => {
    const attic = await node('attic');
    attic.messages.onMessage(() => new Promise(() => {}));
    const { messages } = client;
    for (const timeoutMs of [Number.NaN, -1, 'soon' as never]) {
      await expect(messages.request('attic', 1, { timeoutMs })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        message: expect.stringContaining(`timeoutMs is ${timeoutMs}`),
      });
    }
    await expect(messages.request('attic', 1, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'TIMED_OUT' });
  });

  it('after the end of its peer is refused at once, as anything else that could be asked', async () => {
    const attic = await node('attic');
    await client.messages.subscribe('news', () => {});
    const later = [() => client, () => attic].flatMap((peer) => [
      () => peer().messages.send('somebody', 1),
      () => peer().messages.request('somebody', 1),
      () => peer().messages.publish('news', 1),
      () => peer().messages.subscribe('other news', () => {}),
    ]);
    await attic.stop();
    await client.stop();
    for (const ask of [...later, () => client.stats(), () => attic.gateway.stats(), () => client.cancel('task')]) {
      await expect(ask()).rejects.toMatchObject({ code: 'STOPPED' });
    }
  });

  it('whose reply is not msgpack is refused, and hurts nobody', async () => {
    await using cluster = await createTestCluster();
    const rogue = await MemoryPeer.join(cluster, 'rogue');
    const asker = await cluster.client('asker');
    const told = asker.messages.request('rogue', 'well?').catch(({ code }) => code);
    await cluster.settle();
    const reply = rogue.last('direct').request ?? 0;
    rogue.say('direct', { body: new Uint8Array([0xc1]), reply }, { to: 'asker' });
    // What throws on the way of a message is thrown here.
    await cluster.settle();
    expect(await told).toBe('PAYLOAD_INVALID');
    expect(asker.isConnected).toBe(true);
  });

  it('that its handler never ends holds up nothing else', async () => {
    const attic = await node('attic');
    attic.messages.onMessage(({ body }) => (body === 'hang' ? new Promise(() => {}) : body));
    const hangs = client.messages.request('attic', 'hang', { timeoutMs: 60_000 }).catch((error) => error.code);
    for (let n = 0; n < 50; n += 1) expect(await client.messages.request('attic', n)).toBe(n);
    await client.stop();
    expect(await hangs).toBe('STOPPED');
  });
});

describe('a broadcast', () => {
  it('goes to the nodes that match all that is said, and not back to its sender', async () => {
    const shelf = { labels: { room: 'attic' }, capabilities: ['llm'] };
    const [one, two, bot] = [
      await node('one', shelf),
      await node('two', { labels: { room: 'cellar' }, capabilities: ['llm', 'tools'] }),
      await node('bot', { type: 'channel', capabilities: ['discord'] }),
    ];
    const heard = { one: hearing(one), two: hearing(two), bot: hearing(bot) };
    const { messages } = one;
    expect(await messages.broadcast('all')).toBe(2);
    expect(await messages.broadcast('agents', { select: { nodeType: 'agent' } })).toBe(1);
    expect(await client.messages.broadcast('agents too', { select: { nodeType: 'agent' } })).toBe(2);
    expect(await client.messages.broadcast('tools', { select: { capability: 'tools' } })).toBe(1);
    expect(await client.messages.broadcast('attic', { select: { labels: { room: 'attic' } } })).toBe(1);
    const both = { capability: 'llm', labels: { room: 'cellar' } };
    expect(await client.messages.broadcast('both', { select: both, reliable: true })).toBe(1);
    expect(await client.messages.broadcast('nobody', { select: { capability: 'vision' }, reliable: true })).toBe(0);
    await expect
      .poll(() => heard)
      .toEqual({
        one: ['agents too', 'attic'],
        two: ['all', 'agents', 'agents too', 'tools', 'both'],
        bot: ['all'],
      });
  });
});

describe('what cannot be sent', () => {
  it('is refused where it is asked for: the link stays', async () => {
    await node('attic', { labels: { room: 'attic' } });
    const labels = JSON.parse('{"__proto__":"attic"}') as Record<string, string>;
    await expect(client.messages.broadcast('all', { select: { labels } })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: 'broadcast: select.labels.__proto__ is a name that cannot be sent',
    });
    // By a rejection, as every other message.
    const large = 'x'.repeat(800_000);
    for (const sent of [() => client.messages.broadcast(large), () => client.messages.publish('news', large)]) {
      await expect(sent()).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    }
    expect(await client.messages.broadcast('all')).toBe(1);
  });
});

describe('a topic', () => {
  it('is heard by its subscribers until they leave it', async () => {
    const attic = await node('attic');
    const heard: unknown[] = [];
    const [leave, leaveToo] = await Promise.all([
      attic.messages.subscribe('news', ({ topic, body }) => void heard.push([topic, body])),
      attic.messages.subscribe('news', ({ body }) => void heard.push(body)),
    ]);
    expect(await client.messages.publish('news', 1, { reliable: true })).toBe(1);
    expect(heard).toEqual([['news', 1], 1]);
    await leave();
    expect(await client.messages.publish('news', 2, { reliable: true })).toBe(1);
    await leaveToo();
    expect(await client.messages.publish('news', 3)).toBe(0);
    expect(heard).toEqual([['news', 1], 1, 2]);
  });

  it('is heard by each of several in one peer, whether or not the others throw or ever end', async () => {
    const attic = await node('attic');
    const heard: unknown[] = [];
    await attic.messages.subscribe('news', () => new Promise(() => {}));
    await attic.messages.subscribe('news', () => {
      throw new Error('not for me');
    });
    await attic.messages.subscribe('news', ({ body }) => void heard.push(body));
    await client.messages.publish('news', 1);
    await expect.poll(() => heard).toEqual([1]);
  });

  it('is heard on after a reconnect, also when the session has ended meanwhile', async () => {
    const { node: attic, proxy } = await farNode('attic');
    const heard: unknown[] = [];
    await attic.messages.subscribe('news', ({ body }) => void heard.push(body));
    proxy.cut();
    await expect.poll(() => client.messages.publish('news', 1, { reliable: true })).toBe(1);
    proxy.isPassing = false;
    proxy.cut();
    await expect.poll(async () => (await client.node('attic')).status, { timeout: 15_000 }).toBe('offline');
    proxy.isPassing = true;
    await expect.poll(() => client.messages.publish('news', 2, { reliable: true }), { timeout: 15_000 }).toBe(1);
    expect(heard).toEqual([1, 2]);
  });

  it('is heard on in a new session also where there are more than one message names', async () => {
    await using cluster = await createTestCluster({ limits: { topicsMax: 1_500 } });
    const attic = await cluster.node('attic');
    const heard: unknown[] = [];
    const topics = Array.from({ length: 1_100 }, (_, n) => `news/${n}`);
    const subscribed = topics.map((topic) => attic.messages.subscribe(topic, ({ body }) => void heard.push(body)));
    await cluster.until(Promise.all(subscribed));
    await cluster.restartGateway();
    const desk = await cluster.client('desk');
    await cluster.until(desk.ready());
    await cluster.until(async () => (await desk.messages.publish('news/1099', 'late', { reliable: true })) === 1);
    expect(heard).toContain('late');
  });

  it('is one too many beyond the limit, and everybody who waits for it is told', async () => {
    const attic = await node('attic');
    for (const topic of ['a', 'b', 'c']) await attic.messages.subscribe(topic, () => {});
    const refused = { code: 'RATE_EXCEEDED', message: expect.stringContaining('3 topics') };
    await Promise.all([
      expect(attic.messages.subscribe('d', () => {})).rejects.toMatchObject(refused),
      expect(attic.messages.subscribe('d', () => {})).rejects.toMatchObject(refused),
    ]);
  });
});

describe('a sender', () => {
  it('that sends too much is told when to go on, keeps its link, and keeps nobody else from sending', async () => {
    const flooded = await createGateway({ limits: { ...limits, notesPerSecondMax: 100 } });
    open.push(flooded);
    const sender = createClient({ url: flooded.url, id: 'sender', limits });
    const other = createClient({ url: flooded.url, id: 'other', limits });
    open.push(sender, other);
    const attic = await node('attic', { join: flooded.url });
    const heard = hearing(attic);
    const sent = await Promise.allSettled(Array.from({ length: 5_000 }, (_, n) => sender.messages.send('attic', n)));
    const refused = sent.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(refused.length).toBeGreaterThan(0);
    for (const reason of refused) expect(reason).toMatchObject({ code: 'RATE_EXCEEDED' });
    expect(refused[0].retryAfterMs).toBeGreaterThan(0);
    await expect.poll(() => heard.length).toBe(5_000 - refused.length);
    await other.messages.send('attic', 'from another');
    await expect.poll(() => heard.at(-1)).toBe('from another');
    expect(sender.isConnected).toBe(true);
  });

  it('whose session ends before the answer is told so: what may have arrived is not sent again', async () => {
    const first = await createGateway({ limits });
    const sender = createClient({ url: first.url, id: 'sender', limits });
    open.push(sender);
    const attic = await node('attic', { join: first.url });
    const heard: unknown[] = [];
    attic.messages.onMessage(({ body }) => {
      heard.push(body);
      return new Promise(() => {});
    });
    const told = sender.messages.send('attic', 1, { reliable: true }).catch((error) => error.code);
    await expect.poll(() => heard).toEqual([1]);
    await first.stop();
    open.push(await createGateway({ listen: new URL(first.url).host, limits }));
    expect(await told).toBe('LINK_CLOSED');
    await sender.messages.publish('nothing', 2);
    expect(heard).toEqual([1]);
  });
});

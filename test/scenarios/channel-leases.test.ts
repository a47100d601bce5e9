import { describe, expect, it } from 'vitest';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';

const KEY = 'telegram';
const TTL_MS = 10_000;

async function aChannel(cluster: TestCluster, id: string) {
  const { gateway } = await cluster.node(id, { type: 'channel', maxTasks: 0 });
  return {
    take: (key = KEY, ttlMs = TTL_MS) => cluster.until(gateway.takeLease(key, ttlMs)),
    free: (token: number, key = KEY) => cluster.until(gateway.freeLease(key, token)),
  };
}

describe('the lease of a channel', () => {
  it('has one holder at a time', async () => {
    await using cluster = await createTestCluster();
    const [one, other] = [await aChannel(cluster, 'one'), await aChannel(cluster, 'other')];
    expect(await one.take()).toEqual({ token: expect.any(Number) });
    expect(await other.take()).toBeNull();
    expect(await other.take('discord')).not.toBeNull();
  });

  it('is kept by who renews it, under a token that rises', async () => {
    await using cluster = await createTestCluster();
    const [one, other] = [await aChannel(cluster, 'one'), await aChannel(cluster, 'other')];
    let last = 0;
    for (let turn = 0; turn < 5; turn += 1) {
      const { token = 0 } = (await one.take()) ?? {};
      expect(token).toBeGreaterThan(last);
      last = token;
      await cluster.advance(TTL_MS * 0.7);
      expect(await other.take()).toBeNull();
    }
  });

  it('passes on at once when it is freed', async () => {
    await using cluster = await createTestCluster();
    const [one, other] = [await aChannel(cluster, 'one'), await aChannel(cluster, 'other')];
    const { token = 0 } = (await one.take()) ?? {};
    await one.free(token);
    expect(await other.take()).not.toBeNull();
  });

  it('is freed by nobody but its holder, whatever token they guess', async () => {
    await using cluster = await createTestCluster();
    const [one, other] = [await aChannel(cluster, 'one'), await aChannel(cluster, 'other')];
    const { token = 0 } = (await one.take()) ?? {};
    await other.free(token);
    expect(await other.take()).toBeNull();
    await one.free(token + 1);
    expect(await other.take()).toBeNull();
  });

  it('outlives its holder by its time, and no longer', async () => {
    await using cluster = await createTestCluster();
    const [one, other] = [await aChannel(cluster, 'one'), await aChannel(cluster, 'other')];
    await one.take();
    cluster.kill('one');
    await cluster.advance(TTL_MS * 0.9);
    expect(await other.take()).toBeNull();
    await cluster.advance(TTL_MS * 0.2);
    expect(await other.take()).not.toBeNull();
  });

  it('is not inherited by another process of the same name, which cannot know what the older one still does', async () => {
    await using cluster = await createTestCluster();
    const one = await aChannel(cluster, 'one');
    await one.take();
    cluster.kill('one');
    const again = await aChannel(cluster, 'one');
    expect(await again.take()).toBeNull();
    await cluster.advance(TTL_MS * 1.1);
    expect(await again.take()).not.toBeNull();
  });

  it('outlives the gateway that granted it', async () => {
    await using cluster = await createTestCluster();
    const one = await aChannel(cluster, 'one');
    await one.take(KEY, 60_000);
    await cluster.restartGateway();
    const other = await aChannel(cluster, 'other');
    expect(await other.take()).toBeNull();
    expect(await one.take()).not.toBeNull();
  });

  it('is for channels alone', async () => {
    await using cluster = await createTestCluster();
    const agent = await cluster.node('agent');
    const client = await cluster.client('client');
    for (const calls of [agent.gateway, client]) {
      await expect(cluster.until(calls.takeLease(KEY, TTL_MS))).rejects.toMatchObject({ code: 'FORBIDDEN' });
      await expect(cluster.until(calls.freeLease(KEY, 1))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
  });

  it('is one of at most sixteen', async () => {
    await using cluster = await createTestCluster();
    const one = await aChannel(cluster, 'one');
    for (let count = 0; count < 16; count += 1) expect(await one.take(`key-${count}`)).not.toBeNull();
    await expect(one.take('one-more')).rejects.toMatchObject({ code: 'RATE_EXCEEDED' });
    const { token = 0 } = (await one.take('key-3')) ?? {};
    await one.free(token, 'key-3');
    expect(await one.take('one-more')).not.toBeNull();
  });
});

describe('a node', () => {
  it('submits and follows tasks over its own link, as clients do', async () => {
    await using cluster = await createTestCluster();
    const agent = await cluster.node('agent');
    agent.handle({ type: 'echo' }, ({ input }) => input);
    const channel = await cluster.node('channel', { type: 'channel' });
    expect(await cluster.until(channel.gateway.submit('echo', { n: 1 }))).toEqual({ n: 1 });
    expect(await cluster.until(channel.gateway.tasks())).toMatchObject({ total: 1 });
  });

  it('gets no more tasks of a type that it has given up', async () => {
    await using cluster = await createTestCluster();
    const agent = await cluster.node('agent');
    agent.handle({ type: 'echo' }, ({ input }) => input);
    agent.unhandle('echo');
    const client = await cluster.client();
    const handle = client.submit('echo', 1);
    await cluster.until(handle.accepted());
    await cluster.advance(1_000);
    expect((await cluster.until(client.why(handle.taskId))).nodes).toEqual([
      { nodeId: 'agent', fits: false, reason: "has no handler for 'echo'" },
    ]);
    agent.handle({ type: 'echo' }, ({ input }) => input);
    expect(await cluster.until(handle)).toBe(1);
  });
});

describe('channel work', () => {
  it('#42 goes to the channel that has a handler for it, and to no agent', async () => {
    await using cluster = await createTestCluster();
    const eager = await cluster.node('eager');
    eager.handle({ type: 'channel/chat' }, () => 'wrong');
    const client = await cluster.client();
    const handle = client.submit('channel/chat', 'hello');
    await cluster.until(handle.accepted());
    await cluster.advance(1_000);
    expect((await cluster.until(client.why(handle.taskId))).nodes).toEqual([
      { nodeId: 'eager', fits: false, reason: 'is an agent, not a channel' },
    ]);
    const chat = await cluster.node('chat', { type: 'channel' });
    chat.handle({ type: 'channel/chat' }, ({ input }) => `sent ${String(input)}`);
    expect(await cluster.until(handle.outcome())).toMatchObject({ result: 'sent hello', node: 'chat' });
  });
});

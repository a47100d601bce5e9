/** A channel in a test cluster, with a platform in memory and an agent that answers turns. */
import { createChannel } from '../../src/channels/channel.ts';
import type { Channel, ChannelOptions } from '../../src/channels/channel-options.ts';
import { type MemoryPlatform, memoryPlatform } from '../../src/channels/memory.ts';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';

export interface Scene {
  readonly cluster: TestCluster;
  readonly platform: MemoryPlatform;
  channel(id: string, options?: Partial<ChannelOptions>): Promise<Channel>;
  /** Asks with a message that the platform has no other of, and waits until the gateway has it. */
  say(id: string, more?: object): ReturnType<MemoryPlatform['say']>;
}

export async function aScene(options: Parameters<typeof createTestCluster>[0] = {}): Promise<Scene & AsyncDisposable> {
  const cluster = await createTestCluster(options);
  const platform = memoryPlatform();
  const { clock, random } = cluster;
  let ids = 0;
  const channels: Channel[] = [];
  return {
    cluster,
    platform,
    async channel(id, more = {}) {
      const channel = await cluster.until(
        createChannel({
          platform,
          id,
          join: cluster.network.dial('gateway', { name: id }),
          clock,
          random,
          ids: () => `${id}-${ids++}`,
          ...more,
        }),
      );
      channels.push(channel);
      return channel;
    },
    say: (id, more = {}) => cluster.until(platform.say({ id, ...more })),
    async [Symbol.asyncDispose]() {
      cluster.network.heal();
      for (const channel of channels) await cluster.until(channel.stop());
      await cluster[Symbol.asyncDispose]();
    },
  };
}

/** An agent that answers turns; those whose text is `fail` fail for good, `wait` waits until released. */
export async function anAgent({ cluster }: Scene, id = 'agent') {
  const ran: unknown[] = [];
  let release: () => void = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const node = await cluster.node(id, { capabilities: ['llm'] });
  node.handle({ type: 'agent-turn' }, async ({ input, progress }) => {
    ran.push(input);
    const { text } = input as { text: string };
    if (text === 'fail') throw Object.assign(new Error('no idea'), { retryable: false });
    if (text === 'wait') {
      await progress({ delta: 'let me ' });
      await progress({ delta: 'think' });
      await released;
    }
    return { text: `you said ${text}` };
  });
  return { node, ran, release };
}

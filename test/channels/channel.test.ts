/** What becomes of messages: those that come in over a channel, and those that go out. */
import { describe, expect, it } from 'vitest';
import type { Platform } from '../../src/channels/platform.ts';
import { PincerError } from '../../src/protocol/failure.ts';
import { anAgent, aScene } from '../support/channel-scene.ts';

describe('a message that comes in', () => {
  it('becomes a task of its own key, and its reply goes out to where it came from', async () => {
    await using scene = await aScene();
    const { ran } = await anAgent(scene);
    const channel = await scene.channel('one');
    const turn = await scene.say('m1', { sender: 'ada', conversation: 'room', text: 'hi', data: { n: 1 } });
    expect(turn).toMatchObject({ isNew: true });
    await scene.cluster.until(() => scene.platform.sent.length > 0);
    expect(ran).toEqual([
      { channel: 'memory', messageId: 'm1', conversation: 'room', sender: 'ada', text: 'hi', data: { n: 1 } },
    ]);
    expect(scene.platform.sent).toEqual([
      {
        key: `${turn?.taskId}-reply`,
        to: { to: 'ada' },
        text: 'you said hi',
        reply: { taskId: turn?.taskId, status: 'completed', result: { text: 'you said hi' } },
      },
    ]);
    const client = await scene.cluster.client();
    const { task } = await scene.cluster.until(client.task(turn?.taskId ?? ''));
    expect(task).toMatchObject({ key: 'memory:m1', type: 'agent-turn', node: 'agent' });
    expect(channel.counters).toMatchObject({ received: 1, delivered: 1, repeated: 0, dead: 0 });
  });

  it('shows how it gets on: all that was said so far', async () => {
    await using scene = await aScene();
    const { release } = await anAgent(scene);
    await scene.channel('one');
    await scene.say('m1', { text: 'wait' });
    await scene.cluster.until(() => scene.platform.progress.length === 2);
    expect(scene.platform.progress.map(({ text }) => text)).toEqual(['let me ', 'let me think']);
    release();
    await scene.cluster.until(() => scene.platform.sent.length > 0);
  });

  it('shows what a turn said that was over before its reply was accepted', async () => {
    await using scene = await aScene();
    const { release } = await anAgent(scene);
    await scene.channel('one');
    release();
    const { clock, store } = scene.cluster;
    const submit = store.submit.bind(store);
    Object.assign(store, {
      submit: async (tasks: Parameters<typeof submit>[0]) => {
        if (tasks.some(({ after }) => after !== undefined)) {
          await new Promise<void>((resolve) => void clock.schedule(1_000, resolve));
        }
        return submit(tasks);
      },
    });
    await scene.say('m1', { text: 'wait' });
    await scene.cluster.until(() => scene.platform.sent.length > 0);
    expect(scene.platform.progress.map(({ text }) => text)).toEqual(['let me ', 'let me think']);
  });

  it('is run once and answered once, however often the platform sends it', async () => {
    await using scene = await aScene();
    const { ran, release } = await anAgent(scene);
    const channel = await scene.channel('one');
    const first = await scene.say('m1', { text: 'wait' });
    const again = await scene.say('m1', { text: 'wait' });
    expect(again?.taskId).toBe(first?.taskId);
    release();
    await scene.cluster.until(() => scene.platform.sent.length > 0);
    const late = await scene.say('m1', { text: 'wait' });
    expect(late).toMatchObject({ taskId: first?.taskId, isNew: false });
    await scene.cluster.advance(10_000);
    expect(ran).toHaveLength(1);
    expect(scene.platform.sent).toHaveLength(1);
    expect(channel.counters).toMatchObject({ received: 2, repeated: 1, delivered: 1 });
  });

  it('is answered when its task fails, too', async () => {
    await using scene = await aScene();
    await anAgent(scene);
    await scene.channel('one');
    await scene.say('m1', { text: 'fail' });
    await scene.cluster.until(() => scene.platform.sent.length > 0);
    expect(scene.platform.sent).toMatchObject([
      { text: 'This did not work: no idea', reply: { status: 'failed', error: { code: 'HANDLER_REFUSED' } } },
    ]);
  });

  it('gets its reply though its agent was killed half-way', async () => {
    await using scene = await aScene();
    const doomed = await anAgent(scene, 'doomed');
    await scene.channel('one');
    await scene.say('m1', { text: 'wait' });
    await scene.cluster.until(() => doomed.ran.length === 1);
    scene.cluster.kill('doomed');
    const other = await anAgent(scene, 'other');
    other.release();
    await scene.cluster.until(() => scene.platform.sent.length > 0);
    expect(scene.platform.sent).toHaveLength(1);
    expect(other.ran).toHaveLength(1);
  });

  it('gets its reply from the instance that takes over, if its own was killed', async () => {
    await using scene = await aScene();
    const { ran, release } = await anAgent(scene);
    await scene.channel('one');
    const two = await scene.channel('two');
    await scene.say('m1', { text: 'wait' });
    scene.cluster.network.cut('one');
    scene.cluster.network.partition('one');
    await scene.cluster.until(() => two.state === 'open');
    release();
    await scene.cluster.until(() => scene.platform.sent.length > 0);
    await scene.cluster.advance(60_000);
    expect(scene.platform.sent).toHaveLength(1);
    expect(ran).toHaveLength(1);
  });

  it('gets its reply across a restart of the gateway', async () => {
    await using scene = await aScene();
    const { release } = await anAgent(scene);
    await scene.channel('one');
    await scene.say('m1', { text: 'wait' });
    await scene.cluster.restartGateway();
    release();
    await scene.cluster.until(() => scene.platform.sent.length > 0);
    await scene.cluster.advance(60_000);
    expect(scene.platform.sent).toHaveLength(1);
  });

  it('is refused when the gateway does not have it in time, and made a task when it is sent again', async () => {
    await using scene = await aScene();
    const { ran } = await anAgent(scene);
    await scene.channel('one', { leaseMs: 60_000 });
    scene.cluster.network.partition('one');
    await expect(scene.say('m1')).rejects.toMatchObject({ code: 'GATEWAY_UNREACHABLE', retryable: true });
    scene.cluster.network.heal();
    // What vanished in between is not coming: the link is made anew.
    scene.cluster.network.cut('one');
    await scene.say('m1');
    await scene.cluster.until(() => scene.platform.sent.length > 0);
    expect(ran).toHaveLength(1);
  });

  it('is refused beyond the messages that may wait for replies', async () => {
    await using scene = await aScene();
    const { release } = await anAgent(scene);
    const channel = await scene.channel('one', { limits: { channelTurnsMax: 2 } });
    await scene.say('m1', { text: 'wait' });
    await scene.say('m2', { text: 'wait' });
    await expect(scene.say('m3')).rejects.toMatchObject({ code: 'RATE_EXCEEDED', retryable: true });
    expect(channel.counters.refused).toBe(1);
    release();
    await scene.cluster.until(() => scene.platform.sent.length === 2);
    await scene.say('m3');
  });

  it.each([
    ['no id', { id: '' }],
    ['an id too long', { id: 'x'.repeat(513) }],
    ['a conversation too long', { conversation: 'x'.repeat(129) }],
    ['no conversation', { conversation: '' }],
    ['a sender too long', { sender: 'x'.repeat(129) }],
    ['a reply address too large', { replyTo: 'x'.repeat(5_000) }],
  ])('is refused for good with %s', async (_, message) => {
    await using scene = await aScene();
    await scene.channel('one');
    const said = scene.say('m1', message);
    await expect(said).rejects.toMatchObject({ code: 'PAYLOAD_INVALID', retryable: false });
  });

  it('may be published instead, once, to whoever has subscribed', async () => {
    await using scene = await aScene();
    await scene.channel('one', { route: { topic: 'inbox' } });
    await expect(scene.say('m1')).rejects.toMatchObject({ code: 'NO_RECEIVER', retryable: true });
    const reader = await scene.cluster.node('reader');
    const heard: unknown[] = [];
    await scene.cluster.until(reader.messages.subscribe('inbox', ({ body }) => void heard.push(body)));
    expect(await scene.say('m1', { text: 'news' })).toBeNull();
    expect(await scene.say('m1', { text: 'news' })).toBeNull();
    expect(heard).toMatchObject([{ channel: 'memory', id: 'm1', text: 'news' }]);
  });

  it('is published once though it is sent again before the gateway has answered, and after it was not waited for', async () => {
    await using scene = await aScene();
    const channel = await scene.channel('one', { route: { topic: 'inbox' }, leaseMs: 60_000 });
    const reader = await scene.cluster.node('reader');
    const heard: unknown[] = [];
    await scene.cluster.until(reader.messages.subscribe('inbox', ({ body }) => void heard.push(body)));
    scene.cluster.network.partition('one');
    const first = scene.platform.say({ id: 'm1' }).catch((error: unknown) => error);
    const again = scene.platform.say({ id: 'm1' }).catch((error: unknown) => error);
    for (const one of [first, again]) {
      expect(await scene.cluster.until(one)).toMatchObject({ code: 'GATEWAY_UNREACHABLE' });
    }
    const later = scene.platform.say({ id: 'm1' });
    scene.cluster.network.heal();
    scene.cluster.network.cut('one');
    expect(await scene.cluster.until(later)).toBeNull();
    await scene.cluster.advance(10_000);
    expect(heard).toHaveLength(1);
    expect(channel.counters).toMatchObject({ received: 1, repeated: 2 });
  });

  it('may be made a task of another type, with another input', async () => {
    await using scene = await aScene();
    const node = await scene.cluster.node('n1', { capabilities: ['chat'] });
    node.handle({ type: 'shout' }, ({ input }) => String(input).toUpperCase());
    await scene.channel('one', { route: { type: 'shout', needs: ['chat'], input: ({ text }) => text } });
    await scene.say('m1', { text: 'hey' });
    await scene.cluster.until(() => scene.platform.sent.length > 0);
    expect(scene.platform.sent[0]?.text).toBe('HEY');
  });
});

describe('a message that goes out', () => {
  const busy = new PincerError('DELIVERY_FAILED', 'the platform is busy');

  it('is sent again under the same key until the platform takes it', async () => {
    await using scene = await aScene();
    await anAgent(scene);
    const channel = await scene.channel('one');
    scene.platform.failNext(busy, 3);
    await scene.say('m1');
    await scene.cluster.until(() => scene.platform.sent.length > 0);
    expect(channel.counters).toMatchObject({ failed: 3, delivered: 1, dead: 0 });
  });

  it('waits as long as the platform says, within its attempt', async () => {
    await using scene = await aScene();
    await anAgent(scene);
    await scene.channel('one');
    scene.platform.failNext(new PincerError('DELIVERY_FAILED', 'slow down', { retryAfterMs: 7_000 }));
    const turn = await scene.say('m1');
    const before = scene.cluster.clock.now();
    await scene.cluster.until(() => scene.platform.sent.length > 0);
    expect(scene.cluster.clock.now() - before).toBeGreaterThanOrEqual(7_000);
    const client = await scene.cluster.client();
    await scene.cluster.advance(100);
    const { task } = await scene.cluster.until(client.task(`${turn?.taskId}-reply`));
    expect(task).toMatchObject({ status: 'completed', failures: 0 });
  });

  it('waits for minutes if the platform says so, which everybody is told once, and holds up no other', async () => {
    const logged: unknown[] = [];
    await using scene = await aScene();
    await anAgent(scene);
    const log = {
      debug() {},
      info() {},
      warn() {},
      error: (event: string, fields = {}) => logged.push([event, fields]),
    };
    const channel = await scene.channel('one', { log, limits: { channelDeliveriesMax: 1 } });
    scene.platform.failNext(new PincerError('DELIVERY_FAILED', 'slow down', { retryAfterMs: 600_000 }), 2);
    await scene.say('m1');
    await scene.say('m2');
    await scene.cluster.until(() => channel.counters.failed === 2);
    const before = scene.cluster.clock.now();
    await scene.say('m3');
    await scene.cluster.until(() => scene.platform.sent.length === 1);
    expect(scene.cluster.clock.now() - before).toBeLessThan(10_000);
    await scene.cluster.advance(580_000);
    expect(channel.counters).toMatchObject({ failed: 2, delivered: 1, dead: 0 });
    await scene.cluster.advance(30_000);
    expect(channel.counters).toMatchObject({ failed: 2, delivered: 3, dead: 0 });
    expect(logged).toEqual([['delivery.held-up', { channel: 'memory', waitMs: 600_000, message: 'slow down' }]]);
  });

  it('waits no longer than the limit at a time for a platform that asks for hours', async () => {
    await using scene = await aScene();
    await anAgent(scene);
    const channel = await scene.channel('one');
    scene.platform.failNext(new PincerError('DELIVERY_FAILED', 'slow down', { retryAfterMs: 10_000_000 }), 4);
    const turn = await scene.say('m1');
    await scene.cluster.until(() => channel.counters.failed === 1);
    await scene.cluster.advance(2_000_000);
    expect(channel.counters).toMatchObject({ failed: 4, delivered: 1, dead: 0 });
    const client = await scene.cluster.client();
    const { task } = await scene.cluster.until(client.task(`${turn?.taskId}-reply`));
    expect(task).toMatchObject({ status: 'completed', failures: 2 });
  });

  it('is tried again when the platform does not come back with the first try', async () => {
    await using scene = await aScene();
    await anAgent(scene);
    const { platform } = scene;
    let isStuck = true;
    const stuck: Platform = {
      ...platform,
      kind: 'memory',
      open: async (...given) => {
        const opened = await platform.open(...given);
        const deliver: typeof opened.deliver = (message, signal) => {
          if (!isStuck) return opened.deliver(message, signal);
          isStuck = false;
          return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
        };
        return { ...opened, deliver };
      },
    };
    const channel = await scene.channel('one', { platform: stuck });
    await scene.say('m1');
    await scene.cluster.advance(70_000);
    expect(channel.counters).toMatchObject({ failed: 1, delivered: 1 });
  });

  it('is a failed task after its last attempt: logged, counted, listed, and sent after all by a retry', async () => {
    const logged: unknown[] = [];
    await using scene = await aScene({ limits: { channelDeliveryAttempts: 2 } });
    await anAgent(scene);
    const log = { debug() {}, info() {}, warn() {}, error: (event: string) => void logged.push(event) };
    const channel = await scene.channel('one', { log, limits: { channelDeliveryAttempts: 2 } });
    scene.platform.failNext(busy, 2);
    await scene.say('m1');
    await scene.cluster.until(() => channel.counters.dead === 1);
    expect(logged).toEqual(['delivery.dead']);
    const client = await scene.cluster.client();
    const { items } = await scene.cluster.until(client.tasks({ status: ['failed'] }));
    expect(items).toMatchObject([{ type: 'channel/memory', error: { code: 'DELIVERY_FAILED' } }]);
    await scene.cluster.until(client.order({ what: 'task.retry', taskId: items[0]?.taskId ?? '' }));
    await scene.cluster.until(() => scene.platform.sent.length > 0);
  });

  it('is given up at once when the platform will never take it', async () => {
    await using scene = await aScene();
    await anAgent(scene);
    const channel = await scene.channel('one');
    scene.platform.failNext(new PincerError('DELIVERY_REFUSED', 'the chat is gone'), 9);
    await scene.say('m1');
    await scene.cluster.until(() => channel.counters.dead === 1);
    expect(channel.counters.failed).toBe(1);
  });

  it('may be anybody’s: a task of the channel’s type, sent once for its id', async () => {
    await using scene = await aScene();
    await scene.channel('one');
    const client = await scene.cluster.client();
    for (let turn = 0; turn < 2; turn += 1) {
      const input = { to: 'ada', text: 'good morning', data: { mood: 'bright' } };
      expect(
        await scene.cluster.until(client.submit('channel/memory', input, { taskId: 'greeting' }).outcome()),
      ).toMatchObject({ status: 'completed' });
    }
    expect(scene.platform.sent).toEqual([
      { key: 'greeting', to: 'ada', text: 'good morning', data: { mood: 'bright' } },
    ]);
    const wrong = client.submit('channel/memory', { text: 'to nobody', more: 1 });
    expect((await scene.cluster.until(wrong.outcome())).error).toMatchObject({ code: 'PAYLOAD_INVALID' });
  });

  it('that waits for a task gives its place back when its time is up', async () => {
    await using scene = await aScene();
    const { release, ran } = await anAgent(scene);
    await scene.channel('one', { limits: { channelDeliveriesHeldMax: 1 } });
    const client = await scene.cluster.client();
    const long = client.submit('agent-turn', { text: 'wait' });
    await scene.cluster.until(() => ran.length === 1);
    const late = client.submit('channel/memory', { to: 'ada', of: long.taskId }, { timeoutMs: 1_000, attempts: 1 });
    expect((await scene.cluster.until(late.outcome())).error).toMatchObject({ code: 'TASK_TIMED_OUT' });
    await scene.cluster.until(client.submit('channel/memory', { to: 'ada', text: 'next' }).result(), 10_000);
    expect(scene.platform.sent).toMatchObject([{ text: 'next' }]);
    release();
  });
});

import { Hono } from 'hono';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createGateway } from '../../src/actors/gateway/gateway.ts';
import type { Gateway } from '../../src/actors/gateway/gateway-options.ts';
import { createNode } from '../../src/actors/node/node.ts';
import type { Node } from '../../src/actors/node/node-options.ts';
import { seededRandom } from '../../src/actors/world/seeded-random.ts';
import { systemClock } from '../../src/actors/world/system-clock.ts';
import { createChannel } from '../../src/channels/channel.ts';
import type { Channel, ChannelOptions } from '../../src/channels/channel-options.ts';
import { type WebhookOptions, webhook } from '../../src/channels/webhook/webhook.ts';
import { createAnswers } from '../../src/channels/webhook/webhook-answers.ts';
import { replyTextOf } from '../../src/channels/words.ts';
import { PincerError } from '../../src/protocol/failure.ts';
import { defaultLimits, type Limits } from '../../src/protocol/limits.ts';
import { heldOf } from '../support/garbage.ts';
import { keepingLog } from '../support/isolates.ts';
import { eventsOf, OTHER_SECRET, post, SECRET, signedHeaders, startReceiver } from '../support/webhooks.ts';

const MINUTE_MS = 60_000;
let gateway: Gateway;
let agent: Node;
let ran: { messageId: string }[];
let release: () => void;
let released: Promise<void>;

beforeAll(async () => {
  ran = [];
  gateway = await createGateway({ listen: null });
  agent = await createNode({ join: gateway.dial, capabilities: ['llm'], maxTasks: 50 });
  agent.handle({ type: 'agent-turn' }, async ({ input, progress, signal }) => {
    const { text } = input as { text: string };
    ran.push(input as { messageId: string });
    if (text === 'lost') throw new PincerError('TASK_UNKNOWN', 'what I was to look at is gone');
    if (text === 'fail') throw Object.assign(new Error('no idea'), { retryable: false });
    if (text.startsWith('slow')) {
      await progress({ delta: 'let me ' });
      await progress({ delta: 'think' });
      await Promise.race([
        released,
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      ]);
    }
    return { text: `you said ${text}` };
  });
});

beforeEach(() => {
  released = new Promise((resolve) => {
    release = resolve;
  });
});

afterAll(async () => {
  await agent.stop();
  await gateway.stop();
});

let channels = 0;
function aChannel(
  options: Partial<WebhookOptions> = {},
  limits: Partial<Limits> = {},
  more: Partial<ChannelOptions> = {},
): Promise<Channel> {
  channels += 1;
  return createChannel({
    join: gateway.dial,
    name: `webhook-${channels}`,
    platform: webhook({ secrets: SECRET, allowLoopbackCallbacks: true, ...options }),
    limits,
    ...more,
  });
}

const urlOf = (channel: Channel): string => `${channel.url}/`;

describe('a webhook that comes in', () => {
  it('is held until its reply is there', async () => {
    await using channel = await aChannel();
    const answer = await post(urlOf(channel), 'm1', { text: 'hi', sender: 'ada', data: { n: 1 } });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      type: 'reply',
      status: 'completed',
      text: 'you said hi',
      result: { text: 'you said hi' },
    });
    expect(ran.at(-1)).toMatchObject({ messageId: 'm1', conversation: 'm1', sender: 'ada', data: { n: 1 } });
  });

  it('leaves nothing of its reply behind, however long the channel lives', async () => {
    const world = {
      ...{ clock: systemClock(), random: seededRandom(1), ids: () => 'id' },
      ...{ log: keepingLog().log, limits: defaultLimits },
    };
    const answers = createAnswers(world, (taskId) => `/replies/${taskId}`);
    const results: WeakRef<object>[] = [];
    const outcome = async () => {
      const result = { text: 'hi' };
      results.push(new WeakRef(result));
      const numbers = { attempts: 1, queuedMs: 0, runMs: 0 };
      return { taskId: 't', status: 'completed' as const, result, ...numbers };
    };
    const turn = {
      taskId: 't',
      isNew: true,
      outcome,
      textOf: replyTextOf,
      progress: { async *[Symbol.asyncIterator]() {} },
    };
    const app = new Hono().get('/', (context) => answers.to(context, turn, false));
    for (let n = 0; n < 10; n += 1) {
      expect(await (await app.request('/')).json()).toMatchObject({ status: 'completed', text: 'hi' });
    }
    await expect.poll(() => heldOf(results)).toBe(0);
    answers.close();
  });

  it('is told that its task failed', async () => {
    await using channel = await aChannel();
    const answer = await post(urlOf(channel), 'm1', { text: 'fail' });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      status: 'failed',
      text: 'This did not work: no idea',
      error: { code: 'HANDLER_REFUSED' },
    });
  });

  it('is told so, too, when its task failed because another one is unknown', async () => {
    await using channel = await aChannel();
    await using receiver = await startReceiver();
    const failed = { status: 'failed', error: { code: 'TASK_UNKNOWN', message: 'what I was to look at is gone' } };
    const answer = await post(urlOf(channel), 'm1', { text: 'lost' });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject(failed);
    await post(urlOf(channel), 'm2', { text: 'lost', callback: receiver.url });
    await expect.poll(() => receiver.received.map(({ body }) => body)).toMatchObject([failed]);
  });

  it('has the text that the channel makes of it, however it is replied to', async () => {
    await using channel = await aChannel({}, {}, { replyText: ({ status }) => `so: ${status}` });
    const held = (await (await post(urlOf(channel), 'm1', { text: 'hi' })).json()) as { text: string };
    const streamed = await post(urlOf(channel), 'm2', { text: 'fail' }, { headers: { accept: 'text/event-stream' } });
    const events = [];
    for await (const one of eventsOf(streamed)) events.push(one);
    expect([held.text, events.at(-1)]).toMatchObject(['so: completed', { data: { text: 'so: failed' } }]);
  });

  it('is told where the reply will be when that takes longer, and finds it there', async () => {
    await using channel = await aChannel({}, { webhookHoldMs: 300 });
    const answer = await post(urlOf(channel), 'm1', { text: 'slow one' });
    expect(answer.status).toBe(202);
    const { reply, status, taskId } = (await answer.json()) as Record<string, string>;
    expect([status, answer.headers.get('location')]).toEqual(['pending', reply]);
    const still = await fetch(`${channel.url}${reply}`, { headers: { prefer: 'respond-async' } });
    expect(still.status).toBe(202);
    expect((await fetch(`${channel.url}/replies/${taskId}.${'A'.repeat(43)}`)).status).toBe(404);
    release();
    await expect
      .poll(async () => (await fetch(`${channel.url}${reply}`)).json())
      .toMatchObject({ status: 'completed', text: 'you said slow one' });
  });

  it('is answered as a stream of its progress and its reply, if it asks for one', async () => {
    await using channel = await aChannel();
    const answer = await post(urlOf(channel), 'm1', { text: 'hi' }, { headers: { accept: 'text/event-stream' } });
    expect(answer.headers.get('content-type')).toContain('text/event-stream');
    const events = [];
    for await (const one of eventsOf(answer)) events.push(one);
    expect(events[0]).toMatchObject({ event: 'accepted', data: { reply: expect.stringContaining('/replies/') } });
    expect(events.at(-1)).toMatchObject({ event: 'reply', data: { status: 'completed', text: 'you said hi' } });
  });

  it('goes on when who asked for a stream hangs up', async () => {
    await using channel = await aChannel({}, { webhookHoldMs: 300 });
    const hangUp = new AbortController();
    const before = ran.length;
    const answer = await post(
      urlOf(channel),
      'm1',
      { text: 'hi' },
      { headers: { accept: 'text/event-stream' }, signal: hangUp.signal },
    );
    expect(answer.status).toBe(200);
    hangUp.abort();
    const again = await post(urlOf(channel), 'm1', { text: 'hi' }, { at: new Date(Date.now() + 2_000) });
    expect(again.status).toBe(200);
    expect(ran.length).toBe(before + 1);
  });

  it('is run once, however often it is sent: same id, another timestamp', async () => {
    await using channel = await aChannel();
    const before = ran.length;
    for (const ahead of [0, 1, 2]) {
      const at = new Date(Date.now() + ahead * 1_000);
      const answer = await post(urlOf(channel), 'again', { text: 'hi' }, { at });
      expect([answer.status, ((await answer.json()) as { text: string }).text]).toEqual([200, 'you said hi']);
    }
    expect(ran.length).toBe(before + 1);
  });

  it('may be what another sender makes of it', async () => {
    await using channel = await aChannel({
      message: (body) => ({ text: (body as { comment: { body: string } }).comment.body, sender: 'hub' }),
    });
    const answer = await post(urlOf(channel), 'm1', { action: 'created', comment: { body: 'ship it' } });
    expect(await answer.json()).toMatchObject({ text: 'you said ship it' });
    expect((await post(urlOf(channel), 'm2', { action: 'closed' })).status).toBe(400);
  });

  it('is taken with an old secret and with the new one while senders move', async () => {
    await using channel = await aChannel({ secrets: `# newest first\n${OTHER_SECRET}\n\n${SECRET}\n` });
    expect((await post(urlOf(channel), 'm1', { text: 'hi' }, { secret: SECRET })).status).toBe(200);
    expect((await post(urlOf(channel), 'm2', { text: 'hi' }, { secret: OTHER_SECRET })).status).toBe(200);
  });
});

describe('a webhook is refused', () => {
  let channel: Channel;
  beforeAll(async () => {
    channel = await aChannel({ allowLoopbackCallbacks: false });
  });
  afterAll(() => channel.stop());

  const body = JSON.stringify({ text: 'hi' });
  const stale = new Date(Date.now() - 6 * MINUTE_MS);
  const early = new Date(Date.now() + 6 * MINUTE_MS);
  it.each<readonly [string, string, Record<string, string>, number, string]>([
    ['without a signature', body, { 'content-type': 'application/json' }, 401, 'SIGNATURE_INVALID'],
    ['that another secret signed', body, signedHeaders('f1', body, { secret: OTHER_SECRET }), 401, 'SIGNATURE_INVALID'],
    ['of another body', body, signedHeaders('f2', '{"text":"bye"}'), 401, 'SIGNATURE_INVALID'],
    ['under another id', body, { ...signedHeaders('f3', body), 'webhook-id': 'f4' }, 401, 'SIGNATURE_INVALID'],
    ['whose id reads two ways', body, signedHeaders('f.5', body), 401, 'SIGNATURE_INVALID'],
    [
      'whose signature is of another version',
      body,
      { ...signedHeaders('f6', body), 'webhook-signature': 'v2,abc v1a,x' },
      401,
      'SIGNATURE_INVALID',
    ],
    ['that is six minutes old', body, signedHeaders('f7', body, { at: stale }), 401, 'SIGNATURE_STALE'],
    ['that is six minutes ahead', body, signedHeaders('f8', body, { at: early }), 401, 'SIGNATURE_STALE'],
    [
      'with a timestamp that is none',
      body,
      { ...signedHeaders('f9', body), 'webhook-timestamp': 'now' },
      401,
      'SIGNATURE_INVALID',
    ],
    ['that is not JSON', '{', signedHeaders('f10', '{'), 400, 'PAYLOAD_INVALID'],
    ['without a text', '{}', signedHeaders('f11', '{}'), 400, 'PAYLOAD_INVALID'],
    [
      'with a field that there is not',
      '{"text":"a","txet":1}',
      signedHeaders('f12', '{"text":"a","txet":1}'),
      400,
      'PAYLOAD_INVALID',
    ],
  ])('%s', async (_, sent, headers, status, code) => {
    const before = ran.length;
    const answer = await fetch(urlOf(channel), { method: 'POST', body: sent, headers });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([status, code]);
    expect(ran.length).toBe(before);
  });

  it('that is too large, whether it says so or not', async () => {
    const large = JSON.stringify({ text: 'x', data: 'y'.repeat(300_000) });
    const answer = await post(urlOf(channel), 'big', large);
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(large));
        controller.close();
      },
    });
    const init = { method: 'POST', body: stream, headers: signedHeaders('big2', large), duplex: 'half' };
    const unsaid = await fetch(urlOf(channel), init as RequestInit).catch(() => null);
    // The channel reads no further: its answer may be overtaken by the end of the connection.
    expect([413, undefined]).toContain(unsaid?.status);
  });

  it('that was accepted before, to the byte', async () => {
    const at = new Date();
    expect((await post(urlOf(channel), 'once', { text: 'hi' }, { at })).status).toBe(200);
    const replay = await post(urlOf(channel), 'once', { text: 'hi' }, { at });
    expect([replay.status, ((await replay.json()) as { code: string }).code]).toEqual([409, 'SIGNATURE_REPLAYED']);
  });

  it.each([
    ['http://example.com/hook', 'must be https'],
    ['https://127.0.0.1/hook', 'back to this machine'],
    ['https://2130706433/', 'plain form'],
    ['https://169.254.169.254/latest', 'not to be asked'],
    ['https://10.0.0.7/hook', 'private'],
    ['https://user:secret@example.com/', 'user name or password'],
    ['nonsense', 'not a URL'],
  ])('with a callback that leads astray: %s', async (callback, why) => {
    const answer = await post(urlOf(channel), `cb-${callback.replace(/\W/g, '')}`, { text: 'hi', callback });
    const { code, message } = (await answer.json()) as { code: string; message: string };
    expect([answer.status, code]).toEqual([400, 'ADDRESS_REFUSED']);
    expect(message).toContain(why);
    expect(message).not.toContain('secret');
  });

  it('and all that is counted', () => {
    expect(channel.counters.refused).toBeGreaterThanOrEqual(20);
  });

  it('with 503 and a time to come back while its gateway is full', async () => {
    await using narrow = await aChannel({}, { channelTurnsMax: 0 });
    const answer = await post(urlOf(narrow), 'm1', { text: 'hi' });
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    expect(narrow.counters.refused).toBe(1);
  });

  it('and not remembered: the same request is taken later', async () => {
    await using narrow = await aChannel({}, { channelTurnsMax: 1 });
    const slow = post(urlOf(narrow), 'm1', { text: 'slow' });
    await expect.poll(() => ran.at(-1)).toMatchObject({ messageId: 'm1' });
    const at = new Date();
    expect((await post(urlOf(narrow), 'm2', { text: 'hi' }, { at })).status).toBe(503);
    release();
    expect((await slow).status).toBe(200);
    expect((await post(urlOf(narrow), 'm2', { text: 'hi' }, { at })).status).toBe(200);
  });
});

describe('a reply by callback', () => {
  it('is sent once, signed, under the key of its delivery', async () => {
    await using channel = await aChannel();
    await using receiver = await startReceiver();
    const answer = await post(urlOf(channel), 'm1', { text: 'hi', callback: receiver.url });
    expect(answer.status).toBe(202);
    const { taskId } = (await answer.json()) as { taskId: string };
    await expect.poll(() => receiver.received.length).toBe(1);
    expect(receiver.received).toEqual([
      {
        id: `${taskId}-reply`,
        body: {
          type: 'reply',
          taskId,
          messageId: 'm1',
          status: 'completed',
          text: 'you said hi',
          result: { text: 'you said hi' },
        },
      },
    ]);
  });

  it('is sent again under the same key when the receiver cannot take it, as late as it asks for', async () => {
    await using channel = await aChannel();
    await using receiver = await startReceiver([[503, { 'retry-after': '1' }], 500, 200]);
    await post(urlOf(channel), 'm1', { text: 'hi', callback: receiver.url });
    await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBe(1);
    expect(new Set(receiver.asked).size).toBe(1);
    expect(receiver.asked).toHaveLength(3);
    await expect.poll(() => channel.counters).toMatchObject({ failed: 2, delivered: 1 });
  });

  it('is given up when the receiver will never take it, or leads elsewhere', async () => {
    await using channel = await aChannel();
    await using receiver = await startReceiver([410, [302, { location: 'http://127.0.0.1:1/' }]]);
    await post(urlOf(channel), 'm1', { text: 'hi', callback: receiver.url });
    await expect.poll(() => channel.counters.dead).toBe(1);
    await post(urlOf(channel), 'm2', { text: 'hi', callback: receiver.url });
    await expect.poll(() => channel.counters.dead).toBe(2);
    expect(receiver.asked).toHaveLength(2);
  });

  it('may be no reply at all: anybody may send a webhook out', async () => {
    await using channel = await aChannel();
    await using receiver = await startReceiver();
    await using client = gateway.client();
    await client.submit(`channel/${channel.name}`, { to: { url: receiver.url }, text: 'news' }, { taskId: 'news-1' });
    expect(receiver.received).toEqual([{ id: 'news-1', body: { type: 'message', text: 'news' } }]);
    const astray = client.submit(`channel/${channel.name}`, { to: { url: 'http://example.com/' }, text: 'news' });
    expect((await astray.outcome()).error?.code).toBe('ADDRESS_REFUSED');
    const wrong = client.submit(`channel/${channel.name}`, { to: 'somewhere', text: 'news' });
    expect((await wrong.outcome()).error?.code).toBe('PAYLOAD_INVALID');
  });
});

describe('a webhook channel that drains', () => {
  it('answers what it holds, takes nothing new, and lets go of its address', async () => {
    const channel = await aChannel({}, { webhookHoldMs: 10_000 });
    const url = urlOf(channel);
    const held = post(url, 'm1', { text: 'hi' });
    await held;
    await channel.drain();
    await expect(fetch(url, { method: 'POST' })).rejects.toThrow();
  });
});

describe('a webhook channel whose address is taken', () => {
  it('is degraded, says so, and opens once it is free', async () => {
    const first = await aChannel();
    const url = first.url ?? '';
    await using second = await aChannel(
      { listen: new URL(url).host },
      { channelReopenMinMs: 20, channelReopenMaxMs: 20 },
    );
    expect(second.trouble?.message).toContain('EADDRINUSE');
    await first.stop();
    await expect.poll(() => second.state).toBe('open');
    expect(second.url).toBe(url);
  });
});

describe('the secrets of a webhook channel', () => {
  it.each([
    ['nothing', ''],
    ['a comment alone', '# none yet'],
    ['too short', 'whsec_c2hvcnQ='],
    ['no base64', 'whsec_!!!'],
    ['too many', `${SECRET}\n`.repeat(9)],
  ])('cannot be %s', (_, secrets) => {
    expect(() => webhook({ secrets })).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });

  it.each(['nowhere', '127.0.0.1', '127.0.0.1:70000'])(
    'cannot be made to listen at %j, which is no address',
    (listen) => {
      expect(() => webhook({ secrets: SECRET, listen })).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
    },
  );
});

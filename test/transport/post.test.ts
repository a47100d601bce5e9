/** Messages over one link: gathered, held back, refused. */
import { describe, expect, it } from 'vitest';
import { createSimulatedClock } from '../../src/actors/world/simulated-clock.ts';
import { PincerError } from '../../src/protocol/failure.ts';
import { defaultLimits, type Limits } from '../../src/protocol/limits.ts';
import type { Message } from '../../src/protocol/message.ts';
import { decodeFrame, encodeFrame } from '../../src/transport/codec.ts';
import { Departures } from '../../src/transport/departures.ts';
import type { Link, LinkEvents } from '../../src/transport/link.ts';
import { createPostCounters, Post } from '../../src/transport/post.ts';

/** A post over a link that the test plays: what was sent, and how much of it waits. */
function posted(limits: Partial<Limits> = {}, beforeFlush: (ride: (message: Message) => void) => void = () => {}) {
  const clock = createSimulatedClock();
  const frames: Message[][] = [];
  const heard: { messages: Message[]; faults: string[]; flow: boolean[]; closed: [number, string][] } = {
    messages: [],
    faults: [],
    flow: [],
    closed: [],
  };
  let events: LinkEvents | null = null;
  const link = {
    remoteAddress: 'test',
    identity: { name: 'test' },
    bufferedBytes: 0,
    isOpen: true,
    isPaused: false,
    ended: null as string | null,
    attach(given: LinkEvents) {
      events = given;
    },
    send: (frame: Uint8Array) => void frames.push(decodeFrame(frame, defaultLimits) as Message[]),
    pause() {
      link.isPaused = true;
    },
    resume() {
      link.isPaused = false;
    },
    close(code: number, reason: string) {
      link.isOpen = false;
      link.ended = `${code} ${reason}`;
    },
    terminate() {
      link.isOpen = false;
      link.ended = 'cut';
    },
  };
  const counters = createPostCounters();
  const post: Post = new Post({
    link: link as Link,
    clock,
    limits: { ...defaultLimits, ...limits },
    departures: new Departures(clock),
    counters,
    events: {
      onMessages: (messages) => void heard.messages.push(...messages),
      onFault: (error: PincerError) => void heard.faults.push(error.code),
      onClose: (code, reason) => void heard.closed.push([code, reason]),
      onFlow: (isFull) => void heard.flow.push(isFull),
      beforeFlush: () => beforeFlush((message) => post.send(message)),
    },
  });
  const told = (): LinkEvents => events ?? expect.fail('the post attaches to its link');
  return {
    post,
    clock,
    link,
    frames,
    heard,
    counters,
    arrive: (messages: object[]) => told().onFrame(encodeFrame(messages)),
    drainTo(bytes: number) {
      link.bufferedBytes = bytes;
      told().onDrain?.();
    },
    closeLink: () => told().onClose(1006, ''),
  };
}

function ack(received: number): Message {
  return { type: 'ack', payload: { received } };
}

function progress(taskId: string, body: number): Message {
  return { type: 'task_progress', payload: { taskId, attempt: 1, payload: new Uint8Array([body]) } };
}

describe('a post', () => {
  it('gives its reason for closing in ASCII, with a hyphen for a dash', () => {
    const { post, link } = posted();
    post.close(new PincerError('MESSAGE_INVALID', 'the gateway’s id must be 1–64 letters, not é'));
    expect(link.ended).toMatch(/ MESSAGE_INVALID: the gateway's id must be 1-64 letters, not \?$/);
    const { post: other, link: its } = posted();
    other.close(new PincerError('MESSAGE_INVALID', 'x'.repeat(200)));
    expect(its.ended).toBe(`4400 MESSAGE_INVALID: ${'x'.repeat(103)}...`);
  });

  it('sends what was gathered during a turn as one frame', async () => {
    const { post, clock, frames } = posted();
    for (const received of [1, 2, 3]) post.send(ack(received));
    expect(frames).toEqual([]);
    await clock.runSoon();
    expect(frames).toEqual([[ack(1), ack(2), ack(3)]]);
  });

  it('has what may wait ride along with the next frame, and sends it alone within acknowledgeMs', async () => {
    const { post, clock, frames } = posted({ acknowledgeMs: 10 }, (ride) => ride(ack(7)));
    post.wakeLater();
    await clock.advance(4);
    expect(frames).toEqual([]);
    post.send(ack(1));
    await clock.runSoon();
    expect(frames).toEqual([[ack(1), ack(7)]]);
    post.wakeLater();
    await clock.advance(10);
    expect(frames).toEqual([[ack(1), ack(7)], [ack(7)]]);
    await clock.advance(100);
    expect([frames.length, clock.pending]).toEqual([2, 0]);
  });

  it('keeps an answer that may wait for what is sent next, in order, and sends it alone within acceptMs', async () => {
    const { post, clock, frames } = posted({ acceptMs: 2 });
    post.sendLater(ack(1));
    await clock.advance(0.5);
    post.sendLater(ack(2));
    await clock.advance(0.4);
    expect(frames).toEqual([]);
    post.send(ack(3));
    await clock.runSoon();
    expect(frames).toEqual([[ack(1), ack(2), ack(3)]]);
    post.sendLater(ack(4));
    await clock.advance(2);
    expect(frames.slice(1)).toEqual([[ack(4)]]);
    await clock.advance(100);
    expect([frames.length, clock.pending]).toEqual([2, 0]);
  });

  it('lets no answer wait for a while after one that has waited in vain', async () => {
    const { post, clock, frames } = posted({ acceptMs: 2 });
    post.sendLater(ack(0));
    await clock.advance(2);
    expect(frames).toHaveLength(1);
    for (let received = 1; received <= 64; received += 1) {
      post.sendLater(ack(received));
      await clock.runSoon();
      expect(frames).toHaveLength(received + 1);
    }
    post.sendLater(ack(65));
    await clock.runSoon();
    expect(frames).toHaveLength(65);
    post.send(ack(66));
    await clock.runSoon();
    expect(frames.at(-1)).toEqual([ack(65), ack(66)]);
    // That was not in vain.
    post.sendLater(ack(67));
    await clock.runSoon();
    expect(frames).toHaveLength(66);
  });

  it('says an answer that waits before it closes, and drops one for a link that has gone', async () => {
    const { post, clock, frames, link, closeLink } = posted();
    post.sendLater(ack(1));
    post.close(new PincerError('STOPPED', 'over'));
    expect(frames).toEqual([[ack(1)]]);
    closeLink();
    link.isOpen = false;
    post.sendLater(ack(2));
    await clock.advance(100);
    expect([frames.length, clock.pending]).toEqual([1, 0]);
  });

  it('lets nothing wait where acknowledgeMs or acceptMs is 0', async () => {
    const { post, clock, frames } = posted({ acknowledgeMs: 0 }, (ride) => ride(ack(7)));
    post.wakeLater();
    await clock.runSoon();
    expect(frames).toEqual([[ack(7)]]);
    const answering = posted({ acceptMs: 0 });
    answering.post.sendLater(ack(1));
    await answering.clock.runSoon();
    expect(answering.frames).toEqual([[ack(1)]]);
  });

  it('says what may wait before it closes, and waits for nothing after the link has gone', async () => {
    const closing = posted({}, (ride) => ride(ack(7)));
    closing.post.wakeLater();
    closing.post.close(new PincerError('STOPPED', 'over'));
    expect(closing.frames).toEqual([[ack(7)]]);
    for (const isTurnOver of [false, true]) {
      const gone = posted();
      gone.post.wakeLater();
      gone.post.sendLater(ack(1));
      if (isTurnOver) await gone.clock.runSoon();
      gone.link.isOpen = false;
      gone.closeLink();
      await gone.clock.runSoon();
      expect(gone.clock.pending).toBe(0);
    }
  });

  it('begins a new frame when one is full', async () => {
    const { post, clock, frames } = posted({ messagesPerFrameMax: 2 });
    for (const received of [1, 2, 3]) post.send(ack(received));
    await clock.runSoon();
    expect(frames.map((frame) => frame.length)).toEqual([2, 1]);
  });

  it('holds back progress while the link is full and sends the latest of each attempt after, none lost', async () => {
    const { post, clock, frames, heard, counters, link, drainTo } = posted();
    link.bufferedBytes = defaultLimits.sendBytesHigh + 1;
    post.send(ack(0));
    await clock.runSoon();
    expect(post.isFull).toBe(true);
    for (const [taskId, body] of [
      ['a', 1],
      ['b', 1],
      ['a', 2],
      ['a', 3],
    ] as const)
      post.send(progress(taskId, body));
    post.send(ack(1));
    await clock.runSoon();
    expect(frames.slice(1)).toEqual([[ack(1)]]);
    drainTo(0);
    await clock.runSoon();
    expect(frames.at(-1)).toEqual([progress('a', 3), progress('b', 1)]);
    expect([heard.flow, counters.progressConflated]).toEqual([[true, false], 2]);
  });

  it('cuts a peer that has not drained for long, and one that lets too much wait', async () => {
    const stalled = posted();
    stalled.link.bufferedBytes = defaultLimits.sendBytesHigh + 1;
    stalled.post.send(ack(0));
    await stalled.clock.advance(defaultLimits.sendStallMs + 1);
    expect([stalled.heard.faults, stalled.link.ended]).toEqual([['SLOW_CONSUMER'], 'cut']);
    const flooded = posted();
    flooded.link.bufferedBytes = defaultLimits.sendBytesMax + 1;
    flooded.post.send(ack(0));
    await flooded.clock.runSoon();
    // What the socket still says of it after that is no second fault.
    flooded.drainTo(defaultLimits.sendBytesMax + 1);
    expect([flooded.heard.faults, flooded.link.ended]).toEqual([['SLOW_CONSUMER'], 'cut']);
  });

  it('does not cut a slow peer that gets on, until it does not', async () => {
    const { post, clock, link, heard } = posted();
    link.bufferedBytes = defaultLimits.sendBytesHigh * 4;
    post.send(ack(0));
    for (let n = 1; n <= 3; n += 1) {
      await clock.advance(defaultLimits.sendStallMs - 1);
      link.bufferedBytes -= 1_000;
    }
    expect(heard.faults).toEqual([]);
    await clock.advance(2 * defaultLimits.sendStallMs);
    expect(heard.faults).toEqual(['SLOW_CONSUMER']);
  });

  it('has nothing against a peer that has drained, and says what was held back once', async () => {
    const { post, clock, frames, link, heard, drainTo } = posted();
    for (const body of [1, 2]) {
      link.bufferedBytes = defaultLimits.sendBytesHigh + 1;
      post.send(ack(body));
      await clock.runSoon();
      post.send(progress('a', body));
      drainTo(0);
      await clock.advance(3 * defaultLimits.sendStallMs);
    }
    expect(frames).toEqual([[ack(1)], [progress('a', 1)], [ack(2)], [progress('a', 2)]]);
    expect([heard.faults, heard.flow, clock.pending]).toEqual([[], [true, false, true, false], 0]);
  });

  it('is full still if what was held back fills the link again', async () => {
    const { post, clock, link, heard, drainTo } = posted({ sendBytesLow: 1_000, sendBytesHigh: 2_000 });
    link.bufferedBytes = 2_001;
    post.send(ack(0));
    await clock.runSoon();
    const payload = new Uint8Array(1_500);
    for (const taskId of ['a', 'b']) post.send({ type: 'task_progress', payload: { taskId, attempt: 1, payload } });
    const send = link.send;
    link.send = (frame) => {
      link.bufferedBytes += frame.byteLength * 2;
      send(frame);
    };
    drainTo(0);
    expect([post.isFull, heard.flow]).toEqual([true, [true, true]]);
  });

  it('does not let much wait for the end of the turn, and sends nothing over a link that has gone', async () => {
    const { post, clock, frames, link } = posted({ sendBytesLow: 1_000 });
    const much: Message = {
      type: 'task_progress',
      payload: { taskId: 'a', attempt: 1, payload: new Uint8Array(1_000) },
    };
    post.send(much);
    expect(frames).toEqual([[much]]);
    post.send(ack(1));
    link.isOpen = false;
    post.send(ack(2));
    await clock.runSoon();
    expect(frames).toHaveLength(1);
  });

  it('says nothing more of a peer that it has said goodbye to while that did not drain', async () => {
    const { post, clock, frames, link, heard } = posted();
    link.bufferedBytes = defaultLimits.sendBytesHigh + 1;
    post.send(ack(0));
    await clock.runSoon();
    post.send(ack(1));
    post.end();
    await clock.advance(defaultLimits.sendStallMs + 1);
    expect([frames, heard.faults, link.ended]).toEqual([[[ack(0)], [ack(1)]], [], '1000 ']);
  });

  it('hands up the messages of each frame in order, and counts what came and what went', async () => {
    const { post, clock, heard, counters, arrive } = posted();
    await clock.advance(5);
    arrive([ack(1), ack(2)]);
    arrive([ack(3)]);
    await clock.advance(5);
    post.send(ack(4));
    await clock.runSoon();
    expect([post.lastHeardAt, post.lastSentAt]).toEqual([clock.now() - 5, clock.now()]);
    expect(heard.messages).toEqual([ack(1), ack(2), ack(3)]);
    const [one, other] = [encodeFrame([ack(1), ack(2)]), encodeFrame([ack(3)])];
    expect(counters).toEqual({
      framesIn: 2,
      messagesIn: 3,
      bytesIn: one.byteLength + other.byteLength,
      framesOut: 1,
      messagesOut: 1,
      bytesOut: encodeFrame([ack(4)]).byteLength,
      progressConflated: 0,
    });
  });

  it('closes with a code and a reason on what it cannot read, and hears no more', () => {
    const { link, heard, arrive } = posted();
    arrive([{ type: 'nonsense', payload: {} }]);
    arrive([ack(1)]);
    expect(heard).toMatchObject({ faults: ['MESSAGE_INVALID'], messages: [] });
    expect(link.ended).toMatch(/^4400 MESSAGE_INVALID: type is not a message type/);
  });

  it('stops reading from a peer that sends too much, for as long as that takes', async () => {
    const { clock, link, arrive } = posted({ framesPerSecondMax: 10 });
    for (let n = 0; n < 10; n += 1) arrive([ack(n)]);
    expect(link.isPaused).toBe(false);
    for (let n = 0; n < 2; n += 1) arrive([ack(n)]);
    expect(link.isPaused).toBe(true);
    await clock.advance(1_000);
    expect(link.isPaused).toBe(false);
  });

  it('leaves no timer behind when its link is closed (#62)', async () => {
    const { post, clock, link, heard, arrive, closeLink } = posted({ framesPerSecondMax: 1 });
    link.bufferedBytes = defaultLimits.sendBytesHigh + 1;
    post.send(ack(0));
    for (let n = 0; n < 5; n += 1) arrive([ack(n)]);
    await clock.runSoon();
    expect(clock.pending).toBeGreaterThan(0);
    closeLink();
    expect([clock.pending, heard.closed]).toEqual([0, [[1006, '']]]);
  });
});

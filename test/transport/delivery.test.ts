/** Reliable delivery over links that break: numbered, kept until acknowledged, replayed, never applied twice. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PincerError } from '../../src/protocol/failure.ts';
import type { Message, Payload } from '../../src/protocol/message.ts';
import { Delivery } from '../../src/transport/delivery.ts';
import type { Post } from '../../src/transport/post.ts';

const LIMITS = { unacknowledgedMax: 100, unacknowledgedBytesMax: 1_000, acknowledgeMax: 10 };
const REF = { attempt: 1 };

/** A link’s end that keeps what is sent over it, and how it was woken. It is full with as many messages as are said. */
function fakePost(fullWith = Number.POSITIVE_INFINITY): {
  post: Post;
  sent: Message[];
  /** The numbers of those that may wait for company. */
  late: (number | undefined)[];
  woken: ('now' | 'later')[];
  isFull: boolean;
} {
  const fake = {
    sent: [] as Message[],
    late: [] as (number | undefined)[],
    woken: [] as ('now' | 'later')[],
    isFull: false,
    post: null as unknown as Post,
  };
  fake.post = {
    send: (message: Message) => {
      fake.sent.push(message);
      if (fake.sent.length === fullWith) fake.isFull = true;
    },
    sendLater: (message: Message) => {
      fake.sent.push(message);
      fake.late.push(message.id);
    },
    wake: () => void fake.woken.push('now'),
    wakeLater: () => void fake.woken.push('later'),
    get isFull() {
      return fake.isFull;
    },
  } as unknown as Post;
  return fake;
}

function attached(limits = LIMITS): ReturnType<typeof fakePost> & { delivery: Delivery } {
  const fake = fakePost();
  const delivery = new Delivery(limits);
  delivery.attach(fake.post, 0);
  return Object.assign(fake, { delivery });
}

function started(id: number, taskId = `t-${id}`): Message {
  return { type: 'task_started', id, payload: { taskId, ...REF } };
}

function ack(received: number): Message {
  return { type: 'ack', payload: { received } };
}

describe('a sender', () => {
  it('numbers reliable messages from 1, keeps them until acknowledged, and tells when', () => {
    const { delivery, sent } = attached();
    const told: number[] = [];
    for (const n of [1, 2])
      delivery.send('task_started', { taskId: 't', ...REF }, { onAcknowledged: () => told.push(n) });
    expect(delivery.send('ack', { received: 0 })).toBe(0);
    expect(sent.map(({ id }) => id)).toEqual([1, 2, undefined]);
    delivery.accept([ack(1)]);
    expect([told, delivery.unacknowledged]).toEqual([[1], 1]);
    delivery.accept([ack(1), ack(99)]);
    expect([told, delivery.unacknowledged]).toEqual([[1, 2], 0]);
  });

  it('replays over a new link what the peer has not, and drops what was unreliable', () => {
    const { delivery } = attached();
    for (let n = 0; n < 3; n += 1) delivery.send('task_started', { taskId: 't', ...REF });
    delivery.detach();
    delivery.send('task_started', { taskId: 'while away', ...REF });
    delivery.send('goodbye', { code: 'STOPPED', message: '' });
    const { post, sent } = fakePost();
    delivery.attach(post, 2);
    expect(sent.map(({ id }) => id)).toEqual([3, 4]);
  });

  it('replays what is left of many in order, wherever its peer has got to', () => {
    const { delivery } = attached({ ...LIMITS, unacknowledgedMax: 10_000 });
    const told: number[] = [];
    for (let n = 1; n <= 5_000; n += 1) {
      delivery.send('task_started', { taskId: 't', ...REF }, { onAcknowledged: () => told.push(n) });
      if (n % 700 === 0) delivery.accept([ack(n - 600)]);
    }
    for (const received of [4_300, 4_301, 4_999]) {
      const { post, sent } = fakePost();
      delivery.attach(post, received);
      expect(sent.map(({ id }) => id)).toEqual(Array.from({ length: 5_000 - received }, (_, at) => received + at + 1));
    }
    delivery.accept([ack(5_000)]);
    expect(told).toEqual(Array.from({ length: 5_000 }, (_, at) => at + 1));
  });

  it('does nothing without a link but keep what is reliable, though it is asked to', () => {
    const { delivery } = attached();
    for (const message of delivery.accept([started(1)])) delivery.done(message);
    delivery.detach();
    delivery.send('task_started', { taskId: 't', ...REF });
    delivery.letThrough();
    for (const now of [0, 50]) delivery.replayIfStalled(now, 10);
    delivery.flushAck();
    const { post, sent } = fakePost();
    delivery.attach(post, 0);
    expect(sent.map(({ type, id }) => [type, id])).toEqual([['task_started', 1]]);
  });

  it('says of a message that it may wait for company, and keeps their order', () => {
    const { delivery, sent, late } = attached();
    for (const mayWait of [true, false, true]) delivery.send('delivered', { count: 1 }, { mayWait });
    expect([sent.map(({ id }) => id), late]).toEqual([
      [1, 2, 3],
      [1, 3],
    ]);
  });

  it('replays on the link it has when nothing has been acknowledged for long, and not before', () => {
    const { delivery, sent } = attached();
    delivery.replayIfStalled(0, 10);
    delivery.send('task_started', { taskId: 't', ...REF });
    for (const now of [5, 14]) delivery.replayIfStalled(now, 10);
    expect(sent).toHaveLength(1);
    delivery.replayIfStalled(15, 10);
    expect(sent.map(({ id }) => id)).toEqual([1, 1]);
    delivery.replayIfStalled(20, 10);
    delivery.accept([ack(1)]);
    delivery.replayIfStalled(99, 10);
    expect(sent).toHaveLength(2);
  });

  it('replays nothing to a peer that does not drain', () => {
    const fake = attached();
    fake.delivery.send('task_started', { taskId: 't', ...REF });
    fake.delivery.replayIfStalled(0, 10);
    fake.isFull = true;
    fake.delivery.replayIfStalled(50, 10);
    expect(fake.sent).toHaveLength(1);
  });

  it('hands over nothing more while the peer does not drain, and the rest in order when it does', () => {
    const fake = attached();
    const { delivery, sent } = fake;
    const say = (taskId: string) => delivery.send('task_started', { taskId, ...REF });
    say('first');
    fake.isFull = true;
    expect([say('waits'), say('waits too')]).toEqual([2, 3]);
    delivery.send('ack', { received: 0 });
    expect(sent.map(({ id }) => id)).toEqual([1, undefined]);
    fake.isFull = false;
    say('may go, but behind those');
    delivery.accept([ack(1)]);
    expect(sent).toHaveLength(2);
    delivery.letThrough();
    say('last');
    delivery.letThrough();
    expect(sent.slice(2).map(({ id }) => id)).toEqual([2, 3, 4, 5]);
  });

  it('replays over a new link no more than its peer takes, and the rest when it drains', () => {
    const { delivery } = attached();
    for (let n = 0; n < 5; n += 1) delivery.send('task_started', { taskId: 't', ...REF });
    delivery.detach();
    delivery.letThrough();
    const fake = fakePost(3);
    delivery.attach(fake.post, 1);
    expect(fake.sent.map(({ id }) => id)).toEqual([2, 3, 4]);
    delivery.accept([ack(3)]);
    fake.isFull = false;
    delivery.letThrough();
    expect(fake.sent.map(({ id }) => id)).toEqual([2, 3, 4, 5]);
  });

  it('is not misled by a peer that acknowledges what it was not sent', () => {
    const fake = attached();
    const { delivery, sent } = fake;
    fake.isFull = true;
    for (let n = 0; n < 3; n += 1) delivery.send('task_started', { taskId: 't', ...REF });
    delivery.accept([ack(2)]);
    fake.isFull = false;
    delivery.letThrough();
    delivery.send('task_started', { taskId: 't', ...REF });
    expect([sent.map(({ id }) => id), delivery.unacknowledged]).toEqual([[3, 4], 2]);
  });

  it('keeps no more than it may', () => {
    const { delivery } = attached();
    for (let n = 0; n < 100; n += 1) delivery.send('task_started', { taskId: 't', ...REF });
    expect(() => delivery.send('task_started', { taskId: 't', ...REF })).toThrow(PincerError);
    expect(delivery.send('ack', { received: 0 })).toBe(0);
    expect(delivery.unacknowledged).toBe(100);
    delivery.accept([ack(1)]);
    expect(delivery.send('task_started', { taskId: 't', ...REF })).toBe(101);
  });

  it('says of what was never acknowledged that it never will be, once the session ends', () => {
    const { delivery } = attached();
    const told: string[] = [];
    for (const name of ['a', 'b']) {
      const ends = {
        onAcknowledged: () => told.push(`${name} has it`),
        onAbandoned: () => told.push(`${name} has not`),
      };
      delivery.send('task_started', { taskId: name, ...REF }, ends);
    }
    delivery.accept([ack(1)]);
    delivery.end();
    delivery.end();
    expect(told).toEqual(['a has it', 'b has not']);
    expect([delivery.unacknowledged, delivery.isAttached]).toEqual([0, false]);
  });
});

describe('a receiver', () => {
  it('takes each number once and in order', () => {
    const { delivery } = attached();
    expect(delivery.accept([started(1), started(2)]).map(({ id }) => id)).toEqual([1, 2]);
    expect(delivery.accept([started(2), started(3)]).map(({ id }) => id)).toEqual([3]);
    expect(delivery.duplicates).toBe(1);
  });

  it('takes what has no number as often as it comes, and owes nothing for it', () => {
    const { delivery, sent, woken } = attached();
    const goodbye: Message = { type: 'goodbye', payload: { code: 'STOPPED', message: '' } };
    const fresh = delivery.accept([goodbye, started(1), goodbye]);
    expect(fresh).toEqual([goodbye, started(1), goodbye]);
    for (const message of fresh) if (message === goodbye) delivery.done(message);
    delivery.flushAck();
    expect([sent, woken]).toEqual([[], []]);
  });

  it('finds a gap, and of a frame with a gap nothing counts as received', () => {
    const { delivery } = attached();
    expect(() => delivery.accept([started(1), started(3)])).toThrow(/message 3 came after 1/);
    expect(delivery.accept([started(1), started(2), started(3)]).map(({ id }) => id)).toEqual([1, 2, 3]);
  });

  it('acknowledges what has been dealt with, up to the first that has not', () => {
    const { delivery, sent } = attached();
    const [one, two, three] = delivery.accept([started(1), started(2), started(3)]);
    if (one === undefined || two === undefined || three === undefined) throw new Error('three messages were sent');
    delivery.done(two);
    delivery.done(three);
    expect(delivery.received).toBe(0);
    delivery.done(one);
    delivery.flushAck();
    delivery.flushAck();
    expect([delivery.received, sent]).toEqual([3, [ack(3)]]);
  });

  it('acknowledges once more what is said once more, at once', () => {
    const { delivery, sent, woken } = attached();
    for (const message of delivery.accept([started(1)])) delivery.done(message);
    delivery.flushAck();
    delivery.accept([started(1)]);
    delivery.flushAck();
    expect([sent, woken]).toEqual([
      [ack(1), ack(1)],
      ['later', 'now'],
    ]);
  });

  it('lets an acknowledgement wait, unless it is for a message of another peer', () => {
    const { delivery, woken } = attached();
    const payload = { body: new Uint8Array(), reliable: true };
    const messages: Message[] = [
      started(1),
      { type: 'direct', id: 2, from: 'other', payload },
      started(3),
      { type: 'broadcast', id: 4, from: 'other', payload },
    ];
    for (const message of delivery.accept(messages)) delivery.done(message);
    expect(woken).toEqual(['later', 'now', 'later', 'now']);
  });

  it('lets no more acknowledgements wait than it may', () => {
    const { delivery, woken } = attached();
    const messages = Array.from({ length: LIMITS.acknowledgeMax + 1 }, (_, index) => started(index + 1));
    for (const message of delivery.accept(messages.slice(0, -1))) delivery.done(message);
    expect(woken.map((how) => how === 'now')).toEqual([...Array(LIMITS.acknowledgeMax - 1).fill(false), true]);
    delivery.flushAck();
    for (const message of delivery.accept(messages.slice(-1))) delivery.done(message);
    expect(woken.at(-1)).toBe('later');
  });
});

describe('what is kept for a peer', () => {
  const settled = (bytes: number): Payload<'task_settled'> => {
    const outcome = { taskId: 'task', status: 'completed', attempts: 1, queuedMs: 0, runMs: 0 } as const;
    return { ...outcome, result: new Uint8Array(bytes) };
  };

  it('is much from a limit of bytes on, until half of them are acknowledged', () => {
    const { delivery } = attached();
    let lighter = 0;
    delivery.onLight = () => {
      lighter += 1;
    };
    delivery.send('task_settled', settled(400));
    delivery.send('answer', { what: 'task', result: new Uint8Array(400) });
    delivery.send('answer', { what: 'stats' });
    expect(delivery.isLaden).toBe(false);
    delivery.send('direct', { body: new Uint8Array(400) });
    expect(delivery.isLaden).toBe(true);
    delivery.accept([ack(1)]);
    expect([delivery.isLaden, lighter]).toEqual([true, 0]);
    delivery.accept([ack(2)]);
    expect([delivery.isLaden, lighter]).toEqual([false, 1]);
    delivery.accept([ack(4)]);
    expect(lighter).toBe(1);
  });

  it('is nothing any more when the session has ended', () => {
    const { delivery } = attached();
    delivery.send('task_settled', settled(1_000));
    expect(delivery.isLaden).toBe(true);
    delivery.end();
    expect(delivery.isLaden).toBe(false);
  });
});

describe('whatever is lost, doubled or cut', () => {
  it('each message arrives exactly once, in order', () => {
    const moves = fc.array(fc.constantFrom('send', 'carry', 'lose', 'double', 'cut', 'ack', 'stall'), {
      maxLength: 120,
    });
    fc.assert(
      fc.property(moves, (script) => {
        const [near, far] = [new Delivery(LIMITS), new Delivery(LIMITS)];
        let link = fakePost();
        let now = 0;
        const got: string[] = [];
        const resume = (): void => {
          link = fakePost();
          near.attach(link.post, far.received);
        };
        const carry = (messages: readonly Message[]): void => {
          try {
            for (const message of far.accept(messages)) {
              if (message.type === 'task_started') got.push(message.payload.taskId);
              far.done(message);
            }
          } catch {
            resume();
          }
        };
        near.attach(link.post, 0);
        let sent = 0;
        for (const move of script) {
          now += 10;
          if (move === 'send') {
            sent += 1;
            near.send('task_started', { taskId: `t-${sent}`, ...REF });
          } else if (move === 'carry') carry(link.sent.splice(0));
          else if (move === 'lose') link.sent.splice(0, 1);
          else if (move === 'double') link.sent.push(...link.sent.slice(-1));
          else if (move === 'cut') resume();
          else if (move === 'ack') near.accept([ack(far.received)]);
          else near.replayIfStalled(now, 10);
        }
        resume();
        carry(link.sent);
        expect(got).toEqual(Array.from({ length: sent }, (_, index) => `t-${index + 1}`));
      }),
    );
  });
});

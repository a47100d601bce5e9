/** Reading in one pass against preflight, msgpackr and the schemas: what it reads is what they make of it, and no more. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { type Message, parseMessage } from '../../src/protocol/message.ts';
import { decodeFrame, encodeFrame, type FrameLimits } from '../../src/transport/codec.ts';
import { readFrame } from '../../src/transport/frame-reader.ts';
import { hostileFrames } from '../support/hostile-frames.ts';

const PLAIN = { noNullPrototype: true } as const;
const id = fc.stringMatching(/^[A-Za-z0-9._:-]{1,64}$/);
const type = fc.stringMatching(/^[A-Za-z0-9._:/-]{1,128}$/);
const number = fc.oneof(fc.integer({ min: 1, max: 2 ** 31 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
const attempt = fc.integer({ min: 1, max: 2 ** 31 });
const span = fc.oneof(fc.double({ min: 0, max: Number.MAX_SAFE_INTEGER, noNaN: true }), fc.nat());
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.constantFrom(new Uint8Array(255), new Uint8Array(70_000)),
);
const priority = fc.integer({ min: 1, max: 10 });
const timeout = fc.integer({ min: 1, max: defaultLimits.taskTimeoutMsMax });

/** Each message as Pincer writes it. */
const usual = fc.oneof(
  message('task_submit', { taskId: id, type, payload, priority, timeout }),
  message(
    'task_accepted',
    { taskId: id, created: fc.boolean(), status: fc.constantFrom('pending', 'completed') },
    { re: number },
  ),
  message('task_assign', { taskId: id, attempt, type, payload, priority, timeout }),
  message('task_started', { taskId: id, attempt }),
  message('task_result', { taskId: id, attempt, status: fc.constant('success'), duration: span, result: payload }),
  message('task_result', { taskId: id, attempt, status: fc.constant('success'), result: payload, duration: span }),
  message('task_settled', {
    taskId: id,
    status: fc.constant('completed'),
    result: payload,
    node: id,
    attempts: fc.integer({ min: 0, max: 1_000 }),
    queuedMs: span,
    runMs: span,
  }),
  fc.record({ type: fc.constant('ack'), payload: fc.record({ received: fc.nat() }) }),
);

/** What they may hold that is unusual or wrong, in the same order of fields. */
const unusual = fc.tuple(usual, fc.nat(), fc.anything({ withTypedArray: false })).map(([right, at, value]) => {
  const wrong = structuredClone(right) as unknown as { payload: Record<string, unknown> };
  const fields = Object.keys(wrong.payload);
  wrong.payload[fields[at % fields.length] ?? ''] = value;
  return wrong as object;
});

const frame = fc.array(usual, { minLength: 1, maxLength: 8 }).map((messages) => encodeFrame(messages));

describe('a frame of what is sent for every task', () => {
  it('is read in one pass, and as preflight, decoder and schemas read it', () => {
    fc.assert(
      fc.property(frame, (bytes) => {
        expect(readFrame(bytes, defaultLimits)).not.toBeNull();
        agrees(bytes, defaultLimits);
      }),
    );
  });

  it('is read alike when bytes of it are changed, taken away and added', () => {
    const change = fc.record({
      at: fc.nat(),
      how: fc.constantFrom('set', 'cut', 'insert', 'end'),
      to: fc.oneof(fc.constantFrom(0xc0, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd9, 0xc4, 0x80, 0x90), fc.nat(255)),
    });
    const changes = fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(frame, changes, (bytes, ways) => {
        for (const way of ways) agrees(way.reduce(changed, Uint8Array.from(bytes)), defaultLimits);
      }),
    );
  });

  it('is read alike when its fields hold something else', () => {
    const some = fc.array(fc.oneof(usual, unusual), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(some, (messages) => {
        let bytes: Uint8Array;
        try {
          bytes = encodeFrame(messages);
        } catch {
          return; // No msgpack can say it.
        }
        agrees(bytes, defaultLimits);
      }),
      { numRuns: 500 },
    );
  });

  it('is read alike within tight limits', () => {
    const limits = fc.record({
      frameDepthMax: fc.integer({ min: 1, max: 4 }),
      frameItemsMax: fc.integer({ min: 1, max: 60 }),
      keyBytesMax: fc.integer({ min: 2, max: 9 }),
      frameBytesMax: fc.integer({ min: 10, max: 500 }),
      messagesPerFrameMax: fc.integer({ min: 1, max: 5 }),
    });
    fc.assert(
      fc.property(frame, limits, (bytes, tight) => agrees(bytes, tight)),
      { numRuns: 200 },
    );
  });

  it('refers to the frame for its bytes, and to nothing else', () => {
    const result = new Uint8Array([1, 2, 3]);
    const bytes = encodeFrame([
      { type: 'task_result', id: 1, payload: { taskId: 't', attempt: 1, status: 'success', duration: 1, result } },
    ]);
    const [read] = readFrame(bytes, defaultLimits) ?? [];
    expect(read?.type === 'task_result' && read.payload.result?.buffer).toBe(bytes.buffer);
  });
});

it.each(hostileFrames().map(({ name, bytes }) => [name, bytes] as const))('nothing is read of %s', (_, bytes) => {
  agrees(bytes, defaultLimits);
});

/** What is read in one pass, if it is, is what is read in three. */
function agrees(bytes: Uint8Array, limits: FrameLimits): void {
  const read = readFrame(bytes, limits);
  // Not `toStrictEqual`, which compares the whole frame that each of the bytes in it is a view of.
  if (read !== null)
    expect(isDeepStrictEqual(read, readSlowly(bytes, limits)), Buffer.from(bytes).toString('hex')).toBe(true);
}

function readSlowly(bytes: Uint8Array, limits: FrameLimits): Message[] {
  return decodeFrame(bytes, limits).map(parseMessage);
}

function changed(bytes: Uint8Array, change: { at: number; how: string; to: number }): Uint8Array {
  const { how, to } = change;
  const at = change.at % (bytes.length + 1);
  const rest = how === 'end' ? [] : bytes.subarray(how === 'insert' ? at : at + 1);
  return Buffer.concat([
    bytes.subarray(0, at),
    Uint8Array.from(how === 'set' || how === 'insert' ? [to] : []),
    Uint8Array.from(rest),
  ]);
}

function message(
  type: string,
  payload: Record<string, fc.Arbitrary<unknown>>,
  envelope: Record<string, fc.Arbitrary<unknown>> = {},
) {
  // In this order: `fast-check` gives the fields in that of the model.
  return fc.record({ type: fc.constant(type), id: number, ...envelope, payload: fc.record(payload, PLAIN) }, PLAIN);
}

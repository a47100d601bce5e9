/** Frames as they are written, beside what msgpackr makes of the same messages; and where one frame ends and the next begins. */

import { Decoder } from '@msgpack/msgpack';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import type { Message } from '../../src/protocol/message.ts';
import { FrameWriter, type FrameWriterLimits } from '../../src/transport/frame-writer.ts';
import { PLAIN_MSGPACK } from '../../src/transport/msgpack.ts';
import { usualBytes } from '../../src/transport/usual-messages.ts';

const NONE: FrameWriterLimits = { frameBytesTarget: 1e9, messagesPerFrameMax: 1e9 };
const packr = new Packr({ ...PLAIN_MSGPACK });

const text = fc.oneof(fc.string({ maxLength: 80 }), fc.string({ unit: 'grapheme', maxLength: 40 }), fc.uuid());
const number = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.constantFrom(-0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, -1, -33, -(2 ** 31)),
);
const bytes = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(new Uint8Array(255), new Uint8Array(70_000)));
const leaf = fc.oneof(text, number, bytes, fc.boolean(), fc.constantFrom(null, undefined, new Date(1_700_000_000_123)));
const key = fc.oneof(fc.stringMatching(/^[a-z]\w{0,40}$/), fc.string({ maxLength: 70 }));
const map = fc.dictionary(
  key,
  fc.oneof(leaf, fc.array(leaf, { maxLength: 4 }), fc.dictionary(key, leaf, { maxKeys: 20, noNullPrototype: true })),
  { maxKeys: 20, noNullPrototype: true },
);

describe('a written frame', () => {
  it('is byte by byte what msgpackr makes of its messages', () => {
    fc.assert(
      fc.property(fc.array(map, { minLength: 1, maxLength: 40 }), (messages) => {
        const [frame, ...more] = written(messages);
        expect(more).toEqual([]);
        expect(hex(frame)).toBe(hex(packr.pack(messages)));
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([5, 31, 63, 64, 70, 300, 3_000])('has whole characters only, in a text of %i', (length) => {
    const text = `${'x'.repeat(length - 1)}\ud83d`;
    const [frame] = written([{ type: 'goodbye', [text]: text }]);
    const strict = new Decoder({ rawStrings: true }).decode(frame as Uint8Array) as Record<string, unknown>[];
    const mended = `${'x'.repeat(length - 1)}\ufffd`;
    expect(hex(strict[0]?.[mended] as Uint8Array)).toBe(hex(Buffer.from(mended)));
  });

  it('has the usual messages byte by byte as any other way to write them, whatever field they lack or have beside', () => {
    const whole = fc.oneof(
      { weight: 9, arbitrary: fc.oneof(fc.nat(), fc.maxSafeInteger().map(Math.abs)) },
      odd(number),
    );
    const words = fc.oneof(
      { weight: 9, arbitrary: fc.oneof(fc.uuid(), fc.string({ size: 'max', maxLength: 40 })) },
      odd(fc.oneof(text, fc.string({ size: 'max', minLength: 250, maxLength: 300 }))),
    );
    const [taskId, type, status, node] = [words, words, words, words];
    const payload = bytes;
    const bodies: Readonly<Record<string, fc.Arbitrary<object>>> = {
      task_submit: fc.record({ taskId, type, payload, priority: whole, timeout: whole }),
      task_assign: fc.record({ taskId, attempt: whole, type, payload, priority: whole, timeout: whole }),
      task_accepted: fc.record({ taskId, created: fc.boolean(), status }),
      task_result: fc.record({ taskId, attempt: whole, status, duration: whole, result: payload }),
      task_settled: fc.record({
        taskId,
        status,
        result: payload,
        node,
        attempts: whole,
        queuedMs: whole,
        runMs: whole,
      }),
    };
    const kinds = fc.constantFrom(...Object.keys(bodies));
    const seldom = <Value>(value: fc.Arbitrary<Value>) =>
      fc.oneof({ weight: 19, arbitrary: fc.constant(undefined) }, odd(value));
    const message = fc
      .tuple(kinds, seldom(fc.oneof(kinds, fc.constant('ack'))))
      .chain(([kind, other]) =>
        fc.record({
          type: fc.constant(other ?? kind),
          id: whole,
          re: kind === 'task_accepted' ? whole : seldom(whole),
          from: seldom(text),
          payload: fc
            .tuple(bodies[kind] as fc.Arbitrary<object>, seldom(fc.boolean()))
            .map(([body, watch]) => ({ ...body, watch, error: undefined })),
        }),
      )
      .map((each) => each as unknown as Message);
    let usual = 0;
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 10 }), (messages) => {
        const writer = new FrameWriter(NONE);
        for (const each of messages) {
          writer.addMessage(each);
          if (usualBytes(each) > 0) usual += 1;
        }
        expect(hex(writer.take()[0]?.bytes)).toBe(hex(packr.pack(messages)));
      }),
      { numRuns: 1_000 },
    );
    expect(usual).toBeGreaterThan(1_000);
  });

  it('has texts, bytes and maps of every size as msgpackr has them', () => {
    const sizes = [...Array.from({ length: 70 }, (_, size) => size), 255, 256, 257, 65_535, 65_536];
    for (const size of sizes) {
      const letters = 'x'.repeat(size);
      const fields = Object.fromEntries(
        Array.from({ length: Math.min(size, 300) }, (_, field) => [`f${field}`, field]),
      );
      const messages = [
        { letters, bytes: new Uint8Array(size).fill(7), fields, [letters]: 1, ...fields },
        { id: size },
      ];
      expect(hex(written(messages)[0]), `of ${size}`).toBe(hex(packr.pack(messages)));
      const payload = { taskId: letters, created: true, status: 'pending' };
      const accepted = { type: 'task_accepted', id: 1, re: 2, payload } as Message;
      const writer = new FrameWriter(NONE);
      writer.addMessage(accepted);
      expect(hex(writer.take()[0]?.bytes), `of ${size}`).toBe(hex(packr.pack([accepted])));
    }
  });

  it('keeps its bytes while others are written', () => {
    const writer = new FrameWriter(NONE);
    writer.add({ type: 'first', payload: new Uint8Array(100).fill(7) });
    const [first] = writer.take();
    const before = hex(first?.bytes);
    for (let index = 0; index < 1_000; index += 1) {
      writer.add({ type: 'ack', filler: 'y'.repeat(index) });
      writer.take();
    }
    expect(hex(first?.bytes)).toBe(before);
  });

  it('does not refer to the bytes that it was given', () => {
    const payload = new Uint8Array([1, 2, 3]);
    const writer = new FrameWriter(NONE);
    writer.add({ payload });
    payload.fill(9);
    expect(packr.unpack(writer.take()[0]?.bytes as Buffer)).toMatchObject([{ payload: Buffer.from([1, 2, 3]) }]);
  });

  it('is not tied to the memory of a larger one', () => {
    const writer = new FrameWriter(NONE);
    writer.add({ payload: new Uint8Array(1_000_000) });
    writer.take();
    writer.add({ type: 'small' });
    // It may share its memory with other small ones, as Node lets them: 8 kB, and 64 of later versions.
    expect(writer.take()[0]?.bytes.buffer.byteLength).toBeLessThanOrEqual(Math.max(Buffer.poolSize, 16_384));
  });
});

describe('a writer', () => {
  it('begins a new frame before one grows too large, and never parts a message', () => {
    const small: FrameWriterLimits = { frameBytesTarget: 200, messagesPerFrameMax: 1e9 };
    const messages = Array.from({ length: 60 }, (_, id) => ({ id, filler: 'x'.repeat((id * 37) % 150) }));
    const frames = written([...messages, { id: 60, filler: 'y'.repeat(1_000) }, { id: 61 }], small);
    const contents = frames.map((frame) => packr.unpack(Buffer.from(frame)) as { id: number }[]);
    expect(contents.flat().map(({ id }) => id)).toEqual(Array.from({ length: 62 }, (_, id) => id));
    // Only the message that is larger than a frame should be has a frame that is larger, and that to itself.
    const large = contents.filter((_, index) => (frames[index]?.byteLength ?? 0) > 203);
    expect(large.map((each) => each.map(({ id }) => id))).toEqual([[60]]);
    expect(frames.length).toBeLessThan(60);
  });

  it('begins a new frame when one has as many messages as it may', () => {
    const frames = written(
      Array.from({ length: 25 }, (_, id) => ({ id })),
      { ...NONE, messagesPerFrameMax: 10 },
    );
    expect(frames.map((frame) => (packr.unpack(Buffer.from(frame)) as object[]).length)).toEqual([10, 10, 5]);
  });

  it('counts what waits, and has nothing left once it is taken', () => {
    const writer = new FrameWriter({ ...NONE, messagesPerFrameMax: 2 });
    expect(writer.bytes).toBe(0);
    for (let id = 0; id < 5; id += 1) writer.add({ id });
    // A map of one: its head, `id` with its head, the number.
    expect(writer.bytes).toBe(5 * 5);
    expect(writer.take().map(({ messages }) => messages)).toEqual([2, 2, 1]);
    expect(writer.bytes).toBe(0);
    expect(writer.take()).toEqual([]);
  });

  it('leaves out a message that cannot be written, and nothing else', () => {
    const writer = new FrameWriter(NONE);
    writer.add({ id: 1 });
    const bad = {
      id: 2,
      get more(): never {
        throw new Error('read');
      },
    };
    expect(() => writer.add(bad)).toThrow('read');
    writer.add({ id: 3 });
    expect(packr.unpack(writer.take()[0]?.bytes as Buffer)).toEqual([{ id: 1 }, { id: 3 }]);
  });
});

/** Which is rare. */
function odd<Value>(arbitrary: fc.Arbitrary<Value>): fc.WeightedArbitrary<Value> {
  return { weight: 1, arbitrary };
}

function written(messages: readonly object[], limits = NONE): Uint8Array[] {
  const writer = new FrameWriter(limits);
  for (const message of messages) writer.add(message);
  return writer.take().map((frame) => frame.bytes);
}

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('hex');
}

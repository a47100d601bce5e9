import { decode as readElsewhere, encode as writeElsewhere } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PincerError } from '../../src/protocol/failure.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { decodeFrame, encodeFrame } from '../../src/transport/codec.ts';
import { preflight } from '../../src/transport/preflight.ts';
import { honestFrame } from '../support/hostile-frames.ts';

const assign = {
  id: 7,
  type: 'task_assign',
  payload: { taskId: 't1', attempt: 1, type: 'agent-turn', payload: new Uint8Array([0xc1, 0, 255]), priority: 5 },
};

describe('a frame', () => {
  it('holds its messages in order', () => {
    const messages = [assign, { type: 'ack', payload: { received: 4 } }];
    expect(decodeFrame(encodeFrame(messages), defaultLimits)).toEqual(messages);
  });

  it('is an array of maps that another msgpack library reads, and writes', () => {
    expect(readElsewhere(Uint8Array.from(encodeFrame([assign])))).toEqual([assign]);
    expect(decodeFrame(writeElsewhere([assign]), defaultLimits)).toEqual([assign]);
  });

  it('leaves out fields that are undefined, at any depth', () => {
    const bytes = encodeFrame([{ type: 'x', re: undefined, payload: { load: { lagMs: undefined, cpu: 0.5 } } }]);
    expect(decodeFrame(bytes, defaultLimits)).toStrictEqual([{ type: 'x', payload: { load: { cpu: 0.5 } } }]);
  });

  it.each([1, 15, 16, 300, 4_096])('of %i messages is one array of them', (count) => {
    const messages = Array.from({ length: count }, (_, id) => ({ id, type: 'ack', payload: {} }));
    expect(readElsewhere(Uint8Array.from(encodeFrame(messages)))).toEqual(messages);
    expect(decodeFrame(encodeFrame(messages), defaultLimits)).toEqual(messages);
  });

  it('of more messages than 16 bits can count is still one array', () => {
    expect(readElsewhere(encodeFrame(Array.from({ length: 65_536 }, () => ({}))))).toHaveLength(65_536);
  });

  it('reads 64-bit integers as numbers', () => {
    const bytes = new Uint8Array([0x91, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0]);
    expect(decodeFrame(bytes, defaultLimits)).toEqual([2 ** 32]);
  });

  it('is refused by name and number where it is too large or has too many messages', () => {
    const refusal = (bytes: Uint8Array): PincerError => refusedBy(() => decodeFrame(bytes, defaultLimits));
    expect(refusal(new Uint8Array(1_048_577))).toMatchObject({ code: 'FRAME_TOO_LARGE' });
    expect(refusal(encodeFrame([]))).toMatchObject({ message: 'a frame of 0 messages; 1 to 4096 are allowed' });
    expect(refusal(new Uint8Array([0x80]))).toMatchObject({ message: 'a frame must be an array of messages' });
  });
});

describe('preflight', () => {
  const limits = { frameDepthMax: 3, frameItemsMax: 6, keyBytesMax: 4 };
  const refusal = (value: unknown): string => refusedBy(() => preflight(writeElsewhere(value), limits)).message;

  it('takes what is just within each limit', () => {
    expect(() => preflight(writeElsewhere([[[1]]]), limits)).not.toThrow();
    expect(() => preflight(writeElsewhere([1, 2, 3, 4, 5]), limits)).not.toThrow();
    expect(() => preflight(writeElsewhere({ four: 4 }), limits)).not.toThrow();
  });

  it('says where and why it refuses', () => {
    expect(refusal([[[[]]]])).toBe('not well-formed at byte 3: nested deeper than 3');
    expect(refusal([1, 2, 3, 4, 5, 6])).toBe('not well-formed at byte 0: more than 6 values');
    expect(refusedBy(() => preflight(Uint8Array.of(0x91, 0xa5, 0x61), limits)).message).toContain(
      'the end comes too early',
    );
    expect(refusal({ fives: 1 })).toBe('not well-formed at byte 1: a key of 5 bytes; 4 are allowed');
  });

  it('scans as deep as its limits say, however deep that is', () => {
    const deep = (levels: number): Uint8Array => new Uint8Array([...Array(levels).fill(0x91), 0xc0]);
    const wide = { ...limits, frameDepthMax: 5_000, frameItemsMax: 10_000 };
    expect(() => preflight(deep(5_000), wide)).not.toThrow();
    expect(refusedBy(() => preflight(deep(5_001), wide)).message).toContain('byte 5000: nested deeper than 5000');
  });

  it('finds its place again after a nested map', () => {
    // The member after the inner map is a key again, and an integer is none.
    const bytes = new Uint8Array([0x82, 0xa1, 0x61, 0x81, 0xa1, 0x62, 0x01, 0x05, 0x01]);
    expect(refusedBy(() => preflight(bytes, defaultLimits)).message).toContain('byte 7: a key that is not a string');
  });

  it('accepts nothing that the decoder then refuses, and what it accepts encodes again', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      mutations(honestFrame()),
      fc.jsonValue({ maxDepth: 5 }).chain((value) => mutations(writeElsewhere([value]))),
    );
    let accepted = 0;
    fc.assert(
      fc.property(bytes, (frame) => {
        const error = thrownBy(() => preflight(frame, defaultLimits));
        if (error !== undefined) {
          expect(error).toBeInstanceOf(PincerError);
          return;
        }
        accepted++;
        const wide = { ...defaultLimits, messagesPerFrameMax: 65_536 };
        const values = decodeFrame(new Uint8Array([0x91, ...frame]), wide);
        expect(() => preflight(encodeFrame(values as object[]), defaultLimits)).not.toThrow();
      }),
      { numRuns: 3_000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it('lets a mutated frame end in a value or in a PincerError, nothing else', () => {
    fc.assert(
      fc.property(mutations(honestFrame()), (frame) => {
        const error = thrownBy(() => decodeFrame(frame, defaultLimits));
        expect(error === undefined || error instanceof PincerError).toBe(true);
        expect('polluted' in {}).toBe(false);
      }),
      { numRuns: 3_000 },
    );
  });
});

/** The frame with some bytes changed, put in, or left out. */
function mutations(frame: Uint8Array): fc.Arbitrary<Uint8Array> {
  const change = fc.record({
    at: fc.nat(frame.length),
    byte: fc.nat(255),
    kind: fc.constantFrom('set', 'insert', 'cut'),
  });
  return fc.array(change, { maxLength: 4 }).map((changes) => {
    const bytes = [...frame];
    for (const { at, byte, kind } of changes) {
      if (kind === 'set') bytes[Math.min(at, bytes.length - 1)] = byte;
      else if (kind === 'insert') bytes.splice(at, 0, byte);
      else bytes.splice(at, 1);
    }
    return Uint8Array.from(bytes);
  });
}

function thrownBy(act: () => unknown): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}

function refusedBy(act: () => unknown): PincerError {
  const error = thrownBy(act);
  expect(error).toBeInstanceOf(PincerError);
  return error as PincerError;
}

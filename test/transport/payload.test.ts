import { decode as readElsewhere } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PincerError } from '../../src/protocol/failure.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { decodePayload, encodePayload } from '../../src/transport/codec.ts';

const roundTrip = (value: unknown): unknown => decodePayload(encodePayload(value), defaultLimits);

describe('a payload', () => {
  it('arrives as it was sent: JSON, bytes and dates, at any depth', () => {
    const date = fc.date({ noInvalidDate: true });
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        fc.jsonValue({ maxDepth: 2 }),
        fc.uint8Array(),
        date,
        tie('list'),
        tie('record'),
      ),
      list: fc.array(tie('value'), { maxLength: 5 }),
      record: fc.dictionary(
        fc.string({ maxLength: 30 }).filter((key) => key !== '__proto__'),
        tie('value'),
        { maxKeys: 5 },
      ),
    }));
    const holdsProto = (sent: unknown): boolean =>
      JSON.stringify(sent, (_key, inner) => inner as unknown).includes('"__proto__"');
    fc.assert(
      fc.property(value, (sent) => {
        fc.pre(!holdsProto(sent));
        expect(roundTrip(sent)).toEqual(withoutMinusZero(sent));
        expect(readElsewhere(Uint8Array.from(encodePayload(sent)))).toEqual(withoutMinusZero(sent));
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    [undefined, null],
    [{ absent: undefined, present: 1 }, { present: 1 }],
    [
      [undefined, 1],
      [null, 1],
    ],
    [-0, 0],
    [12n, 12],
    [Object.create(null), {}],
    [
      { constructor: 'c', toJSON: 1, hasOwnProperty: 2 },
      { constructor: 'c', toJSON: 1, hasOwnProperty: 2 },
    ],
    ['half \ud83d', 'half \ufffd'],
    [{ text: ['\udc00'.padEnd(100, 'x')] }, { text: ['\ufffd'.padEnd(100, 'x')] }],
  ])('brings what msgpack has no word for as the nearest that it has: case %#', (sent, received) => {
    expect(roundTrip(sent)).toStrictEqual(received);
    expect(readElsewhere(Uint8Array.from(encodePayload(sent)))).toStrictEqual(received);
  });

  it('brings the first and the last moment that a Date can hold', () => {
    const moments = [-8.64e15, -8.64e15 + 1, -1, 0, 1, 2 ** 32 * 1_000 - 1, 2 ** 32 * 1_000, 8.64e15 - 1, 8.64e15];
    expect(roundTrip(moments.map((ms) => new Date(ms)))).toEqual(moments.map((ms) => new Date(ms)));
  });

  it('keeps numbers that JSON has no word for', () => {
    expect(roundTrip([Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 1e-320])).toEqual([
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 53,
      1e-320,
    ]);
  });

  it('brings a Buffer as plain bytes', () => {
    const received = roundTrip(Buffer.from('bytes'));
    expect((received as object).constructor).toBe(Uint8Array);
    expect(received).toEqual(new Uint8Array(Buffer.from('bytes')));
  });

  it('owns what it was decoded to: the bytes it came in may change', () => {
    const bytes = encodePayload({ bytes: new Uint8Array([1, 2, 3]), text: 'text' });
    const received = decodePayload(bytes, defaultLimits);
    bytes.fill(0);
    expect(received).toEqual({ bytes: new Uint8Array([1, 2, 3]), text: 'text' });
  });

  it('may hold the same object twice', () => {
    const shared = { once: 1 };
    expect(roundTrip([shared, shared])).toEqual([{ once: 1 }, { once: 1 }]);
  });
});

describe('what cannot travel', () => {
  const cycle: Record<string, unknown> = {};
  cycle['self'] = { again: cycle };
  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
  class Order {}

  it.each([
    ['bytes alone', (bytes: Uint8Array): unknown => bytes, 'payload is bytes that were transferred elsewhere'],
    ['bytes in a message', (bytes: Uint8Array) => ({ of: [bytes] }), 'payload.of[0] is bytes that were transferred'],
  ])('is told where it is, and why: %s whose memory is another’s by now', (_, around, message) => {
    const bytes = Uint8Array.of(1, 2, 3);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    expect(() => encodePayload(around(bytes))).toThrow(
      expect.objectContaining({ code: 'PAYLOAD_INVALID', message: expect.stringContaining(message) }),
    );
    expect(roundTrip([new Uint8Array(), new Uint8Array(8).subarray(8)])).toEqual([new Uint8Array(), new Uint8Array()]);
    expect(roundTrip(new Uint8Array())).toEqual(new Uint8Array());
  });

  it.each<[string, unknown]>([
    ['payload is a function', () => 1],
    ['payload.items[1].run is a function', { items: [0, { run: () => 1 }] }],
    ['payload.tag is a symbol', { tag: Symbol('t') }],
    ['payload.self.again refers to an object it is in', cycle],
    ['payload.big is a bigint beyond ±2^53; send it as a string', { big: 2n ** 53n }],
    ['payload.order is a Order; send a plain object', { order: new Order() }],
    ['payload is a Map; send a plain object', new Map()],
    ['payload is a Set; send a plain object', new Set()],
    ['payload is a RegExp; send a plain object', /x/],
    ['payload is a Error; send a plain object', new Error('secret')],
    ['payload is a Promise; send a plain object', Promise.resolve()],
    ['payload is a Float64Array; send a plain object', new Float64Array(1)],
    ['payload is a ArrayBuffer; send a plain object', new ArrayBuffer(1)],
    ['payload[0] is an invalid Date', [new Date(Number.NaN)]],
    ['payload.__proto__ has a forbidden name', JSON.parse('{"__proto__":1}')],
    [`payload.${'k'.repeat(63)}… has a name of more than 128 bytes`, { ['k'.repeat(129)]: 1 }],
    [`payload${'[0]'.repeat(32)} is nested deeper than 32`, deep(33)],
    ['payload brings the payload to more than 65536 values', Array(65_536).fill(0)],
    [
      'cannot be encoded: payload.price threw when it was read',
      {
        get price() {
          throw new Error('no price');
        },
      },
    ],
  ])('is refused by name: %s', (message, value) => {
    const error = thrownBy(() => encodePayload(value));
    expect(error).toBeInstanceOf(PincerError);
    expect(error).toMatchObject({ code: 'PAYLOAD_INVALID', message });
  });

  it('is refused where it is sent exactly if it would be refused where it arrives', () => {
    for (const levels of [31, 32, 33]) {
      const isSent = thrownBy(() => encodePayload(deep(levels))) === undefined;
      const bytes = encodePayload(deep(levels), { ...defaultLimits, frameDepthMax: 100 });
      expect(isSent).toBe(thrownBy(() => decodePayload(bytes, defaultLimits)) === undefined);
    }
    for (const size of [65_535, 65_536]) {
      const isSent = thrownBy(() => encodePayload(Array(size).fill(0))) === undefined;
      const bytes = encodePayload(Array(size).fill(0), { ...defaultLimits, frameItemsMax: 1_000_000 });
      expect(isSent).toBe(thrownBy(() => decodePayload(bytes, defaultLimits)) === undefined);
    }
  });

  it('names a payload that cannot be read as such', () => {
    expect(thrownBy(() => decodePayload(new Uint8Array([0x91, 0xc4]), defaultLimits))).toMatchObject({
      code: 'PAYLOAD_INVALID',
      message: 'the payload is not well-formed at byte 2: the end comes too early',
    });
  });
});

/** msgpack integers have no −0, and toEqual tells it from 0. */
function withoutMinusZero(value: unknown): unknown {
  if (Object.is(value, -0)) return 0;
  if (Array.isArray(value)) return value.map(withoutMinusZero);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutMinusZero(inner)]));
}

function thrownBy(act: () => unknown): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}

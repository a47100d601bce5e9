/**
 * Application values as opaque bytes, and back: what a task is given, what it returns, what it reports on the way. What
 * cannot arrive as it was sent is refused where it is sent, by name, instead of arriving as something else.
 */
import { Packr, RESET_BUFFER_MODE } from 'msgpackr';
import { PincerError } from '../protocol/failure.ts';
import { plainText } from '../protocol/identifier.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { PLAIN_MSGPACK } from './msgpack.ts';
import { type PreflightLimits, preflight } from './preflight.ts';

// As the codec of frames, but what it decodes is the application’s to keep: bytes are copies, not views.
const packr = new Packr({ ...PLAIN_MSGPACK, copyBuffers: true });

/** Where the walk is, and what it has met. */
interface Walk {
  readonly limits: PreflightLimits;
  /** The containers around the present value, outermost first, and the way to it. */
  readonly around: object[];
  readonly path: (string | number)[];
  values: number;
  hasBrokenText: boolean;
}

/**
 * An application value as msgpack: null, booleans, numbers, strings, arrays, plain objects, `Uint8Array` (bin) and `Date`
 * (timestamp). `undefined` is left out of objects and is null elsewhere; a half of a character becomes `\uFFFD`; a safe
 * `bigint` arrives as a number. Functions, symbols, class instances, `Map`, `Set`, errors, cycles, larger `bigint`s and
 * what `limits` forbid are refused. The size in bytes is the caller’s to check.
 * @throws PincerError `PAYLOAD_INVALID`, naming where and what
 */
export function encodePayload(value: unknown, limits: PreflightLimits = defaultLimits): Uint8Array {
  const single = encodeSingle(value);
  if (single !== null) return single;
  const walk: Walk = { limits, around: [], path: [], values: 1, hasBrokenText: false };
  try {
    check(value, walk);
    return Buffer.from(packr.pack(walk.hasBrokenText ? mended(value) : value, RESET_BUFFER_MODE));
  } catch (cause) {
    if (cause instanceof PincerError) throw cause;
    // A getter or a proxy of the application threw.
    throw new PincerError('PAYLOAD_INVALID', `cannot be encoded: ${where(walk)} threw when it was read`, { cause });
  }
}

/**
 * The application value in a payload. Everything in it is its own: nothing refers to `bytes`.
 * @throws PincerError `PAYLOAD_INVALID`; never anything else
 */
export function decodePayload(bytes: Uint8Array, limits: PreflightLimits = defaultLimits): unknown {
  const single = decodeSingle(bytes);
  if (single !== undefined) return single;
  try {
    preflight(bytes, limits);
    // As a plain Uint8Array, so that bytes in it arrive as that, whichever link they came over.
    return packr.unpack(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (cause) {
    const why = cause instanceof PincerError ? cause.message : 'cannot be decoded';
    throw new PincerError('PAYLOAD_INVALID', `the payload is ${why}`, { cause });
  }
}

/** What many handlers are given or return: nothing, or bytes. Null: it is something else. */
function encodeSingle(value: unknown): Uint8Array | null {
  if (value === null || value === undefined) return nil();
  if (!(value instanceof Uint8Array)) return null;
  const { byteLength } = value;
  if (isGivenAway(value)) throw new PincerError('PAYLOAD_INVALID', `payload ${GIVEN_AWAY}`);
  const width = byteLength < 0x100 ? 1 : byteLength < 0x1_0000 ? 2 : 4;
  const bytes = Buffer.allocUnsafe(1 + width + byteLength);
  bytes[0] = width === 1 ? BIN_8 : width === 2 ? BIN_16 : BIN_32;
  bytes.writeUIntBE(byteLength, 1, width);
  bytes.set(value, 1 + width);
  return bytes;
}

const GIVEN_AWAY = 'is bytes that were transferred elsewhere, so that nothing is left of them; send a copy';

/** Whether the memory of bytes has gone to another thread or stream. They have no length then, so others cost nothing here. */
function isGivenAway({ byteLength, buffer }: Uint8Array): boolean {
  if (byteLength > 0) return false;
  try {
    // No view can be had of what was transferred; the property that says so is not in Node 20.
    void new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

function nil(): Uint8Array {
  const bytes = new Uint8Array(1);
  bytes[0] = NIL;
  return bytes;
}

/** The same, back. `undefined`, which no payload holds: it is something else. */
function decodeSingle(bytes: Uint8Array): unknown {
  const { byteLength } = bytes;
  const token = bytes[0];
  if (token === NIL && byteLength === 1) return null;
  const width = token === BIN_8 ? 1 : token === BIN_16 ? 2 : token === BIN_32 ? 4 : 0;
  const start = 1 + width;
  if (width === 0 || byteLength < start) return undefined;
  let length = 0;
  for (let index = 1; index < start; index += 1) length = length * 256 + (bytes[index] as number);
  if (start + length !== byteLength) return undefined;
  return new Uint8Array(new Uint8Array(bytes.buffer, bytes.byteOffset + start, length));
}

const NIL = 0xc0;
const BIN_8 = 0xc4;
const BIN_16 = 0xc5;
const BIN_32 = 0xc6;

function check(value: unknown, walk: Walk): void {
  switch (typeof value) {
    case 'undefined':
    case 'boolean':
    case 'number':
      return;
    case 'string':
      if (!isWhole(value)) walk.hasBrokenText = true;
      return;
    case 'bigint':
      if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) {
        refuse(walk, 'is a bigint beyond ±2^53; send it as a string');
      }
      return;
    case 'object':
      if (value !== null) checkObject(value, walk);
      return;
    default:
      refuse(walk, `is a ${typeof value}`);
  }
}

function checkObject(value: object, walk: Walk): void {
  if (value instanceof Uint8Array) {
    if (isGivenAway(value)) refuse(walk, GIVEN_AWAY);
    return;
  }
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) refuse(walk, 'is an invalid Date');
    return;
  }
  const { limits, around } = walk;
  if (around.includes(value)) refuse(walk, 'refers to an object it is in');
  if (around.length >= limits.frameDepthMax) refuse(walk, `is nested deeper than ${limits.frameDepthMax}`);
  around.push(value);
  if (Array.isArray(value)) {
    count(value.length, walk);
    for (let i = 0; i < value.length; i++) {
      walk.path.push(i);
      check(value[i], walk);
      walk.path.pop();
    }
  } else {
    checkMap(value as Record<string, unknown>, walk);
  }
  around.pop();
}

function checkMap(value: Record<string, unknown>, walk: Walk): void {
  if (!isPlain(value)) refuse(walk, `is a ${kindOf(value)}; send a plain object`);
  const keys = Object.keys(value);
  count(keys.length, walk);
  for (const key of keys) {
    walk.path.push(key);
    if (key === '__proto__') refuse(walk, 'has a forbidden name');
    if (key.length > walk.limits.keyBytesMax || Buffer.byteLength(key) > walk.limits.keyBytesMax) {
      refuse(walk, `has a name of more than ${walk.limits.keyBytesMax} bytes`);
    }
    if (!isWhole(key)) walk.hasBrokenText = true;
    check(value[key], walk);
    walk.path.pop();
  }
}

function count(members: number, walk: Walk): void {
  walk.values += members;
  if (walk.values > walk.limits.frameItemsMax) {
    refuse(walk, `brings the payload to more than ${walk.limits.frameItemsMax} values`);
  }
}

/** Whether an object has no class; by shape, since each realm has its own `Object`. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function kindOf(value: object): string {
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== '' ? plainText(name, 64) : 'class instance';
}

// String.prototype.isWellFormed and toWellFormed are in every Node we run on, but not in the es2023 library.
interface MendableText {
  isWellFormed(): boolean;
  toWellFormed(): string;
}

function isWhole(text: string): boolean {
  return (text as unknown as MendableText).isWellFormed();
}

/** The text with a replacement character for each half of one: msgpack strings are UTF-8, which has no halves. */
export function wellFormed(text: string): string {
  return (text as unknown as MendableText).toWellFormed();
}

/** A copy in which no string ends or begins within a character. */
function mended(value: unknown): unknown {
  if (typeof value === 'string') return wellFormed(value);
  if (Array.isArray(value)) return value.map(mended);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [mended(key), mended(inner)]));
}

function where({ path }: Walk): string {
  const steps = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${plainText(step, 64)}`));
  return `payload${steps.join('')}`;
}

function refuse(walk: Walk, why: string): never {
  throw new PincerError('PAYLOAD_INVALID', `${where(walk)} ${why}`);
}

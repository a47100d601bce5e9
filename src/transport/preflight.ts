/**
 * Looks over msgpack before anything is made of it: one pass, no recursion, no allocation. What passes is plain msgpack
 * that a decoder takes without surprise: nothing nested too deep, no length that lies, no extension but timestamps, only
 * short string keys, nothing left over. msgpackr alone can be held up for minutes by a frame of 519 bytes.
 *
 * Not looked at: the text in strings (a decoder replaces bad UTF-8), the range of numbers, and whether a map names a key
 * twice. Finding twins would cost a comparison of every key with every other; nothing hangs on it, since each byte is
 * decoded once, by one decoder, and the gateway never forwards a frame as bytes.
 */
import { PincerError } from '../protocol/failure.ts';
import type { Limits } from '../protocol/limits.ts';

/** The limits of one piece of msgpack. */
export type PreflightLimits = Pick<Limits, 'frameDepthMax' | 'frameItemsMax' | 'keyBytesMax'>;

const PROTO = [...'__proto__'].map((letter) => letter.charCodeAt(0));
const TIMESTAMP = 0xff;
const NANOSECONDS_MAX = 999_999_999;
/** The seconds a `Date` can hold, both ways. */
const SECONDS_MAX = 8_640_000_000_000;

// The containers that are open: how many members each still lacks, and whether it is a map. They are shared by all calls,
// which is safe because a scan calls nothing that could start another one.
let lackingAt = new Uint32Array(64);
let isMapAt = new Uint8Array(64);

/**
 * Passes over msgpack that may be decoded.
 * @throws PincerError `FRAME_INVALID`, with the offset and the reason; never with the bytes.
 */
export function preflight(bytes: Uint8Array, limits: PreflightLimits): void {
  const { frameDepthMax, frameItemsMax, keyBytesMax } = limits;
  if (lackingAt.length <= frameDepthMax) {
    lackingAt = new Uint32Array(frameDepthMax + 1);
    isMapAt = new Uint8Array(frameDepthMax + 1);
  }
  const end = bytes.length;
  if (end === 0) refuse(0, 'there is nothing');

  let at = 0;
  let depth = 0;
  let lacking = 1; // Members, keys included, that the innermost container still lacks.
  let isMap = false;
  let values = 1; // Values there are or have been announced; keys do not count.

  while (true) {
    while (lacking === 0) {
      if (depth === 0) {
        if (at !== end) refuse(at, `${end - at} bytes are left over`);
        return;
      }
      depth--;
      lacking = lackingAt[depth] as number;
      isMap = isMapAt[depth] === 1;
    }
    if (at >= end) refuse(at, 'the end comes too early');
    const token = bytes[at] as number;
    lacking--;
    const isKey = isMap && lacking % 2 === 1;

    let head = 1; // Bytes of the token itself.
    let content = 0; // Bytes that follow it.
    let members = -1; // Values in it, if it is a container.
    let opensMap = false;
    let isText = false;
    if (token < 0x80 || token >= 0xe0) {
      // A small integer: all in the token.
    } else if (token < 0x90) {
      members = token & 0x0f;
      opensMap = true;
    } else if (token < 0xa0) {
      members = token & 0x0f;
    } else if (token < 0xc0) {
      content = token & 0x1f;
      isText = true;
    } else {
      switch (token) {
        case 0xc0: // nil
        case 0xc2: // false
        case 0xc3: // true
          break;
        case 0xc4: // bin 8
        case 0xc5:
        case 0xc6: {
          const width = 1 << (token - 0xc4);
          head = 1 + width;
          content = lengthAt(bytes, at + 1, width);
          break;
        }
        case 0xca: // float 32
        case 0xce: // uint 32
        case 0xd2: // int 32
          content = 4;
          break;
        case 0xcb: // float 64
        case 0xcf: // uint 64
        case 0xd3: // int 64
          content = 8;
          break;
        case 0xcc: // uint 8
        case 0xd0: // int 8
          content = 1;
          break;
        case 0xcd: // uint 16
        case 0xd1: // int 16
          content = 2;
          break;
        case 0xd9: // str 8
        case 0xda:
        case 0xdb: {
          const width = 1 << (token - 0xd9);
          head = 1 + width;
          content = lengthAt(bytes, at + 1, width);
          isText = true;
          break;
        }
        case 0xdc: // array 16
        case 0xdd: {
          const width = token === 0xdc ? 2 : 4;
          head = 1 + width;
          members = lengthAt(bytes, at + 1, width);
          break;
        }
        case 0xde: // map 16
        case 0xdf: {
          const width = token === 0xde ? 2 : 4;
          head = 1 + width;
          members = lengthAt(bytes, at + 1, width);
          opensMap = true;
          break;
        }
        case 0xc7: // ext 8
        case 0xd6: // fixext 4
        case 0xd7: // fixext 8
          content = timestampBytes(bytes, at, token);
          break;
        default:
          // 0xc1 is no token at all; the rest are extensions of sizes no timestamp has.
          refuse(at, token === 0xc1 ? 'a byte that means nothing' : 'an extension that is not a timestamp');
      }
    }
    if (content > end - at - head) refuse(at, 'the end comes too early');

    if (isKey) {
      if (!isText) refuse(at, 'a key that is not a string');
      if (content > keyBytesMax) refuse(at, `a key of ${content} bytes; ${keyBytesMax} are allowed`);
      if (content === PROTO.length && isProto(bytes, at + head)) refuse(at, 'the key __proto__');
    }
    if (members >= 0) {
      if (depth >= frameDepthMax) refuse(at, `nested deeper than ${frameDepthMax}`);
      values += members;
      if (values > frameItemsMax) refuse(at, `more than ${frameItemsMax} values`);
      lackingAt[depth] = lacking;
      isMapAt[depth] = isMap ? 1 : 0;
      depth++;
      isMap = opensMap;
      lacking = opensMap ? members * 2 : members;
    }
    at += head + content;
  }
}

function lengthAt(bytes: Uint8Array, at: number, width: number): number {
  if (at + width > bytes.length) refuse(at, 'the end comes too early');
  let length = 0;
  for (let i = 0; i < width; i++) length = length * 256 + (bytes[at + i] as number);
  return length;
}

/** The bytes that follow the token of a timestamp; refuses any other extension, and times that a `Date` cannot hold. */
function timestampBytes(bytes: Uint8Array, at: number, token: number): number {
  const isLong = token === 0xc7;
  const type = at + (isLong ? 2 : 1);
  const content = isLong ? 14 : token === 0xd6 ? 5 : 9;
  if (type >= bytes.length) refuse(at, 'the end comes too early');
  if (bytes[type] !== TIMESTAMP || (isLong && bytes[at + 1] !== 12)) {
    refuse(at, 'an extension that is not a timestamp');
  }
  if (at + 1 + content > bytes.length) refuse(at, 'the end comes too early');
  if (token === 0xd6) return content;
  const first = lengthAt(bytes, type + 1, 4);
  const nanoseconds = isLong ? first : Math.floor(first / 4);
  if (nanoseconds > NANOSECONDS_MAX) refuse(at, 'a timestamp with more than a second of nanoseconds');
  if (isLong) {
    const high = lengthAt(bytes, type + 5, 4) | 0;
    const seconds = high * 2 ** 32 + lengthAt(bytes, type + 9, 4);
    const isLate = seconds > SECONDS_MAX || (seconds === SECONDS_MAX && nanoseconds > 0);
    if (isLate || seconds < -SECONDS_MAX) refuse(at, 'a timestamp that no Date can hold');
  }
  return content;
}

function isProto(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < PROTO.length; i++) if (bytes[at + i] !== PROTO[i]) return false;
  return true;
}

function refuse(at: number, reason: string): never {
  throw new PincerError('FRAME_INVALID', `not well-formed at byte ${at}: ${reason}`);
}

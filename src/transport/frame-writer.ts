/**
 * Messages as frames, written straight into the bytes that are sent: no message is a piece of memory of its own. What most
 * messages are, maps of short text, numbers and bytes, is written here; anything deeper by msgpackr, whose bytes a property
 * test compares. A frame is an array of messages, as plain msgpack: see codec.ts.
 */
import { Packr, RESET_BUFFER_MODE } from 'msgpackr';
import type { Limits } from '../protocol/limits.ts';
import type { Message } from '../protocol/message.ts';
import { PLAIN_MSGPACK } from './msgpack.ts';
import { wellFormed } from './payload.ts';
import { usualBytes, writeBinaryHead, writeNumber, writeUsual } from './usual-messages.ts';

export type FrameWriterLimits = Pick<Limits, 'frameBytesTarget' | 'messagesPerFrameMax'>;

/** What is known of a finished frame. */
export interface WrittenFrame {
  readonly bytes: Uint8Array;
  readonly messages: number;
}

/** Room for the array header, which is written last, when the messages have been counted. */
const HEAD = 5;
/** What a frame is given at first. More than the largest would tie small frames to the memory of a large one. */
const SIZE_MIN = 512;
const SIZE_MAX = 16_384;
/** Longer text is left to `Buffer`, which calls into C++ for it. */
const SHORT_TEXT = 64;

const packr = new Packr({ ...PLAIN_MSGPACK });

export class FrameWriter {
  readonly #limits: FrameWriterLimits;
  #buffer = NOTHING;
  #at = HEAD;
  #count = 0;
  #frames: WrittenFrame[] = [];
  #fullBytes = 0;
  /** What the last frame took, which the next one is likely to take too. */
  #size = SIZE_MIN;

  constructor(limits: FrameWriterLimits) {
    this.#limits = limits;
  }

  /** Bytes that wait to be taken. */
  get bytes(): number {
    return this.#fullBytes + (this.#count === 0 ? 0 : this.#at - HEAD);
  }

  /** As `add`, in less time if it is a usual one. */
  addMessage(message: Message): void {
    const room = usualBytes(message);
    if (room === 0) {
      this.add(message);
      return;
    }
    this.#begin();
    this.#reserve(room);
    const start = this.#at;
    const end = writeUsual(message, this.#buffer, start);
    if (end < 0) {
      this.add(message);
      return;
    }
    this.#at = end;
    this.#added(start);
  }

  /** Adds a message. Nothing of it is referred to afterwards. */
  add(message: object): void {
    this.#begin();
    const start = this.#at;
    try {
      this.#map(message);
    } catch (error) {
      // As if it had never been asked for.
      this.#at = start;
      throw error;
    }
    this.#added(start);
  }

  #begin(): void {
    if (this.#buffer.byteLength === 0) this.#buffer = Buffer.allocUnsafe(this.#size);
  }

  /** A message stands there from `start` on: it stays, unless the frame was full without it. */
  #added(start: number): void {
    const { frameBytesTarget, messagesPerFrameMax } = this.#limits;
    if (this.#count > 0 && (this.#at - HEAD > frameBytesTarget || this.#count >= messagesPerFrameMax)) {
      const own = this.#buffer.subarray(start, this.#at);
      this.#at = start;
      this.#finish();
      this.#buffer = Buffer.allocUnsafe(Math.max(this.#size, HEAD + own.byteLength));
      this.#buffer.set(own, HEAD);
      this.#at = HEAD + own.byteLength;
    }
    this.#count += 1;
  }

  /** Takes what was added, as frames. Their bytes are the caller’s. */
  take(): readonly WrittenFrame[] {
    if (this.#count > 0) this.#finish();
    const frames = this.#frames;
    this.#frames = [];
    this.#fullBytes = 0;
    return frames;
  }

  #finish(): void {
    const buffer = this.#buffer;
    const count = this.#count;
    let start: number;
    if (count < 16) {
      start = HEAD - 1;
      buffer[start] = 0x90 | count;
    } else if (count < 65_536) {
      start = HEAD - 3;
      buffer[start] = 0xdc;
      buffer.writeUInt16BE(count, start + 1);
    } else {
      start = 0;
      buffer[start] = 0xdd;
      buffer.writeUInt32BE(count, start + 1);
    }
    this.#frames.push({ bytes: buffer.subarray(start, this.#at), messages: count });
    this.#fullBytes += this.#at - HEAD;
    this.#size = Math.min(Math.max(SIZE_MIN, this.#at), SIZE_MAX);
    this.#buffer = NOTHING;
    this.#at = HEAD;
    this.#count = 0;
  }

  #map(map: object): void {
    const fields = map as Readonly<Record<string, unknown>>;
    let count = 0;
    for (const key in fields) if (fields[key] !== undefined) count += 1;
    if (count < 16) {
      this.#reserve(1);
      this.#buffer[this.#at++] = 0x80 | count;
    } else if (count < 65_536) {
      this.#reserve(3);
      this.#buffer[this.#at++] = 0xde;
      this.#at = this.#buffer.writeUInt16BE(count, this.#at);
    } else {
      this.#deep(map);
      return;
    }
    for (const key in fields) {
      const value = fields[key];
      if (value === undefined) continue;
      this.#text(key);
      this.#value(value);
    }
  }

  #value(value: unknown): void {
    if (typeof value === 'string') this.#text(value);
    else if (typeof value === 'number') this.#number(value);
    else if (value instanceof Uint8Array) this.#binary(value);
    else if (value === null || typeof value === 'boolean') {
      this.#reserve(1);
      this.#buffer[this.#at++] = value === null ? 0xc0 : value ? 0xc3 : 0xc2;
    } else if (isPlainMap(value)) this.#map(value);
    else this.#deep(value);
  }

  #text(text: string): void {
    const { length } = text;
    // Three bytes of UTF-8 for each unit of UTF-16 at most.
    this.#reserve(5 + length * 3);
    const buffer = this.#buffer;
    if (length <= SHORT_TEXT) {
      const head = length < 32 ? 1 : 2;
      const start = this.#at + head;
      let index = 0;
      for (; index < length; index += 1) {
        const code = text.charCodeAt(index);
        if (code > 0x7f) break;
        buffer[start + index] = code;
      }
      if (index === length) {
        if (head === 1) buffer[this.#at] = 0xa0 | length;
        else {
          buffer[this.#at] = 0xd9;
          buffer[this.#at + 1] = length;
        }
        this.#at = start + length;
        return;
      }
    }
    this.#deep(wellFormed(text));
  }

  #number(value: number): void {
    if (value < 0 && value >> 0 === value) {
      this.#deep(value);
      return;
    }
    this.#reserve(9);
    this.#at = writeNumber(this.#buffer, this.#at, value);
  }

  #binary(bytes: Uint8Array): void {
    const { byteLength } = bytes;
    this.#reserve(5 + byteLength);
    const at = writeBinaryHead(this.#buffer, this.#at, byteLength);
    this.#buffer.set(bytes, at);
    this.#at = at + byteLength;
  }

  /** Anything, by msgpackr. */
  #deep(value: unknown): void {
    const bytes = packr.pack(value, RESET_BUFFER_MODE);
    this.#reserve(bytes.byteLength);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.byteLength;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.byteLength) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.byteLength * 2, this.#at + bytes));
    grown.set(this.#buffer.subarray(0, this.#at));
    this.#buffer = grown;
  }
}

const NOTHING = Buffer.alloc(0);

function isPlainMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

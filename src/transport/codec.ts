/**
 * Messages and application values as bytes, and back. Plain msgpack only, so that any language reads it: no records, no
 * extension but timestamps. A frame is an array of messages; each is encoded once, on its own, and frames are joined from
 * the parts. What a payload may hold is decided in payload.ts.
 */
import { Packr, RESET_BUFFER_MODE } from 'msgpackr';
import { PincerError } from '../protocol/failure.ts';
import type { Limits } from '../protocol/limits.ts';
import { PLAIN_MSGPACK } from './msgpack.ts';
import { type PreflightLimits, preflight } from './preflight.ts';

export { decodePayload, encodePayload } from './payload.ts';

/** The limits of one frame. */
export type FrameLimits = PreflightLimits & Pick<Limits, 'frameBytesMax' | 'messagesPerFrameMax'>;

const packr = new Packr({ ...PLAIN_MSGPACK });

/**
 * One message as it stands in a frame. Fields that are `undefined` are left out.
 * The bytes are the caller’s to keep: a copy, so that a message that waits for its acknowledgement does not keep alive
 * the scratch space of msgpackr, which is as large as the largest message was.
 */
export function encodeMessage(message: object): Uint8Array {
  return Buffer.from(packr.pack(message, RESET_BUFFER_MODE));
}

/** Encoded messages as one frame: an array of them, in their order. The parts are copied. */
export function joinFrame(parts: readonly Uint8Array[]): Uint8Array {
  const count = parts.length;
  const head = count < 16 ? 1 : count < 65_536 ? 3 : 5;
  let size = head;
  for (const part of parts) size += part.byteLength;
  const frame = Buffer.allocUnsafe(size);
  if (head === 1) frame[0] = 0x90 | count;
  else if (head === 3) frame.writeUInt16BE(count, frame.writeUInt8(0xdc));
  else frame.writeUInt32BE(count, frame.writeUInt8(0xdd));
  let at = head;
  for (const part of parts) {
    frame.set(part, at);
    at += part.byteLength;
  }
  return frame;
}

/** Messages as one frame. */
export function encodeFrame(messages: readonly object[]): Uint8Array {
  return joinFrame(messages.map(encodeMessage));
}

/**
 * The values in a frame, 1 to `messagesPerFrameMax`; what they mean is for `parseMessage` to check.
 * A `Uint8Array` among them is a view of the frame: it keeps the whole frame alive, and is only valid as long as the
 * frame is. Copy what is kept.
 * @throws PincerError `FRAME_INVALID`, or `FRAME_TOO_LARGE` above `frameBytesMax`; never anything else.
 */
export function decodeFrame(bytes: Uint8Array, limits: FrameLimits): unknown[] {
  if (bytes.byteLength > limits.frameBytesMax) {
    throw new PincerError(
      'FRAME_TOO_LARGE',
      `a frame of ${bytes.byteLength} bytes; ${limits.frameBytesMax} are allowed`,
    );
  }
  preflight(bytes, limits);
  let decoded: unknown;
  try {
    // As a plain Uint8Array, so that bytes in it are that too, whichever link it came over. It is as fast.
    decoded = packr.unpack(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (cause) {
    throw new PincerError('FRAME_INVALID', 'a frame cannot be decoded', { cause });
  }
  if (!Array.isArray(decoded)) throw new PincerError('FRAME_INVALID', 'a frame must be an array of messages');
  if (decoded.length < 1 || decoded.length > limits.messagesPerFrameMax) {
    throw new PincerError(
      'FRAME_INVALID',
      `a frame of ${decoded.length} messages; 1 to ${limits.messagesPerFrameMax} are allowed`,
    );
  }
  return decoded;
}

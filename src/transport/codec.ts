/**
 * Messages and application values as bytes, and back. Plain msgpack only, so that any language reads it: no records, no
 * extension but timestamps. A frame is an array of messages; frame-writer.ts writes it. What a payload may hold is decided in
 * payload.ts.
 */
import { Packr } from 'msgpackr';
import { PincerError } from '../protocol/failure.ts';
import type { Limits } from '../protocol/limits.ts';
import { FrameWriter } from './frame-writer.ts';
import { PLAIN_MSGPACK } from './msgpack.ts';
import { type PreflightLimits, preflight } from './preflight.ts';

export { decodePayload, encodePayload } from './payload.ts';

/** The limits of one frame. */
export type FrameLimits = PreflightLimits & Pick<Limits, 'frameBytesMax' | 'messagesPerFrameMax'>;

const packr = new Packr({ ...PLAIN_MSGPACK });

/** Messages as one frame, however large. Fields that are `undefined` are left out. */
export function encodeFrame(messages: readonly object[]): Uint8Array {
  const writer = new FrameWriter(UNLIMITED);
  for (const message of messages) writer.add(message);
  return writer.take()[0]?.bytes ?? NO_MESSAGES;
}

const UNLIMITED = { frameBytesTarget: Number.POSITIVE_INFINITY, messagesPerFrameMax: Number.POSITIVE_INFINITY };
const NO_MESSAGES = new Uint8Array([0x90]);

/**
 * The values in a frame, 1 to `messagesPerFrameMax`; what they mean is for `parseMessage` to check.
 * A `Uint8Array` among them is a view of the frame, and keeps the whole frame alive: copy what is kept for long.
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

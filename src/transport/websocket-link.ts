/**
 * A link over one WebSocket, whichever side opened it, and the one set of options that every WebSocket of ours gets.
 * ws is left to frame, mask and count; what a frame means is for those above.
 */
import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import { closeCodeOf } from '../protocol/failure.ts';
import { plainText } from '../protocol/identifier.ts';
import type { Limits } from '../protocol/limits.ts';
import type { Clock } from '../protocol/ports.ts';
import type { Identity, Link, LinkEvents } from './link.ts';

/** The limits of one WebSocket. */
export type WebSocketLimits = Pick<Limits, 'frameBytesMax' | 'frameFragmentsMax' | 'frameChunksMax' | 'closeMs'>;

/** The options of every WebSocket, on both sides. Those of ws are far wider: 100 MiB a frame, 16 384 fragments. */
export function socketOptions(limits: WebSocketLimits) {
  return {
    // On either side, a compressed frame could unpack to a thousand times its size. The client’s default is to offer it.
    perMessageDeflate: false,
    maxPayload: limits.frameBytesMax,
    maxFragments: limits.frameFragmentsMax,
    maxBufferedChunks: limits.frameChunksMax,
    // For a close that the peer began; not yet in the types of ws.
    closeTimeout: limits.closeMs,
    skipUTF8Validation: false,
  };
}

/** What ws sends to the peer when it refuses what the peer sent; the rest are protocol errors, 1002. */
const CLOSE_CODE_OF: Readonly<Record<string, number>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
  WS_ERR_INVALID_UTF8: 1007,
};

export class WebSocketLink implements Link {
  readonly remoteAddress: string;
  readonly identity: Identity;
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #closeMs: number;
  #events: LinkEvents | undefined;
  /** Frames that came before `attach`, or with the rest of a packet after `pause`: never more than one read’s worth. */
  #waiting: Uint8Array[] = [];
  #isPaused = true;
  #isDeliveryDue = false;
  /** The owner terminated the link, or the peer sent what is never taken: nothing more is delivered from it. */
  #isDeaf = false;
  #bufferedBefore = 0;
  #fault: string | undefined;
  #end: { readonly code: number; readonly reason: string } | undefined;
  #cancelCut: (() => void) | undefined;

  /** Takes over an open socket, and reads nothing from it until `attach`. */
  constructor(
    socket: WebSocket,
    facts: { remoteAddress: string; identity: Identity; clock: Clock; limits: WebSocketLimits },
  ) {
    this.remoteAddress = facts.remoteAddress;
    this.identity = facts.identity;
    this.#socket = socket;
    this.#clock = facts.clock;
    this.#closeMs = facts.limits.closeMs;
    socket.pause();
    socket.on('message', (frame, isBinary) => this.#receive(frame, isBinary));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#fault ??= error.code ?? error.message;
    });
    socket.on('close', (code, reason) => this.#finish(code, reason.toString()));
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  get bufferedBytes(): number {
    return this.#end === undefined ? this.#socket.bufferedAmount : 0;
  }

  attach(events: LinkEvents): void {
    this.#events = events;
    this.resume();
  }

  send(frame: Uint8Array): void {
    if (!this.isOpen) return;
    this.#socket.send(frame, this.#onSent);
    this.#bufferedBefore = this.#socket.bufferedAmount;
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#deliverSoon();
    this.#socket.resume();
  }

  close(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.#socket.close(code, shortened(reason));
    this.#cancelCut = this.#clock.schedule(this.#closeMs, () => this.terminate());
    // The peer’s answer stands behind what it sent before.
    this.resume();
  }

  terminate(): void {
    if (this.#end !== undefined) return;
    this.#isDeaf = true;
    this.#waiting = [];
    this.#socket.terminate();
  }

  #receive(frame: RawData, isBinary: boolean): void {
    if (this.#isDeaf) return;
    if (!isBinary) {
      this.#isDeaf = true;
      this.close(closeCodeOf('FRAME_INVALID'), 'FRAME_INVALID: frames are binary');
    } else if (this.#isPaused || this.#waiting.length > 0) {
      this.#waiting.push(frame as Buffer);
    } else {
      this.#events?.onFrame(frame as Buffer);
    }
  }

  #finish(code: number, reason: string): void {
    this.#cancelCut?.();
    if (code === 1006 && this.#fault !== undefined) {
      const isOurs = this.#fault.startsWith('WS_ERR_');
      this.#end = { code: isOurs ? (CLOSE_CODE_OF[this.#fault] ?? 1002) : 1006, reason: this.#fault };
    } else this.#end = { code, reason: plainText(reason) };
    this.#deliver();
  }

  #deliverSoon(): void {
    if (this.#isDeliveryDue) return;
    this.#isDeliveryDue = true;
    this.#clock.soon(() => {
      this.#isDeliveryDue = false;
      this.#deliver();
    });
  }

  /** Tells what waits. A pause ends with the connection, so that nobody waits for ever to learn that it has ended. */
  #deliver(): void {
    const events = this.#events;
    if (events === undefined) return;
    while (!this.#isPaused || this.#end !== undefined) {
      const frame = this.#waiting.shift();
      if (frame === undefined) break;
      events.onFrame(frame);
    }
    if (this.#end === undefined || this.#waiting.length > 0) return;
    this.#events = undefined;
    events.onClose(this.#end.code, this.#end.reason);
  }

  readonly #onSent = (): void => {
    if (this.#bufferedBefore === 0 || this.#end !== undefined) return;
    const buffered = this.#socket.bufferedAmount;
    if (buffered >= this.#bufferedBefore) return;
    this.#bufferedBefore = buffered;
    this.#events?.onDrain?.();
  };
}

/** Where a TCP connection comes from or goes to, as links show it: `127.0.0.1:50312`, `[::1]:50312`. */
export function peerAddress({ remoteAddress = 'unknown', remotePort = 0 }: Socket): string {
  return `${remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress}:${remotePort}`;
}

/** A close reason is at most 123 bytes of UTF-8. */
function shortened(reason: string): string {
  let text = reason.slice(0, 123);
  while (Buffer.byteLength(text) > 123) text = text.slice(0, -1);
  return text;
}

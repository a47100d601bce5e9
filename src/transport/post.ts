/**
 * Messages over one link. Outward: gathered during a turn of the event loop and flushed as few frames; progress is
 * conflated while the peer does not drain. Inward: rate → preflight → decode → schema, a frame at a time. Knows
 * nothing of sessions: numbers and acknowledgements are delivery.ts.
 */
import { closeCodeOf, PincerError } from '../protocol/failure.ts';
import type { Limits } from '../protocol/limits.ts';
import { type Message, parseMessage } from '../protocol/message.ts';
import type { Clock } from '../protocol/ports.ts';
import { decodeFrame } from './codec.ts';
import type { Departing, Departures } from './departures.ts';
import { readFrame } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import { LateFlush } from './late-flush.ts';
import type { Identity, Link } from './link.ts';
import { TokenBucket } from './token-bucket.ts';

export interface PostEvents {
  /** The messages of one frame, in order, each checked against its schema. */
  onMessages(messages: readonly Message[]): void;
  /** The peer broke the protocol or does not read; the link is about to close with the error’s code. */
  onFault(error: PincerError): void;
  /** Exactly once, and last. */
  onClose(code: number, reason: string): void;
  /** The peer has become, or has ceased to be, too slow to be given more work. */
  onFlow?(isFull: boolean): void;
  /** Asked right before each flush for messages that ride along. */
  beforeFlush?(): void;
}

export interface PostCounters {
  framesIn: number;
  framesOut: number;
  bytesIn: number;
  bytesOut: number;
  messagesIn: number;
  messagesOut: number;
  progressConflated: number;
}

/** Answers that go at once after one that waited in vain: who asks for work that takes its time waits for one in so many. */
const SPARED = 64;

export class Post implements Departing {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #departures: Departures;
  readonly #events: PostEvents;
  readonly #counters: PostCounters;
  readonly #frames: TokenBucket;
  readonly #bytes: TokenBucket;
  readonly #writer: FrameWriter;
  /** Progress held back while the link is full: the latest of each attempt. */
  readonly #progress = new Map<string, Message<'task_progress'>>();
  /** It is asked at the end of this turn whether it has something to send. */
  #isDeparting = false;
  #isFlushDue = false;
  /** What may wait a moment for something to ride along with: acknowledgements, and answers that their asker can do without. */
  readonly #lateAcks: LateFlush;
  readonly #lateAnswers: LateFlush;
  #isFull = false;
  #isFaulty = false;
  #cancelStall: (() => void) | null = null;
  #cancelResume: (() => void) | null = null;
  #lastHeardAt: number;
  #lastSentAt: number;

  constructor(options: {
    link: Link;
    clock: Clock;
    limits: Limits;
    departures: Departures;
    events: PostEvents;
    counters: PostCounters;
  }) {
    const { link, clock, limits, departures, events, counters } = options;
    this.#link = link;
    this.#clock = clock;
    this.#limits = limits;
    this.#departures = departures;
    this.#events = events;
    this.#counters = counters;
    this.#writer = new FrameWriter(limits);
    const flush = (): void => this.flush();
    this.#lateAcks = new LateFlush(clock, limits.acknowledgeMs, flush);
    this.#lateAnswers = new LateFlush(clock, limits.acceptMs, flush, SPARED);
    const { framesPerSecondMax, bytesPerSecondMax } = limits;
    const now = clock.now();
    this.#lastHeardAt = now;
    this.#lastSentAt = now;
    this.#frames = new TokenBucket(framesPerSecondMax, now);
    this.#bytes = new TokenBucket(bytesPerSecondMax, now);
    link.attach({
      onFrame: (frame) => this.#receive(frame),
      onClose: (code, reason) => {
        this.#cancelStall?.();
        this.#cancelResume?.();
        this.#lateAcks.stop();
        this.#lateAnswers.stop();
        events.onClose(code, reason);
      },
      onDrain: () => this.#watchFlow(),
    });
  }

  get remoteAddress(): string {
    return this.#link.remoteAddress;
  }

  get identity(): Identity {
    return this.#link.identity;
  }

  /** Monotonic time of the last frame from the peer, and to it. */
  get lastHeardAt(): number {
    return this.#lastHeardAt;
  }

  get lastSentAt(): number {
    return this.#lastSentAt;
  }

  /** True while the peer does not drain: give it no new work. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Takes a message for the next flush. Dropped once the link is closed. */
  send(message: Message): void {
    if (!this.#link.isOpen) return;
    if (this.#isFull && message.type === 'task_progress') {
      const { taskId, attempt } = message.payload;
      const key = `${taskId} ${attempt}`;
      if (this.#progress.has(key)) this.#counters.progressConflated += 1;
      this.#progress.set(key, message);
      return;
    }
    this.#put(message);
    this.wake();
  }

  /** The same, for what may wait `acceptMs` for something to ride along with, if that is not in vain. Messages keep their order. */
  sendLater(message: Message): void {
    if (!this.#link.isOpen) return;
    this.#put(message);
    this.#wakeFor(this.#lateAnswers);
  }

  /** Makes sure that a flush comes at the end of this turn. */
  wake(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#departSoon();
  }

  /** Makes sure that a flush comes within `acknowledgeMs`, if none does before. */
  wakeLater(): void {
    this.#wakeFor(this.#lateAcks);
  }

  /** The turn ends: what is due is sent; what may wait, and had nothing to ride along with until now, waits. */
  depart(): void {
    this.#isDeparting = false;
    if (this.#isFlushDue) this.flush();
    else if (this.#link.isOpen) {
      this.#lateAcks.begin();
      this.#lateAnswers.begin();
    }
  }

  /** Sends what was gathered. */
  flush(): void {
    // What rides along must not ask for another flush.
    this.#isFlushDue = true;
    if (this.#link.isOpen) this.#events.beforeFlush?.();
    this.#isFlushDue = false;
    this.#lateAcks.flushed();
    this.#lateAnswers.flushed();
    this.#write();
  }

  /** Says why, where that is still possible, and closes in order. */
  close(error: PincerError): void {
    this.flush();
    this.#link.close(closeCodeOf(error.code), reasonOf(error));
  }

  /** Closes in order, without a complaint. */
  end(): void {
    this.flush();
    this.#link.close(1000, '');
  }

  terminate(): void {
    this.#link.terminate();
  }

  #departSoon(): void {
    if (this.#isDeparting) return;
    this.#isDeparting = true;
    this.#departures.add(this);
  }

  #put(message: Message): void {
    this.#writer.addMessage(message);
    // Much at once does not wait for the end of the turn: it would only grow.
    if (this.#writer.bytes >= this.#limits.sendBytesLow) this.#write();
  }

  #wakeFor(late: LateFlush): void {
    if (late.spare()) this.wake();
    else if (!this.#isFlushDue && late.wait()) this.#departSoon();
  }

  #write(): void {
    const frames = this.#writer.take();
    if (frames.length === 0 || !this.#link.isOpen) return;
    for (const { bytes, messages } of frames) {
      this.#counters.framesOut += 1;
      this.#counters.messagesOut += messages;
      this.#counters.bytesOut += bytes.byteLength;
      this.#link.send(bytes);
    }
    this.#lastSentAt = this.#clock.now();
    this.#watchFlow();
  }

  #watchFlow(): void {
    const { sendBytesHigh, sendBytesLow, sendBytesMax, sendStallMs } = this.#limits;
    const waiting = this.#link.bufferedBytes;
    if (waiting > sendBytesMax) {
      this.#fault(
        new PincerError('SLOW_CONSUMER', `${waiting} bytes wait for the peer, more than ${sendBytesMax}`),
        true,
      );
    } else if (!this.#isFull && waiting > sendBytesHigh) {
      this.#isFull = true;
      this.#events.onFlow?.(true);
      this.#watchStall(waiting, sendStallMs);
    } else if (this.#isFull && waiting <= sendBytesLow) {
      this.#isFull = false;
      this.#cancelStall?.();
      this.#cancelStall = null;
      // Sending may fill the link again, and what is sent then is held back anew.
      const held = [...this.#progress.values()];
      this.#progress.clear();
      for (const message of held) this.send(message);
      if (!this.#isFull) this.#events.onFlow?.(false);
    }
  }

  #watchStall(before: number, stallMs: number): void {
    this.#cancelStall = this.#clock.schedule(stallMs, () => {
      if (!this.#link.isOpen) return;
      const waiting = this.#link.bufferedBytes;
      if (waiting >= before) {
        this.#fault(
          new PincerError('SLOW_CONSUMER', `${waiting} bytes have waited for the peer for ${stallMs} ms`),
          true,
        );
      } else this.#watchStall(waiting, stallMs);
    });
  }

  #receive(frame: Uint8Array): void {
    if (this.#isFaulty) return;
    const now = this.#clock.now();
    this.#lastHeardAt = now;
    this.#counters.framesIn += 1;
    this.#counters.bytesIn += frame.byteLength;
    const waitMs = Math.max(this.#frames.take(1, now), this.#bytes.take(frame.byteLength, now));
    if (waitMs > 0) {
      this.#link.pause();
      this.#cancelResume?.();
      this.#cancelResume = this.#clock.schedule(waitMs, () => this.#link.resume());
    }
    let messages: readonly Message[];
    try {
      messages = readFrame(frame, this.#limits) ?? decodeFrame(frame, this.#limits).map(parseMessage);
    } catch (error) {
      this.#fault(
        error instanceof PincerError ? error : new PincerError('FRAME_INVALID', 'the frame cannot be decoded'),
      );
      return;
    }
    this.#counters.messagesIn += messages.length;
    this.#events.onMessages(messages);
  }

  #fault(error: PincerError, isDeaf = false): void {
    if (this.#isFaulty) return;
    this.#isFaulty = true;
    this.#events.onFault(error);
    if (isDeaf) this.#link.terminate();
    else this.close(error);
  }
}

/** `CODE: message`, within the 123 bytes that a WebSocket close frame has room for. */
function reasonOf(error: PincerError): string {
  const text = `${error.code}: ${error.message}`
    .replace(/[–—]/g, '-')
    .replace(/[‘’]/g, "'")
    .replace(/[^\x20-\x7e]/g, '?');
  return text.length > 123 ? `${text.slice(0, 120)}...` : text;
}

export function createPostCounters(): PostCounters {
  return {
    framesIn: 0,
    framesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    messagesIn: 0,
    messagesOut: 0,
    progressConflated: 0,
  };
}

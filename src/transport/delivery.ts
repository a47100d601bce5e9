/**
 * Reliable delivery within one session, across links. Outward, reliable messages are numbered from 1 and kept until the
 * peer acknowledges them; while the peer does not drain what it is sent they wait here. Inward, a number seen before is
 * dropped and a missing one is a gap. A message is acknowledged when its receiver is done with it (a result: when it is
 * stored), so an acknowledgement is a promise. Nobody waits for it but those who keep what it is for, so it rides along
 * with what is sent next, or goes alone a moment later.
 */
import { PincerError } from '../protocol/failure.ts';
import type { Limits } from '../protocol/limits.ts';
import { MESSAGES, type Message, type MessageType, type Payload } from '../protocol/message.ts';
import type { Post } from './post.ts';

interface Kept {
  readonly message: Message;
  readonly options: SendOptions;
  /** Of its opaque bytes. */
  readonly bytes: number;
}

export interface SendOptions {
  /** The message this one answers. */
  readonly re?: number | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly timestamp?: number | undefined;
  /** It may wait `acceptMs` for another message to ride along with. */
  readonly mayWait?: boolean;
  /** Called once, when the peer has acknowledged a reliable message. */
  readonly onAcknowledged?: () => void;
  /** Called once instead, when the session ends and it never will be. */
  readonly onAbandoned?: () => void;
}

export type DeliveryLimits = Pick<Limits, 'unacknowledgedMax' | 'unacknowledgedBytesMax' | 'acknowledgeMax'>;

const NO_OPTIONS: SendOptions = Object.freeze({});

export class Delivery {
  readonly #limits: DeliveryLimits;
  readonly #kept: (Kept | undefined)[] = [];
  /** Where `#kept` begins: what lies before it was acknowledged, and is let go. */
  #keptFrom = 0;
  #lastId = 0;
  /** How far the present link was given what is kept. */
  #passed = 0;
  #acknowledged = 0;
  #accepted = 0;
  #received = 0;
  readonly #doneAhead = new Set<number>();
  #isAckDue = false;
  /** Messages that were dealt with since the last acknowledgement. */
  #owed = 0;
  #keptBytes = 0;
  #isLaden = false;
  #post: Post | null = null;
  /** While something is not acknowledged: how far the peer has got, and when it was first seen to be there. */
  #stall: { readonly acknowledged: number; at: number } | null = null;
  /** Duplicates dropped, for the counters. */
  duplicates = 0;
  /** Called when it is laden no more. */
  onLight: () => void = () => {};

  constructor(limits: DeliveryLimits) {
    this.#limits = limits;
  }

  /** Every number up to this one has been received and dealt with. */
  get received(): number {
    return this.#received;
  }

  /** Reliable messages that the peer has not acknowledged. */
  get unacknowledged(): number {
    return this.#lastId - this.#acknowledged;
  }

  /** Whether `unacknowledgedBytesMax` are kept for the peer, and it has not acknowledged half of them since. */
  get isLaden(): boolean {
    return this.#isLaden;
  }

  get isAttached(): boolean {
    return this.#post !== null;
  }

  /**
   * Sends a message. Without a link, a reliable one waits for the next and any other is dropped. Returns its number, 0 if unreliable.
   * @throws PincerError `SLOW_CONSUMER` when more than `unacknowledgedMax` would be kept.
   */
  send<Type extends MessageType>(type: Type, payload: Payload<Type>, options: SendOptions = NO_OPTIONS): number {
    const isReliable = MESSAGES[type].reliable;
    if (isReliable && this.unacknowledged >= this.#limits.unacknowledgedMax) {
      throw new PincerError('SLOW_CONSUMER', `${this.unacknowledged} messages wait to be acknowledged`);
    }
    // What is undefined is left out when it is written; objects of one form are made and read faster.
    const { re, from, to, timestamp } = options;
    const id = isReliable ? ++this.#lastId : undefined;
    const message = { type, id, re, from, to, timestamp, payload } as unknown as Message;
    if (id !== undefined) {
      this.#keep({ message, options, bytes: bytesOf(message) });
      // All of it would be handed over at once otherwise, however much it is, and the peer cut off for being slow.
      if (this.#post === null || this.#passed !== id - 1 || this.#post.isFull) return id;
      this.#passed = id;
    }
    if (options.mayWait === true) this.#post?.sendLater(message);
    else this.#post?.send(message);
    return id ?? 0;
  }

  /**
   * The messages that are new, in order. Acknowledgements are dealt with here.
   * @throws PincerError `SESSION_GAP` when a number is missing; then none of them counts as received.
   */
  accept(messages: readonly Message[]): readonly Message[] {
    const fresh: Message[] = [];
    const before = this.#accepted;
    for (const message of messages) {
      if (message.type === 'ack') this.#acknowledge(message.payload.received);
      else if (message.id === undefined) fresh.push(message);
      else if (message.id <= this.#accepted) {
        this.duplicates += 1;
        // The peer may be replaying because it missed the acknowledgement.
        if (message.id <= this.#received) this.sendSignOfLife();
      } else if (message.id === this.#accepted + 1) {
        this.#accepted = message.id;
        fresh.push(message);
      } else {
        const last = this.#accepted;
        this.#accepted = before;
        throw new PincerError('SESSION_GAP', `message ${message.id} came after ${last}`);
      }
    }
    return fresh;
  }

  /** Says that an accepted message has been dealt with for good. Harmless for unreliable ones. To be passed about as it is. */
  readonly done = (message: Message): void => {
    const { id, type } = message;
    if (id === undefined) return;
    if (id === this.#received + 1) {
      this.#received = id;
      while (this.#doneAhead.delete(this.#received + 1)) this.#received += 1;
    } else this.#doneAhead.add(id);
    this.#owed += 1;
    this.#isAckDue = true;
    // Whoever sent a message to another peer waits for that one’s acknowledgement. Any other may wait for company.
    const isUrgent = type === 'direct' || type === 'broadcast' || this.#owed >= this.#limits.acknowledgeMax;
    if (isUrgent) this.#post?.wake();
    else this.#post?.wakeLater();
  };

  /** Whether all that follows this number is still kept. If not, the peer would wait for ever for what is gone, or drop what is new. */
  canResumeFrom(received: number): boolean {
    return received >= this.#acknowledged && received <= this.#lastId;
  }

  /** Joins a link: replays what the peer has not received, of a session that resumes. */
  attach(post: Post, peerReceived: number): void {
    this.#post = post;
    this.#ackSaid();
    this.#acknowledge(peerReceived);
    this.#passed = this.#acknowledged;
    this.letThrough();
  }

  /** Sends what waits, until the peer has enough of it again. To be called when it drains. */
  letThrough(): void {
    const post = this.#post;
    if (post === null) return;
    while (this.#passed < this.#lastId && !post.isFull) {
      this.#passed += 1;
      const kept = this.#kept[this.#keptFrom + this.#passed - this.#acknowledged - 1];
      if (kept !== undefined) post.send(kept.message);
    }
  }

  /**
   * Replays what is not acknowledged, if nothing has been for `stalledMs`: of frames that were lost on a link that lives,
   * only a later one would show the gap. What the peer has already is dropped there. To be called now and then.
   */
  replayIfStalled(nowMs: number, stalledMs: number): void {
    if (this.unacknowledged === 0) {
      this.#stall = null;
    } else if (this.#stall?.acknowledged !== this.#acknowledged) {
      this.#stall = { acknowledged: this.#acknowledged, at: nowMs };
    } else if (this.#post !== null && !this.#post.isFull && nowMs - this.#stall.at >= stalledMs) {
      this.#stall.at = nowMs;
      this.#passed = this.#acknowledged;
      this.letThrough();
    }
  }

  detach(): void {
    this.#post = null;
  }

  /** The session is over: what was not acknowledged never will be. */
  end(): void {
    this.#post = null;
    const abandoned = this.#kept.slice(this.#keptFrom);
    this.#kept.length = 0;
    this.#keptFrom = 0;
    this.#acknowledged = this.#lastId;
    this.#passed = this.#lastId;
    this.#keptBytes = 0;
    this.#isLaden = false;
    for (const kept of abandoned) kept?.options.onAbandoned?.();
  }

  /** Sends the acknowledgement that is owed, if any. The post has it called right before each flush. */
  flushAck(): void {
    if (!this.#isAckDue || this.#post === null) return;
    this.#ackSaid();
    this.#post.send({ type: 'ack', payload: { received: this.#received } });
  }

  /** Sends an acknowledgement at the end of this turn, even if none is owed: a sign of life. */
  sendSignOfLife(): void {
    this.#isAckDue = true;
    this.#post?.wake();
  }

  #keep(kept: Kept): void {
    this.#kept.push(kept);
    this.#keptBytes += kept.bytes;
    if (this.#keptBytes >= this.#limits.unacknowledgedBytesMax) this.#isLaden = true;
  }

  #ackSaid(): void {
    this.#isAckDue = false;
    this.#owed = 0;
  }

  #acknowledge(received: number): void {
    // A peer can only acknowledge what was sent.
    const upTo = Math.min(received, this.#lastId);
    while (this.#acknowledged < upTo) {
      this.#acknowledged += 1;
      const kept = this.#kept[this.#keptFrom];
      // At once: what outlives two young collections by standing here a little longer costs an old one.
      this.#kept[this.#keptFrom] = undefined;
      this.#keptFrom += 1;
      this.#keptBytes -= kept?.bytes ?? 0;
      kept?.options.onAcknowledged?.();
    }
    // Cut off the acknowledged head now and then: shifting an array once a message would be O(n) each.
    if (this.#keptFrom > 1_024 && this.#keptFrom * 2 > this.#kept.length) {
      this.#kept.splice(0, this.#keptFrom);
      this.#keptFrom = 0;
    } else if (this.#keptFrom === this.#kept.length) {
      this.#kept.length = 0;
      this.#keptFrom = 0;
    }
    if (this.#isLaden && this.#keptBytes * 2 <= this.#limits.unacknowledgedBytesMax) {
      this.#isLaden = false;
      this.onLight();
    }
  }
}

function bytesOf({ type, payload }: Message): number {
  switch (type) {
    case 'task_settled':
      return payload.result?.byteLength ?? 0;
    case 'task_assign':
    case 'task_submit':
      return payload.payload.byteLength;
    case 'direct':
    case 'broadcast':
      return payload.body.byteLength;
    case 'answer':
      return payload['result'] instanceof Uint8Array ? payload['result'].byteLength : 0;
    default:
      return 0;
  }
}

/** One peer’s presence on the gateway: its delivery across links, its link of the moment, its waits. */
import type { FailureCode, PincerError } from '../../../protocol/failure.ts';
import type { Message, MessageType, Payload } from '../../../protocol/message.ts';
import type { PeerKind } from '../../../protocol/node.ts';
import type { Delivery, SendOptions } from '../../../transport/delivery.ts';
import type { Post } from '../../../transport/post.ts';
import type { Deadline } from '../../world/deadlines.ts';

/** `post` is null while it is detached. */
export class Session {
  readonly id: string;
  readonly delivery: Delivery;
  post: Post | null;
  peerId = '';
  kind: PeerKind = 'client';
  incarnation = '';
  wait: Deadline | null = null;
  silence: Deadline | null = null;
  /** Since when it has been silent for so long that it may be gone; null: it was heard of. */
  suspectedAt: number | null = null;
  /** Set once the register was accepted; messages before that are a fault. */
  isAttached = false;
  /** While the register is being decided on, what comes behind it waits here. */
  held: Message[] | null = null;
  fault: PincerError | null = null;
  /** It could not keep a message that it had to: it cannot be resumed. */
  isBroken = false;
  isClosed = false;
  #name = '';
  /** What waits until the peer has less to acknowledge, in order. */
  #postponed: (() => Promise<void>)[] = [];
  #isCatchingUp = false;

  constructor(id: string, delivery: Delivery, post: Post | null) {
    this.id = id;
    this.delivery = delivery;
    this.post = post;
  }

  /** Who it is to the store, once it is attached: the tasks of one peer share the name. */
  get name(): string {
    this.#name ||= `${this.kind} ${this.peerId}`;
    return this.#name;
  }

  get remoteAddress(): string {
    return this.post?.remoteAddress ?? '';
  }

  get lastHeardAt(): number | undefined {
    return this.post?.lastHeardAt;
  }

  /** True while the peer does not drain, has much to acknowledge, or is away: give it no new work. */
  get isFull(): boolean {
    return this.post === null || this.post.isFull || this.delivery.isLaden;
  }

  /**
   * Does what may send the peer much: at once, or if it has much to acknowledge as soon as it has less, one after another.
   * Resolves when it has been done or put off.
   */
  async whenLight(job: () => Promise<void>): Promise<void> {
    if (this.#postponed.length === 0 && !this.delivery.isLaden) await job();
    else this.#postponed.push(job);
  }

  /** The peer has acknowledged what it had too much of. */
  async catchUp(): Promise<void> {
    if (this.#isCatchingUp) return;
    this.#isCatchingUp = true;
    while (!this.isClosed && !this.delivery.isLaden) {
      const job = this.#postponed.shift();
      if (job === undefined) break;
      await job();
    }
    this.#isCatchingUp = false;
  }

  send<Type extends MessageType>(type: Type, payload: Payload<Type>, options?: SendOptions): void {
    try {
      this.delivery.send(type, payload, options);
    } catch (error) {
      // Nobody reads at the other end: the link goes, and with it the session.
      this.isBroken = true;
      this.fault = error as PincerError;
      this.post?.terminate();
    }
  }
}

/** How long a peer has been silent: long enough to be suspected, heard of again, or for good. */
export type Silence = 'suspected' | 'broken' | 'passed';

/** Who is told what becomes of sessions. */
export interface SessionsOwner {
  /** Decides on a register. Throws what the peer is refused with. */
  onRegister(
    session: Session,
    claim: Payload<'register'>,
  ): Promise<{ capabilities: readonly string[]; drop: Payload<'welcome'>['drop'] }>;
  /** Another process of its name is about to register: its session ends next. */
  onSucceeded(older: Session): void;
  onAttached(session: Session, claim: Payload<'register'>): void;
  /** The link went while the register was being decided on, and the peer is not here otherwise. */
  onAbandoned(session: Session): void;
  onDetached(session: Session): void;
  onResumed(session: Session, claim: Payload<'register'>): void;
  onClosed(session: Session, code: FailureCode | null): void;
  onSilence(session: Session, event: Silence): void;
  /** New messages of one frame, each legal for the kind of peer. */
  onMessages(session: Session, messages: readonly Message[]): void;
  onFlow(session: Session): void;
}

/**
 * Who is connected: a session chart per peer, its link of the moment, and its delivery across links. Who may come in is
 * decided in admission.ts; what the messages mean is the inbox’s business.
 */
import type { AnyActorRef } from 'xstate';
import { type SessionCommand, type SessionEvent, sessionMachine } from '../../../machines/session.ts';
import { type FailureCode, PincerError } from '../../../protocol/failure.ts';
import { MESSAGES, type Message } from '../../../protocol/message.ts';
import { unexpected } from '../../../protocol/unexpected.ts';
import { Delivery } from '../../../transport/delivery.ts';
import type { Link } from '../../../transport/link.ts';
import { Post, type PostCounters } from '../../../transport/post.ts';
import { createHost, type Host } from '../../charts/actor-host.ts';
import type { World } from '../../world/world.ts';
import { Admission } from './admission.ts';
import { refuse } from './farewell.ts';
import { Session, type SessionsOwner } from './session.ts';
import { watchSilence } from './silence.ts';

export class Sessions {
  readonly #world: World;
  readonly #owner: SessionsOwner;
  readonly #admission: Admission;
  readonly #host: Host<typeof sessionMachine>;
  readonly #sessions = new Map<string, Session>();
  /** Whose link a post is now: a link that resumes an older session changes hands. */
  readonly #byPost = new WeakMap<Post, Session>();
  readonly counters: PostCounters;
  /** Links closed for a fault, by code. */
  readonly faults = new Map<string, number>();
  /** Links that have not closed yet, whoever they belong to. */
  readonly #open = new Set<Post>();
  #isClosing = false;
  #whenClosed: () => void = () => {};

  constructor(
    world: World,
    options: { parent: AnyActorRef; owner: SessionsOwner; gatewayId: string; counters: PostCounters },
  ) {
    this.#world = world;
    this.#owner = options.owner;
    this.#admission = new Admission(world, {
      gatewayId: options.gatewayId,
      owner: options.owner,
      sessions: {
        all: () => this.#sessions.values(),
        find: (id) => this.#sessions.get(id),
        tell: (session, event) => this.tell(session, event),
        handOver: (post, session) => this.#byPost.set(post, session),
        countFault: (code) => this.#countFault(code),
      },
    });
    this.counters = options.counters;
    this.#host = createHost(sessionMachine, {
      charts: world.charts,
      parent: options.parent,
      id: 'sessions',
      owner: {
        onCommand: (id, command) => this.#run(id, command),
        onDone: (id) => this.#forget(id),
        onError: (id, error) => {
          world.log.error('session.crashed', { session: id, error: String(error) });
          this.#sessions.get(id)?.post?.terminate();
          this.#forget(id);
        },
      },
    });
  }

  get size(): number {
    return this.#sessions.size;
  }

  all(): IterableIterator<Session> {
    return this.#sessions.values();
  }

  /** A link has come in. */
  open(link: Link): void {
    const { clock, ids, limits, deadlines, departures } = this.#world;
    if (this.#isClosing) {
      link.close(4412, 'GATEWAY_DRAINING: the gateway is about to stop');
      return;
    }
    const id = ids();
    const post: Post = new Post({
      link,
      clock,
      limits,
      departures,
      counters: this.counters,
      events: {
        onMessages: (messages) => this.#receive(post, messages),
        onFault: (error) => {
          this.#countFault(error.code);
          const session = this.#ownerOf(post);
          if (session !== undefined) session.fault = error;
        },
        onClose: () => {
          this.#open.delete(post);
          this.#onLinkClosed(post);
          if (this.#open.size === 0) this.#whenClosed();
        },
        onFlow: (isFull) => {
          const session = this.#ownerOf(post);
          if (session === undefined) return;
          if (!isFull) session.delivery.letThrough();
          this.#owner.onFlow(session);
        },
        beforeFlush: () => this.#ownerOf(post)?.delivery.flushAck(),
      },
    });
    const session = new Session(id, new Delivery(limits), post);
    session.delivery.onLight = () => {
      void session.catchUp();
      this.#owner.onFlow(session);
    };
    this.#open.add(post);
    this.#byPost.set(post, session);
    this.#sessions.set(id, session);
    this.#host.spawn(id, undefined as never);
    session.wait = deadlines.set(limits.handshakeMs, () => this.tell(session, { type: 'handshake.expired' }));
  }

  tell(session: Session, event: SessionEvent): void {
    this.#host.tell(session.id, event);
  }

  /** Ends every session: those who know another gateway move there, the others come back. */
  sendAway(): void {
    for (const session of [...this.#sessions.values()]) this.tell(session, { type: 'session.stop' });
  }

  /** Ends every session and takes no more. Resolves when all have been told, and their links are closed. */
  stop(): Promise<void> {
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => {
      this.#whenClosed = resolve;
    });
    this.sendAway();
    if (this.#open.size === 0) this.#whenClosed();
    return closed;
  }

  #ownerOf(post: Post): Session | undefined {
    const session = this.#byPost.get(post);
    return session?.post === post ? session : undefined;
  }

  #receive(post: Post, messages: readonly Message[]): void {
    const session = this.#ownerOf(post);
    if (session === undefined) return;
    if (session.held !== null) session.held.push(...messages);
    else if (session.isAttached) this.#pass(session, messages);
    else {
      const [first, ...rest] = messages;
      if (first === undefined) return;
      session.held = rest;
      void this.#admit(session, post, first);
    }
  }

  #pass(session: Session, messages: readonly Message[]): void {
    if (session.suspectedAt !== null) {
      session.suspectedAt = null;
      this.#owner.onSilence(session, 'broken');
    }
    try {
      const fresh = session.delivery.accept(messages);
      for (const message of fresh) this.#checkSender(session, message);
      this.#reassure(session);
      this.#owner.onMessages(session, fresh);
    } catch (error) {
      if (!(error instanceof PincerError)) throw error;
      this.#countFault(error.code);
      session.fault = error;
      // A gap is mended by resuming over a new link; anything else ends the session.
      if (error.code === 'SESSION_GAP') session.post?.close(error);
      else this.tell(session, { type: 'protocol.violated', code: error.code as FailureCode });
    }
  }

  /** A peer with nothing to do hears from us now and then, or it would take us for dead. */
  #reassure({ post, delivery }: Session): void {
    const { clock, limits } = this.#world;
    const now = clock.now();
    delivery.replayIfStalled(now, limits.suspectAfterMs);
    if (post !== null && now - post.lastSentAt >= limits.heartbeatMs / 2) delivery.sendSignOfLife();
  }

  #checkSender(session: Session, message: Message): void {
    const senders: readonly string[] = MESSAGES[message.type].from;
    if (!senders.includes(session.kind) || message.type === 'register') {
      throw new PincerError('MESSAGE_UNEXPECTED', `${message.type} is not for a ${session.kind} to send now`);
    }
    if (message.from !== undefined && message.from !== session.peerId) {
      throw new PincerError(
        'IDENTITY_MISMATCH',
        `${message.type} says it is from ${message.from}, over the link of ${session.peerId}`,
      );
    }
  }

  async #admit(session: Session, post: Post, message: Message): Promise<void> {
    const admitted = await this.#admission.admit(session, post, message);
    if (admitted === null || admitted.post !== post) return;
    this.#watch(admitted);
    const held = admitted.held ?? [];
    admitted.held = null;
    if (held.length > 0) this.#pass(admitted, held);
  }

  #onLinkClosed(post: Post): void {
    const session = this.#ownerOf(post);
    if (session === undefined) return;
    session.post = null;
    session.held = null;
    session.delivery.detach();
    session.silence?.clear();
    if (session.isBroken) {
      this.tell(session, { type: 'peer.left' });
      return;
    }
    // A peer that broke the protocol has no session to come back to.
    if (session.fault !== null && !session.fault.retryable && session.isAttached) {
      this.tell(session, { type: 'protocol.violated', code: session.fault.code as FailureCode });
      return;
    }
    this.tell(session, { type: 'link.closed' });
  }

  #run(id: string, command: SessionCommand): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    switch (command.type) {
      case 'session.opened':
        this.#world.log.info('session.opened', { session: id, peer: session.peerId, kind: session.kind });
        break;
      case 'session.resumed':
        this.#world.log.info('session.resumed', { session: id, peer: session.peerId });
        break;
      case 'session.detached': {
        const { resumeWindowMs } = this.#world.limits;
        session.wait = this.#world.deadlines.set(resumeWindowMs, () => this.tell(session, { type: 'resume.expired' }));
        this.#owner.onDetached(session);
        break;
      }
      case 'session.closed':
        this.#world.log.info('session.closed', { session: id, peer: session.peerId, code: command.code });
        this.#owner.onClosed(session, command.code);
        break;
      case 'peer.refuse':
        refuse(session, command.code, this.#world.limits);
        break;
      default:
        unexpected(command);
    }
  }

  #watch(session: Session): void {
    watchSilence(session, this.#world, (event) => {
      this.#owner.onSilence(session, event);
      if (event !== 'passed') return;
      // What it was running is placed elsewhere now: should it come back, it starts anew and is reconciled.
      const { post } = session;
      session.post = null;
      post?.terminate();
      this.tell(session, { type: 'peer.left' });
    });
  }

  #countFault(code: string): void {
    this.faults.set(code, (this.faults.get(code) ?? 0) + 1);
  }

  #forget(id: string): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    session.wait?.clear();
    session.silence?.clear();
    session.isClosed = true;
    session.delivery.end();
    const { post } = session;
    session.post = null;
    post?.end();
    this.#sessions.delete(id);
  }
}

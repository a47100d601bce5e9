/**
 * Who may come in: decides on the register that opens a link. It resumes an older session of the same process, or begins
 * a new one; of several processes with one id the newest counts.
 */
import type { SessionEvent } from '../../../machines/session.ts';
import { type FailureCode, PincerError } from '../../../protocol/failure.ts';
import type { Message, Payload } from '../../../protocol/message.ts';
import { agreeOnVersion, expectRegister } from '../../../transport/handshake.ts';
import type { Post } from '../../../transport/post.ts';
import type { World } from '../../world/world.ts';
import type { Session, SessionsOwner } from './session.ts';

export type AdmissionOwner = Pick<
  SessionsOwner,
  'onRegister' | 'onSucceeded' | 'onAttached' | 'onResumed' | 'onAbandoned'
>;

export interface AdmissionSessions {
  all(): Iterable<Session>;
  find(id: string): Session | undefined;
  tell(session: Session, event: SessionEvent): void;
  /** From now on a link belongs to this session. */
  handOver(post: Post, session: Session): void;
  countFault(code: string): void;
}

export class Admission {
  readonly #world: World;
  readonly #gatewayId: string;
  readonly #sessions: AdmissionSessions;
  readonly #owner: AdmissionOwner;

  constructor(world: World, options: { gatewayId: string; sessions: AdmissionSessions; owner: AdmissionOwner }) {
    this.#world = world;
    this.#gatewayId = options.gatewayId;
    this.#sessions = options.sessions;
    this.#owner = options.owner;
  }

  /** Lets a link in or refuses it. Returns the session that the link belongs to now, or null. */
  async admit(session: Session, post: Post, message: Message): Promise<Session | null> {
    try {
      const claim = expectRegister(message);
      const protocol = agreeOnVersion(claim.protocol);
      session.peerId = claim.nodeId;
      session.kind = claim.nodeType;
      session.incarnation = claim.incarnation;
      const older = this.#resumable(session, claim);
      if (older !== null) return this.#resume(session, older, post, claim, protocol);
      this.#supersede(session);
      return await this.#begin(session, post, claim, protocol);
    } catch (error) {
      const refusal =
        error instanceof PincerError ? error : new PincerError('INTERNAL', 'the register failed', { cause: error });
      if (refusal.code === 'INTERNAL') this.#world.log.error('register.failed', { error: String(error) });
      session.fault = refusal;
      this.#sessions.countFault(refusal.code);
      this.#sessions.tell(session, { type: 'register.refused', code: refusal.code as FailureCode });
      // Whom it superseded is gone, and it does not take over.
      if (this.#othersOf(session).length === 0) this.#owner.onAbandoned(session);
      return null;
    }
  }

  async #begin(session: Session, post: Post, claim: Payload<'register'>, protocol: number): Promise<Session | null> {
    const { capabilities, drop } = await this.#owner.onRegister(session, claim);
    if (session.post !== post) {
      if (this.#othersOf(session).length === 0) this.#owner.onAbandoned(session);
      return null;
    }
    post.send({ type: 'welcome', payload: this.#welcome(session, protocol, false, capabilities, drop) });
    session.delivery.attach(post, 0);
    session.isAttached = true;
    session.wait?.clear();
    this.#sessions.tell(session, { type: 'register.accepted' });
    this.#owner.onAttached(session, claim);
    // Only now: what the process still runs is reconciled, and belongs to its new session.
    for (const older of this.#othersOf(session)) {
      if (older.isAttached) this.#sessions.tell(older, { type: 'peer.left' });
    }
    return session;
  }

  /** The session that a register asks to resume, if it is this peer’s, still open, and has lost nothing. */
  #resumable(session: Session, claim: Payload<'register'>): Session | null {
    const wanted = claim.resume === undefined ? undefined : this.#sessions.find(claim.resume.session);
    if (wanted === undefined || wanted === session || !wanted.isAttached || wanted.isBroken) return null;
    const isSame =
      wanted.peerId === claim.nodeId && wanted.kind === claim.nodeType && wanted.incarnation === claim.incarnation;
    return isSame && wanted.delivery.canResumeFrom(claim.resume?.received ?? 0) ? wanted : null;
  }

  #resume(newer: Session, session: Session, post: Post, claim: Payload<'register'>, protocol: number): Session {
    session.post?.terminate();
    session.post = post;
    this.#sessions.handOver(post, session);
    newer.post = null;
    session.held = newer.held;
    session.wait?.clear();
    session.fault = null;
    session.suspectedAt = null;
    this.#sessions.tell(newer, { type: 'register.merged' });
    post.send({ type: 'welcome', payload: this.#welcome(session, protocol, true, claim.capabilities, []) });
    session.delivery.attach(post, claim.resume?.received ?? 0);
    this.#sessions.tell(session, { type: 'link.resumed' });
    this.#owner.onResumed(session, claim);
    return session;
  }

  /** The newest register of an id counts. Sessions of the same process stay until what it runs has been reconciled. */
  #supersede(session: Session): void {
    for (const other of this.#othersOf(session)) {
      if (other.incarnation !== session.incarnation) {
        other.fault = new PincerError('SUPERSEDED', `another process registered as ${session.peerId}`);
        if (other.isAttached) this.#owner.onSucceeded(other);
        this.#sessions.tell(
          other,
          other.isAttached ? { type: 'session.superseded' } : { type: 'register.refused', code: 'SUPERSEDED' },
        );
      } else if (!other.isAttached) {
        // It dialled again before the first register was decided on.
        const { post } = other;
        other.post = null;
        post?.terminate();
        this.#sessions.tell(other, { type: 'link.closed' });
      }
    }
  }

  /** The other sessions under a session’s id, attached or about to be. */
  #othersOf(session: Session): Session[] {
    const { peerId } = session;
    return [...this.#sessions.all()].filter(
      (other) => other !== session && other.peerId === peerId && (other.isAttached || other.held !== null),
    );
  }

  #welcome(
    { id, delivery }: Session,
    protocol: number,
    resumed: boolean,
    capabilities: readonly string[],
    drop: Payload<'welcome'>['drop'],
  ): Payload<'welcome'> {
    const { heartbeatMs, offlineAfterMs, resumeWindowMs, frameBytesMax, payloadBytesMax } = this.#world.limits;
    return {
      protocol,
      gatewayId: this.#gatewayId,
      session: id,
      resumed,
      received: resumed ? delivery.received : 0,
      capabilities: [...capabilities],
      policy: { heartbeatMs, offlineAfterMs, resumeWindowMs, frameBytesMax, payloadBytesMax },
      drop,
    };
  }
}

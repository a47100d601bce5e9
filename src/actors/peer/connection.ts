/**
 * A node’s or client’s way to its gateway: runs the link chart, dials and dials again, keeps the session across links.
 * What the messages mean is its owner’s business.
 */
import type { Actor, AnyActorRef } from 'xstate';
import { type LinkCommand, linkMachine } from '../../machines/link.ts';
import { backoffMs, spreadMs } from '../../machines/policies/retry.ts';
import { PincerError } from '../../protocol/failure.ts';
import { type Message, type MessageType, type Payload, PROTOCOL_VERSIONS } from '../../protocol/message.ts';
import { unexpected } from '../../protocol/unexpected.ts';
import { Delivery, type SendOptions } from '../../transport/delivery.ts';
import { closeError, isFinal, readingLimits } from '../../transport/handshake.ts';
import type { Dial, Link } from '../../transport/link.ts';
import { createPostCounters, Post } from '../../transport/post.ts';
import { startActor } from '../charts/start-actor.ts';
import type { Deadline } from '../world/deadlines.ts';
import type { World } from '../world/world.ts';
import { Dialler } from './dialler.ts';

export interface ConnectionOwner {
  /** What to register as, asked anew for each link. */
  register(): Omit<Payload<'register'>, 'protocol' | 'resume'>;
  /** Welcome. If `resumed` is false the session is new: whatever was under way must be said again. */
  onUp(welcome: Payload<'welcome'>): void;
  onDown(): void;
  /** A message for the owner, which calls `done` with it once it has dealt with it for good. */
  onMessage(message: Message, done: (message: Message) => void): void;
  /** The gateway refuses for good. */
  onRefused(error: PincerError): void;
}

export interface Connection {
  readonly isUp: boolean;
  /** The last reason for being down, for `GATEWAY_UNREACHABLE` messages. */
  readonly lastError: PincerError | null;
  /** The gateway’s policy, once welcomed. */
  readonly welcome: Payload<'welcome'> | null;
  /** True while the gateway does not drain what it is sent. */
  readonly isFull: boolean;
  /** Sends within the session; returns the message’s number, 0 if unreliable. Without a session, 0 and nothing is sent. */
  send<Type extends MessageType>(type: Type, payload: Payload<Type>, options?: SendOptions): number;
  /** Resolves when the peer can take more. */
  whenRoom(): Promise<void>;
  /** Leaves the present gateway for another one, which begins a new session. False: no other is known. */
  moveOn(): boolean;
  /** Says what is left to say, hangs up, and resolves when the link is closed. Idempotent. */
  stop(): Promise<void>;
}

export function connect(
  world: World,
  options: { dials: readonly Dial[]; owner: ConnectionOwner; parent?: AnyActorRef },
): Connection {
  const { clock, random, limits, deadlines, departures, log } = world;
  const { owner, parent } = options;
  const dialler = new Dialler(options.dials, world);
  let post: Post | null = null;
  let session: { readonly id: string; readonly delivery: Delivery } | null = null;
  let welcome: Payload<'welcome'> | null = null;
  let isUp = false;
  let lastError: PincerError | null = null;
  let retryAfterMs = 0;
  let wait: Deadline | null = null;
  let beat: Deadline | null = null;
  /** When this one was last told to go elsewhere and did, and when it will do so again. */
  let movedAt = Number.NEGATIVE_INFINITY;
  let move: Deadline | null = null;
  let roomWaiters: (() => void)[] = [];
  let closeWaiters: (() => void)[] = [];
  const counters = createPostCounters();

  const actor: Actor<typeof linkMachine> = startActor(linkMachine, {
    charts: world.charts,
    id: 'link',
    ...(parent === undefined ? {} : { parent }),
    onCommand: run,
    onError: (error) => log.error('link.crashed', { error: String(error) }),
  });

  function run(command: LinkCommand): void {
    switch (command.type) {
      case 'link.dial':
        dial();
        break;
      case 'peer.register':
        register();
        break;
      case 'backoff.start':
        startBackoff(command.tries);
        break;
      case 'link.up':
        goUp();
        break;
      case 'link.down':
        goDown();
        break;
      case 'link.hang-up':
        hangUp();
        break;
      default:
        unexpected(command);
    }
  }

  function dial(): void {
    dialler.dial({
      onLink: (link) => {
        open(link);
        actor.send({ type: 'dial.succeeded' });
      },
      onFailure: (error) => {
        note(error);
        actor.send({ type: 'dial.failed', isFinal: isOver() });
        refuseIfFinal();
      },
    });
  }

  function open(link: Link): void {
    const opened: Post = new Post({
      link,
      clock,
      limits: readingLimits(limits),
      departures,
      counters,
      events: {
        onMessages: (messages) => {
          if (post === opened) receive(messages);
        },
        onFault: (error) => note(error),
        onClose: (code, reason) => {
          for (const resolve of closeWaiters.splice(0)) resolve();
          if (post !== opened) return;
          post = null;
          session?.delivery.detach();
          if (reason !== '' || lastError === null || isUp) note(closeError(code, reason));
          actor.send({ type: 'link.closed', isFinal: isOver() });
          refuseIfFinal();
        },
        onFlow: (isFull) => {
          if (isFull || post !== opened) return;
          session?.delivery.letThrough();
          if (!opened.isFull) letThrough();
        },
        beforeFlush: () => {
          if (post === opened) session?.delivery.flushAck();
        },
      },
    });
    post = opened;
  }

  function register(): void {
    // However many other gateways there are: one that answers may be about to adopt what is running here.
    wait = deadlines.set(limits.handshakeMs, () => {
      note(new PincerError('HANDSHAKE_TIMEOUT', `no welcome within ${limits.handshakeMs} ms`));
      actor.send({ type: 'deadline.passed' });
    });
    const resume = session === null ? {} : { resume: { session: session.id, received: session.delivery.received } };
    post?.send({
      type: 'register',
      payload: { protocol: [...PROTOCOL_VERSIONS], ...owner.register(), ...resume },
    });
  }

  function receive(messages: readonly Message[]): void {
    let rest = messages;
    if (!isUp) {
      const [first, ...others] = messages;
      if (first === undefined || !answer(first)) return;
      rest = others;
    }
    const { delivery } = session ?? {};
    if (delivery === undefined) return;
    let fresh: readonly Message[];
    try {
      fresh = delivery.accept(rest);
    } catch (error) {
      // A gap: the session resumes over a new link, and what is missing is replayed.
      post?.close(error as PincerError);
      return;
    }
    for (const message of fresh) {
      if (message.type === 'goodbye') {
        note(PincerError.from(message.payload));
        retryAfterMs = message.payload.retryAfterMs ?? 0;
      } else owner.onMessage(message, delivery.done);
    }
  }

  /** Whether the first message is a welcome. */
  function answer(message: Message): boolean {
    if (message.type === 'welcome') {
      const { payload } = message;
      if (!payload.resumed || session === null) session = { id: payload.session, delivery: new Delivery(limits) };
      welcome = payload;
      if (post !== null) session.delivery.attach(post, payload.resumed ? payload.received : 0);
      actor.send({ type: 'welcome.received' });
      return true;
    }
    if (message.type === 'reject') {
      note(PincerError.from(message.payload));
      // One that was found is not waited for: another may be there.
      retryAfterMs = dialler.isFound ? 0 : (message.payload.retryAfterMs ?? 0);
      actor.send({ type: 'reject.received', isFinal: isOver() });
      refuseIfFinal();
      return false;
    }
    post?.close(
      new PincerError('MESSAGE_UNEXPECTED', `the first message must be welcome or reject, not ${message.type}`),
    );
    return false;
  }

  function goUp(): void {
    wait?.clear();
    // Once it has held for as long as one waits at most, dialling it again costs nobody more than waiting would.
    wait = deadlines.set(limits.reconnectMaxMs, () => {
      dialler.answered(null);
      actor.send({ type: 'deadline.passed' });
    });
    isUp = true;
    lastError = null;
    dialler.welcomed();
    startBeat();
    log.info('link.up', { session: session?.id, resumed: welcome?.resumed });
    if (welcome !== null) owner.onUp(welcome);
  }

  function goDown(): void {
    isUp = false;
    beat?.clear();
    if (move !== null) leave();
    log.info('link.down', { code: lastError?.code });
    owner.onDown();
    letThrough();
  }

  /** Keeps the link warm, and notices when the gateway has fallen silent. */
  function startBeat(): void {
    const everyMs = welcome?.policy.heartbeatMs ?? limits.heartbeatMs;
    const silentMax = welcome?.policy.offlineAfterMs ?? limits.offlineAfterMs;
    beat = deadlines.set(spreadMs(everyMs / 2, random()), () => {
      if (!isUp || post === null) return;
      const now = clock.now();
      if (now - post.lastHeardAt > silentMax) {
        note(new PincerError('LINK_CLOSED', `the gateway has been silent for ${silentMax} ms`));
        actor.send({ type: 'silence.passed' });
        return;
      }
      if (now - post.lastSentAt >= everyMs * 0.75) session?.delivery.sendSignOfLife();
      session?.delivery.replayIfStalled(now, limits.suspectAfterMs);
      startBeat();
    });
  }

  function startBackoff(tries: number): void {
    dialler.answered(lastError ?? new PincerError('LINK_CLOSED', 'the link closed before it had held'));
    const backoff = { baseMs: limits.reconnectMinMs, maxMs: limits.reconnectMaxMs };
    const delayMs = Math.max(backoffMs(tries, backoff, random()), spreadMs(retryAfterMs, random()));
    retryAfterMs = 0;
    wait = deadlines.set(delayMs, () => actor.send({ type: 'deadline.passed' }));
  }

  function hangUp(): void {
    wait?.clear();
    beat?.clear();
    dialler.giveUp();
    const closing = post;
    post = null;
    session?.delivery.detach();
    closing?.end();
  }

  /** To another gateway, if one is there, and with a new session in any case: whoever waits for it asks again. */
  function leave(): void {
    move?.clear();
    move = null;
    movedAt = clock.now();
    // With what it owes the gateway.
    post?.end();
    session?.delivery.detach();
    session = null;
  }

  function letThrough(): void {
    for (const resolve of roomWaiters.splice(0)) resolve();
  }

  function note(error: PincerError): void {
    lastError = error;
    log.debug('link.failed', { code: error.code, message: error.message, hint: error.hint });
  }

  function isOver(): boolean {
    return lastError !== null && !dialler.isFound && isFinal(lastError);
  }

  function refuseIfFinal(): void {
    if (lastError !== null && isOver()) owner.onRefused(lastError);
  }

  return {
    get isUp() {
      return isUp;
    },
    get lastError() {
      return lastError;
    },
    get welcome() {
      return welcome;
    },
    get isFull() {
      return post?.isFull ?? false;
    },
    send(type, payload, sendOptions) {
      try {
        return session?.delivery.send(type, payload, sendOptions) ?? 0;
      } catch (error) {
        // The gateway acknowledges nothing: what this session says from now on would be lost, so there is a new one.
        note(error as PincerError);
        session = null;
        post?.terminate();
        return 0;
      }
    },
    whenRoom() {
      if (post === null || !post.isFull) return Promise.resolve();
      return new Promise((resolve) => roomWaiters.push(resolve));
    },
    moveOn() {
      if (!dialler.hasOthers) return false;
      // At once; but where the others cannot be reached, it is this one again, and that not without end.
      if (move === null) {
        const waitMs = Math.max(0, movedAt + limits.reconnectMaxMs - clock.now());
        if (waitMs > 0) move = deadlines.set(waitMs, leave);
        else leave();
      }
      return true;
    },
    async stop() {
      const closing = post;
      const closed = closing === null ? null : new Promise<void>((resolve) => closeWaiters.push(resolve));
      actor.send({ type: 'link.stop' });
      roomWaiters = [];
      await closed;
      closeWaiters = [];
    },
  };
}

/**
 * Messages between peers of this gateway, and the way to those of others: one to one, to many by what they are, to the subscribers of a topic. The gateway stamps who
 * sent them and passes the body on undecoded.
 *
 * What is promised: messages of one sender to one receiver arrive in the order they were sent, each at most once. An
 * unreliable one is dropped when its receiver has no link or does not drain. A reliable one waits for a receiver within its
 * resume window, and its sender is answered when the receiver has dealt with it.
 */
import { PincerError } from '../../protocol/failure.ts';
import type { Message, Payload } from '../../protocol/message.ts';
import { unexpected } from '../../protocol/unexpected.ts';
import type { SendOptions } from '../../transport/delivery.ts';
import type { World } from '../world/world.ts';
import type { Exchange, LocalPeers } from './cluster/exchange.ts';
import type { Node, Nodes } from './nodes/nodes.ts';
import { asPincerError, errorPayload } from './replies.ts';
import type { Session } from './sessions/session.ts';
import { SessionRate } from './sessions/session-rate.ts';

type Post = Message<'direct' | 'broadcast' | 'subscribe' | 'unsubscribe'>;

export class Switchboard implements LocalPeers {
  readonly #world: World;
  readonly #nodes: Nodes;
  readonly #elsewhere: () => Exchange;
  readonly #peers = new Map<string, Session>();
  readonly #topics = new Map<string, Set<Session>>();
  readonly #subscriptions = new Map<Session, Set<string>>();
  readonly #rate: SessionRate;
  /** Messages that reached nobody, for the counters. */
  undelivered = 0;

  constructor(world: World, { nodes, elsewhere }: { nodes: Nodes; elsewhere: () => Exchange }) {
    this.#world = world;
    this.#rate = new SessionRate(world, 'notesPerSecondMax', 'sent more than % messages');
    this.#nodes = nodes;
    this.#elsewhere = elsewhere;
  }

  attach(session: Session): void {
    this.#peers.set(session.peerId, session);
  }

  close(session: Session): void {
    if (this.#peers.get(session.peerId) === session) this.#peers.delete(session.peerId);
    for (const topic of this.#subscriptions.get(session) ?? []) this.#leave(topic, session);
    this.#subscriptions.delete(session);
  }

  take(session: Session, message: Post): void {
    try {
      switch (message.type) {
        case 'direct':
          this.#rate.spend(session);
          this.#answering(session, message, this.#direct(session, message));
          break;
        case 'broadcast':
          this.#rate.spend(session);
          this.#answering(session, message, this.#broadcast(session, message));
          break;
        case 'subscribe':
          this.#subscribe(session, message.payload.topics);
          answer(session, message, message.payload.topics.length);
          break;
        case 'unsubscribe':
          for (const topic of message.payload.topics) {
            this.#leave(topic, session);
            this.#subscriptions.get(session)?.delete(topic);
          }
          answer(session, message, message.payload.topics.length);
          break;
        default:
          unexpected(message);
      }
    } catch (error) {
      if (!(error instanceof PincerError)) throw error;
      this.undelivered += 1;
      session.send('error', errorPayload(error), { re: message.id });
    }
    session.delivery.done(message);
  }

  async deliver(from: string, to: string, payload: Payload<'direct'>): Promise<void> {
    const receiver = this.#peers.get(to);
    if (receiver === undefined) {
      const node = this.#nodes.get(to);
      if (node === undefined) throw new PincerError('NODE_UNKNOWN', `no peer '${to}'`);
      throw new PincerError('NODE_OFFLINE', `node '${to}' is ${node.status}`);
    }
    const isReliable = payload.reliable === true;
    if (!isReliable && receiver.post === null) throw new PincerError('NODE_OFFLINE', `'${to}' has no link now`);
    if (!takes(receiver, isReliable))
      throw new PincerError('SLOW_CONSUMER', `'${to}' does not drain what it is sent`, { retryAfterMs: 1_000 });
    if (isReliable) return this.#handOver(receiver, 'direct', payload, from);
    this.#pass(receiver, 'direct', payload, from);
  }

  async spread(from: string, payload: Payload<'broadcast'>): Promise<number> {
    const receivers = payload.topic === undefined ? this.#selected(payload.select) : this.#topics.get(payload.topic);
    const reached = [...(receivers ?? [])].filter(
      (receiver) => receiver.peerId !== from && takes(receiver, payload.reliable === true),
    );
    if (payload.reliable !== true) {
      for (const receiver of reached) this.#pass(receiver, 'broadcast', payload, from);
      return reached.length;
    }
    const ends = await Promise.allSettled(
      reached.map((receiver) => this.#handOver(receiver, 'broadcast', payload, from)),
    );
    return ends.filter(({ status }) => status === 'fulfilled').length;
  }

  /** To a peer of this gateway, or else of another one. Resolves with how many it reached. */
  async #direct(session: Session, { to, payload }: Message<'direct'>): Promise<number> {
    if (to === undefined) throw new PincerError('MESSAGE_INVALID', 'direct needs a receiver in `to`');
    const hasLink = (this.#peers.get(to)?.post ?? null) !== null;
    if (!hasLink && !this.#elsewhere().isAlone) {
      try {
        await this.#elsewhere().direct(session.peerId, to, payload);
        return 1;
      } catch (error) {
        if (!(error instanceof PincerError) || error.code !== 'NODE_UNKNOWN') throw error;
      }
    }
    await this.deliver(session.peerId, to, payload);
    return 1;
  }

  async #broadcast(session: Session, { payload }: Message<'broadcast'>): Promise<number> {
    const elsewhere = this.#elsewhere().isAlone ? 0 : this.#elsewhere().broadcast(session.peerId, payload);
    return (await this.spread(session.peerId, payload)) + (await elsewhere);
  }

  #answering(session: Session, message: Post, reached: Promise<number>): void {
    reached.then(
      (count) => answer(session, message, count),
      (error: unknown) => {
        this.undelivered += 1;
        session.send('error', errorPayload(asPincerError(error)), { re: message.id });
      },
    );
  }

  *#selected(select: Payload<'broadcast'>['select'] = {}): Iterable<Session> {
    for (const node of this.#nodes.all()) if (node.session !== null && isSelected(node, select)) yield node.session;
  }

  /** Resolves when the receiver has dealt with the message. */
  #handOver(
    receiver: Session,
    type: 'direct' | 'broadcast',
    payload: Payload<'broadcast'>,
    from: string,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbandoned = (): void =>
        reject(new PincerError('NODE_OFFLINE', `the session of '${receiver.peerId}' ended before it had the message`));
      this.#pass(receiver, type, payload, from, { onAcknowledged: resolve, onAbandoned });
    });
  }

  #pass(
    receiver: Session,
    type: 'direct' | 'broadcast',
    payload: Payload<'broadcast'>,
    from: string,
    ends: Pick<SendOptions, 'onAcknowledged' | 'onAbandoned'> = {},
  ): void {
    receiver.send(type, payload, { from, ...ends });
  }

  #subscribe(session: Session, topics: readonly string[]): void {
    const own = this.#subscriptions.get(session) ?? new Set<string>();
    this.#subscriptions.set(session, own);
    const { topicsMax } = this.#world.limits;
    if (new Set([...own, ...topics]).size > topicsMax) {
      throw new PincerError('RATE_EXCEEDED', `a peer may subscribe to ${topicsMax} topics`);
    }
    for (const topic of topics) {
      own.add(topic);
      const subscribers = this.#topics.get(topic);
      if (subscribers === undefined) this.#topics.set(topic, new Set([session]));
      else subscribers.add(session);
    }
  }

  #leave(topic: string, session: Session): void {
    const subscribers = this.#topics.get(topic);
    subscribers?.delete(session);
    if (subscribers?.size === 0) this.#topics.delete(topic);
  }
}

/** Whether a peer takes a message now: one that is reliable may wait for its link, but not be kept with all too much else. */
function takes(receiver: Session, isReliable: boolean): boolean {
  return isReliable ? !receiver.delivery.isLaden : !receiver.isFull;
}

function isSelected(
  node: Node,
  { nodeType, capability, labels }: NonNullable<Payload<'broadcast'>['select']>,
): boolean {
  if (nodeType !== undefined && node.kind !== nodeType) return false;
  if (capability !== undefined && !node.capabilities.has(capability)) return false;
  return Object.entries(labels ?? {}).every(([label, value]) => node.labels?.[label] === value);
}

function answer(session: Session, message: Post, count: number): void {
  session.send('delivered', { count }, { re: message.id });
}

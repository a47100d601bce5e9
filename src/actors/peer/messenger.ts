/** One peer’s side of messages between peers: sends, asks, subscribes, and answers what others ask. Nodes and clients have one. */
import { PincerError, toFailure } from '../../protocol/failure.ts';
import type { Message, Payload } from '../../protocol/message.ts';
import { faultOf } from '../../protocol/node.ts';
import { checkOptions, type Names } from '../../protocol/options.ts';
import { decodePayload, encodePayload } from '../../transport/payload.ts';
import { expectWait } from '../world/deadlines.ts';
import type { World } from '../world/world.ts';
import { AbortListeners } from './abort-listeners.ts';
import type { Requests } from './requests.ts';

/** A message from another peer. */
export interface PeerMessage {
  /** Who sent it: what its connection proved, stamped by the gateway. */
  readonly from: string;
  readonly body: unknown;
  /** The topic it was published to, if it was. */
  readonly topic?: string;
}

/** Takes a message. What it returns answers a request; what it throws fails it. */
export type MessageHandler = (message: PeerMessage) => unknown;

/** How a message to other peers is sent. */
export interface SendOptions {
  /**
   * True: kept for a receiver that is away for a moment; resolves when its handler has ended, or has worked on it for
   * `requestMs`. Default false.
   */
  readonly reliable?: boolean;
}

/** How long an answer is waited for. */
export interface RequestOptions {
  /** Rejects with `TIMED_OUT` after so many milliseconds. Default 30 000. */
  readonly timeoutMs?: number;
  /** Rejects with its `reason` when it is aborted: nobody waits any more. Who was asked already is not told. */
  readonly signal?: AbortSignal;
}

/** Whom a broadcast is for: nodes that match all that is said. */
export interface Selection {
  readonly nodeType?: 'agent' | 'channel';
  readonly capability?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** What nodes and clients can say to each other, through the gateway. Bodies are plain values, at most `payloadBytesMax` encoded. */
export interface Messaging {
  /** Sends to one peer. Rejects with `NODE_UNKNOWN`, `NODE_OFFLINE`, `SLOW_CONSUMER` or `RATE_EXCEEDED`. */
  send(to: string, body: unknown, options?: SendOptions): Promise<void>;
  /** Asks one peer and resolves with what its handler returns. Rejects as `send`, with the handler’s failure, or as its options say. */
  request(to: string, body: unknown, options?: RequestOptions): Promise<unknown>;
  /** Sends to every node that matches, but not back to the sender; resolves with how many. */
  broadcast(body: unknown, options?: SendOptions & { readonly select?: Selection }): Promise<number>;
  /** Sends to the subscribers of a topic; resolves with how many. */
  publish(topic: string, body: unknown, options?: SendOptions): Promise<number>;
  /** Takes the messages of a topic, across reconnects, until the returned function is called. Several handlers are called side by side. */
  subscribe(topic: string, handler: MessageHandler): Promise<() => Promise<void>>;
  /** Takes what is sent to this peer directly or by broadcast. One handler; a second replaces the first. */
  onMessage(handler: MessageHandler): void;
}

const SEND_OPTIONS: Names<SendOptions> = { reliable: true };
const REQUEST_OPTIONS: Names<RequestOptions> = { timeoutMs: true, signal: true };
const SELECTION: Names<Selection> = { nodeType: true, capability: true, labels: true };

interface Topic {
  readonly handlers: Set<MessageHandler>;
  /** The gateway has it; rejects if it will not. */
  readonly subscribed: Promise<unknown>;
}

interface Question {
  readonly to: string;
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: PincerError) => void;
  /** Nothing but the answer is waited for any more. */
  release(): void;
}

/** What came, of whichever kind. */
interface Incoming {
  readonly from: string;
  readonly topic: string | undefined;
  readonly payload: Payload<'direct' | 'broadcast'>;
}

const nobody: MessageHandler = () => {
  throw new PincerError('NO_RECEIVER', 'no handler for messages is set');
};

export class Messenger implements Messaging {
  readonly #world: World;
  readonly #requests: Requests;
  readonly #aborts = new AbortListeners();
  readonly #questions = new Map<number, Question>();
  readonly #topics = new Map<string, Topic>();
  #handler: MessageHandler | null = null;
  #lastQuestion = 0;

  constructor(world: World, options: { requests: Requests }) {
    this.#world = world;
    this.#requests = options.requests;
  }

  async send(to: string, body: unknown, options: SendOptions = {}): Promise<void> {
    checkOptions(options, 'send', 'options, or nothing', SEND_OPTIONS);
    await this.#ask('direct', this.#note(body, options), to);
  }

  request(to: string, body: unknown, options: RequestOptions = {}): Promise<unknown> {
    const { limits, deadlines } = this.#world;
    return new Promise((resolve, reject) => {
      checkOptions(options, 'request', 'options, or nothing', REQUEST_OPTIONS);
      const { timeoutMs = limits.requestMs, signal } = options;
      expectWait('request: timeoutMs', timeoutMs);
      if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
        throw new PincerError('OPTION_INVALID', 'request: signal must be an AbortSignal');
      }
      signal?.throwIfAborted();
      if (this.#questions.size >= limits.requestsMax) {
        throw new PincerError('RATE_EXCEEDED', `${limits.requestsMax} requests wait for their reply already`);
      }
      const payload = { ...this.#note(body, {}), request: ++this.#lastQuestion };
      const giveUp = (error: unknown): void => {
        question.release();
        this.#questions.delete(payload.request);
        takeBack();
        reject(error);
      };
      const deadline = deadlines.set(timeoutMs, () =>
        giveUp(new PincerError('TIMED_OUT', `'${to}' did not reply within ${timeoutMs} ms`)),
      );
      const unheard = signal === undefined ? null : this.#aborts.add(signal, () => giveUp(signal.reason));
      const question: Question = {
        ...{ to, resolve, reject },
        release() {
          deadline.clear();
          unheard?.();
        },
      };
      this.#questions.set(payload.request, question);
      let takeBack = (): void => {};
      // At most once, as for all that is passed on. That it was delivered is no answer.
      takeBack = this.#requests.ask('direct', payload, () => {}, giveUp, { to, isRepeatable: false });
    });
  }

  async broadcast(body: unknown, options: SendOptions & { readonly select?: Selection } = {}): Promise<number> {
    checkOptions(options, 'broadcast', 'options, or nothing', { ...SEND_OPTIONS, select: true });
    const { select } = options;
    // A number or a text would select by nothing, and that is every node.
    if (select !== undefined) checkOptions(select, 'broadcast: select', 'nodeType, capability or labels', SELECTION);
    // Of names, the schema does not see all.
    const fault = faultOf({ labels: select?.labels });
    if (fault !== null) throw new PincerError('OPTION_INVALID', `broadcast: select.${fault}`);
    return this.#ask('broadcast', {
      ...this.#note(body, options),
      ...(select === undefined
        ? {}
        : { select: { ...select, ...(select.labels === undefined ? {} : { labels: { ...select.labels } }) } }),
    });
  }

  async publish(topic: string, body: unknown, options: SendOptions = {}): Promise<number> {
    checkOptions(options, 'publish', 'options, or nothing', SEND_OPTIONS);
    return this.#ask('broadcast', { ...this.#note(body, options), topic });
  }

  async subscribe(topic: string, handler: MessageHandler): Promise<() => Promise<void>> {
    checkMessageHandler(handler, 'subscribe');
    let own = this.#topics.get(topic);
    if (own === undefined) {
      own = { handlers: new Set(), subscribed: this.#ask('subscribe', { topics: [topic] }) };
      this.#topics.set(topic, own);
    }
    own.handlers.add(handler);
    try {
      await own.subscribed;
    } catch (error) {
      if (this.#topics.get(topic) === own) this.#topics.delete(topic);
      throw error;
    }
    return async () => {
      const left = this.#topics.get(topic)?.handlers;
      if (left?.delete(handler) !== true || left.size > 0) return;
      this.#topics.delete(topic);
      await this.#ask('unsubscribe', { topics: [topic] });
    };
  }

  onMessage(handler: MessageHandler): void {
    checkMessageHandler(handler, 'onMessage');
    this.#handler = handler;
  }

  /** A session has begun that knows nothing of the old one’s subscriptions. */
  subscribeAgain(): void {
    const { log, limits } = this.#world;
    const all = [...this.#topics.keys()];
    for (let start = 0; start < all.length; start += limits.listMax) {
      const topics = all.slice(start, start + limits.listMax);
      this.#ask('subscribe', { topics }).catch((error: unknown) => {
        log.warn('subscribe.failed', { topics: topics.length, error: String(error) });
      });
    }
  }

  /** Takes a message of another peer; `done` once it has been dealt with. */
  take(message: Message<'direct' | 'broadcast'>, done: () => void): void {
    const { from = '', payload } = message;
    if (message.type === 'direct' && payload.reply !== undefined) {
      this.#answered(from, payload.reply, payload);
      done();
      return;
    }
    const handled = this.#handle(message, from);
    // Acknowledgements go in order: one that waits for its handler holds up all that follow. So only what is reliable waits,
    // and not for ever.
    if (payload.reliable === true) void this.#ended(handled, from).then(done);
    else done();
  }

  /** Resolves when a handler has ended, and after `requestMs` at the latest. */
  #ended(handled: Promise<void>, from: string): Promise<void> {
    const { deadlines, limits, log } = this.#world;
    return new Promise((resolve) => {
      const late = deadlines.set(limits.requestMs, () => {
        log.warn('message.slow', { from, afterMs: limits.requestMs });
        resolve();
      });
      void handled.then(() => {
        late.clear();
        resolve();
      });
    });
  }

  /** Nothing will come any more. */
  fail(error: PincerError): void {
    for (const question of this.#questions.values()) {
      question.release();
      question.reject(error);
    }
    this.#questions.clear();
    this.#topics.clear();
  }

  #answered(from: string, reply: number, { body, error }: Payload<'direct'>): void {
    const question = this.#questions.get(reply);
    // Late, or from somebody who was not asked.
    if (question === undefined || question.to !== from) return;
    this.#questions.delete(reply);
    question.release();
    try {
      if (error === undefined) question.resolve(decodePayload(body, this.#world.limits));
      else question.reject(PincerError.from(error));
    } catch (fault) {
      question.reject(fault as PincerError);
    }
  }

  /** Side by side, so that no handler of a topic waits for another, or goes without because another one threw. */
  async #handle({ type, payload }: Message<'direct' | 'broadcast'>, from: string): Promise<void> {
    const topic = type === 'broadcast' ? payload.topic : undefined;
    const handlers = this.#handlersOf(topic);
    await Promise.all(handlers.map((handler) => this.#run(handler, { from, topic, payload })));
  }

  async #run(handler: MessageHandler, { from, topic, payload }: Incoming): Promise<void> {
    const { request } = payload;
    try {
      const body = decodePayload(payload.body, this.#world.limits);
      const returned = await handler({ from, body, ...(topic === undefined ? {} : { topic }) });
      if (request !== undefined) this.#reply(from, { reply: request, body: this.#encode(returned, 'reply') });
    } catch (error) {
      const failure = toFailure(error, 'HANDLER_FAILED');
      if (request !== undefined) this.#reply(from, { reply: request, body: encodePayload(null), error: failure });
      else this.#world.log.warn('message.failed', { from, code: failure.code, message: failure.message });
    }
  }

  #handlersOf(topic: string | undefined): readonly MessageHandler[] {
    const handlers = topic === undefined ? [this.#handler] : [...(this.#topics.get(topic)?.handlers ?? [])];
    const there = handlers.filter((handler) => handler !== null);
    return there.length > 0 ? there : [nobody];
  }

  #reply(to: string, payload: Payload<'direct'>): void {
    // Nobody is told when the asker has gone: it has stopped waiting.
    this.#ask('direct', payload, to).catch(() => {});
  }

  #note(body: unknown, { reliable }: SendOptions): Payload<'direct'> {
    return { body: this.#encode(body, 'body'), ...(reliable === true ? { reliable } : {}) };
  }

  /** Anything larger would be refused by the gateway together with the link. */
  #encode(body: unknown, what: 'body' | 'reply'): Uint8Array {
    const { limits } = this.#world;
    const bytes = encodePayload(body, limits);
    if (bytes.byteLength > limits.payloadBytesMax) {
      throw new PincerError(
        'PAYLOAD_TOO_LARGE',
        `the ${what} has ${bytes.byteLength} bytes, more than ${limits.payloadBytesMax}`,
      );
    }
    return bytes;
  }

  #ask<Type extends 'direct' | 'broadcast' | 'subscribe' | 'unsubscribe'>(
    type: Type,
    payload: Payload<Type>,
    to?: string,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#requests.ask(
        type,
        payload,
        (answer) => resolve(answer.type === 'delivered' ? answer.payload.count : 0),
        reject,
        // At most once: what may have been passed on is not said again. Subscribing twice does no harm.
        { isRepeatable: type !== 'direct' && type !== 'broadcast', ...(to === undefined ? {} : { to }) },
      );
    });
  }
}

/** Without it, only who sends something would hear of it. */
function checkMessageHandler(handler: unknown, call: string): void {
  if (typeof handler === 'function') return;
  throw new PincerError('OPTION_INVALID', `${call}: the handler is a ${typeof handler}, must be a function`);
}

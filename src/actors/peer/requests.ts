/**
 * Requests that wait for their answer. They outlive links; of a session that ends, those that may be repeated are asked
 * again, and the others fail, since nobody can tell whether they were carried out.
 */
import { PincerError } from '../../protocol/failure.ts';
import type { Limits } from '../../protocol/limits.ts';
import { MESSAGES, type Message, type MessageType, type Payload, parseMessage } from '../../protocol/message.ts';
import { TransitMap } from '../transit-map.ts';
import { Backlog } from './backlog.ts';
import type { Connection } from './connection.ts';

/** A question that is under way, and who hears of its answer. */
export interface Request {
  readonly type: MessageType;
  readonly payload: unknown;
  readonly to: string | undefined;
  /** Asking twice is as good as asking once. */
  readonly isRepeatable: boolean;
  onAnswer(message: Message): void;
  onError(error: PincerError): void;
}

export class Requests {
  readonly #connection: () => Connection;
  /** By the number their message has in the present session. */
  readonly #sent = new TransitMap<number, Request>();
  /** So many are under way at once: a session that must keep more of them than it may would end, as would each after it. */
  readonly #sentMax: number;
  /** Made while there was no session. */
  readonly #unsent = new Set<Request>();
  /** Taken back while they were under way or in line: nobody waits for their answers, and they are not asked again. */
  readonly #takenBack = new WeakSet<Request>();
  /** Made while as many as may be were under way. */
  readonly #waiting = new Backlog<Request>();
  /** Why nothing can be asked any more. */
  #end: PincerError | null = null;

  constructor(connection: () => Connection, { unacknowledgedMax }: Pick<Limits, 'unacknowledgedMax'>) {
    this.#connection = connection;
    // The other half is for what is not asked: watches, results, reports.
    this.#sentMax = Math.max(1, Math.floor(unacknowledgedMax / 2));
  }

  /**
   * Asks, unless the gateway would not understand it: it would close the link, and nobody else’s work is to suffer by that.
   * Returns what takes it back: whoever does so is told nothing more.
   */
  ask<Type extends MessageType>(
    type: Type,
    payload: Payload<Type>,
    onAnswer: (message: Message) => void,
    onError: (error: PincerError) => void,
    options: { to?: string; isRepeatable?: boolean } = {},
  ): () => void {
    const { to, isRepeatable = true } = options;
    const request: Request = { type, payload, to, isRepeatable, onAnswer, onError };
    const fault = this.#end ?? faultOf(type, payload, to);
    if (fault === null) this.send(request);
    else onError(fault);
    return () => {
      if (!this.takeUnsent(request)) this.#takenBack.add(request);
    };
  }

  /** Takes back a request that has not been said to any gateway for want of one; false: it is not such a one. */
  takeUnsent(request: Request): boolean {
    return this.#unsent.delete(request);
  }

  /** Whether a message answered a request of ours. */
  answer(message: Message): boolean {
    const request = message.re === undefined ? undefined : this.#sent.get(message.re);
    if (request === undefined || message.re === undefined) return false;
    this.#sent.delete(message.re);
    if (message.type !== 'error') request.onAnswer(message);
    else {
      const error = PincerError.from(message.payload);
      // The gateway is about to stop: another one is asked, if there is any.
      const isAskedElsewhere = error.code === 'GATEWAY_DRAINING' && request.isRepeatable && this.#connection().moveOn();
      if (isAskedElsewhere) this.#unsent.add(request);
      else request.onError(error);
    }
    this.#sendWaiting();
    return true;
  }

  /** A session has begun: what the old one left open is asked again, in order. */
  askAgain(): void {
    const isWanted = (request: Request): boolean => !this.#takenBack.has(request);
    const sent = [...this.#sent.values()].filter(isWanted);
    const unsent = this.#takeAllUnsent().filter(isWanted);
    this.#sent.clear();
    for (const request of sent) {
      if (request.isRepeatable) this.send(request);
      else request.onError(new PincerError('LINK_CLOSED', 'the session ended before the answer came'));
    }
    for (const request of unsent) this.send(request);
  }

  /** Nothing will be answered any more, of what is asked from now on either. */
  end(error: PincerError): void {
    this.#end ??= error;
    const open = [...this.#sent.values(), ...this.#takeAllUnsent()];
    this.#sent.clear();
    for (const request of open) request.onError(error);
  }

  /** As `ask`, for whoever has a request in hand. */
  send(request: Request): void {
    if (this.#waiting.size > 0 || this.#sent.size >= this.#sentMax) this.#waiting.push(request);
    else this.#put(request);
  }

  #sendWaiting(): void {
    while (this.#waiting.size > 0 && this.#sent.size < this.#sentMax) {
      const next = this.#waiting.take();
      if (next !== undefined && !this.#takenBack.has(next)) this.#put(next);
    }
  }

  #takeAllUnsent(): readonly Request[] {
    const taken = [...this.#unsent, ...this.#waiting.takeAll()];
    this.#unsent.clear();
    return taken;
  }

  #put(request: Request): void {
    const connection = this.#connection();
    const fault = excessOf(request.payload, connection);
    if (fault !== null) {
      // Not within the call: whoever makes room for the next by it would come here again, and deeper each time.
      queueMicrotask(() => request.onError(fault));
      return;
    }
    const id = connection.send(request.type, request.payload as never, { to: request.to });
    if (id === 0) this.#unsent.add(request);
    else this.#sent.set(id, request);
  }
}

/** Why a gateway that takes less than others would hang up on what is asked, or null. */
function excessOf(asked: unknown, { welcome }: Connection): PincerError | null {
  if (welcome === null) return null;
  const { payload, body = payload } = asked as { readonly payload?: Uint8Array; readonly body?: Uint8Array };
  const max = welcome.policy.payloadBytesMax;
  if (body === undefined || body.byteLength <= max) return null;
  return new PincerError(
    'PAYLOAD_TOO_LARGE',
    `the payload has ${body.byteLength} bytes, more than the ${max} that the gateway takes`,
  );
}

/** What is wrong with a message before it is sent, or null: it is for who asked to mend. */
function faultOf(type: MessageType, payload: unknown, to: string | undefined): PincerError | null {
  try {
    parseMessage({ type, ...(MESSAGES[type].reliable ? { id: 1 } : {}), to, payload });
    return null;
  } catch (error) {
    return new PincerError('OPTION_INVALID', (error as PincerError).message);
  }
}

/**
 * What gateways of one store say to each other, over its hints: notes to one or to all, and questions with an answer in
 * time. At most once; whoever needs more asks the store. With no other gateway present nothing is published at all.
 */
import { PincerError } from '../../../protocol/failure.ts';
import { decodePayload, encodePayload } from '../../../transport/payload.ts';
import type { Store } from '../../store/store.ts';
import type { Deadline } from '../../world/deadlines.ts';
import type { World } from '../../world/world.ts';

/** Takes a note of another gateway. What it returns answers a question. */
export type NoteHandler = (body: unknown, from: string) => unknown;

interface Question {
  readonly to: string;
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: PincerError) => void;
  readonly deadline: Deadline;
}

/** `[from, kind, number of the question or 0, body]`; the kind of an answer is ANSWER. */
type Note = readonly [string, string, number, unknown];

const ALL = 'gateways';
const ANSWER = 'answer';

export class Bus {
  readonly #world: World;
  readonly #store: Store;
  readonly #gatewayId: () => string;
  readonly #handlers = new Map<string, NoteHandler>();
  readonly #questions = new Map<number, Question>();
  readonly #subscriptions: (() => void)[] = [];
  /** The id of this gateway that was listened to last. */
  #heardAs: string | null = null;
  #others: ReadonlySet<string> = new Set();
  /** Ids that no gateway goes by any more, though their leases may not be over: what is sent to both is heard twice. */
  #former = new Set<string>();
  #asked = 0;
  /** Questions that nobody answered in time, for the counters. */
  unanswered = 0;

  constructor(world: World, options: { store: Store; gatewayId: () => string }) {
    this.#world = world;
    this.#store = options.store;
    this.#gatewayId = options.gatewayId;
    this.on('hello', (former, from) => {
      if (typeof former === 'string') this.#former.add(former);
      this.#others = new Set([...this.#others, from].filter((other) => other !== former));
    });
    this.on('bye', (_, from) => {
      this.#others = new Set([...this.#others].filter((other) => other !== from));
    });
  }

  /** The other gateways of the store, as of the last look. */
  get others(): ReadonlySet<string> {
    return this.#others;
  }

  on(kind: string, handler: NoteHandler): void {
    this.#handlers.set(kind, handler);
  }

  /** Listens under the gateway’s present id, and says that it is there. To be called again when the id has changed. */
  async open(): Promise<void> {
    if (this.#subscriptions.length === 0) this.#subscriptions.push(this.#listen(ALL));
    // What was sent to an older id of this gateway is for it all the same. Under one id it is heard once, however often.
    const id = this.#gatewayId();
    const former = this.#heardAs;
    if (id !== former) this.#subscriptions.push(this.#listen(topicOf(id), id));
    if (former !== null && former !== id) this.#former.add(former);
    this.#heardAs = id;
    // Before the others look, too, and find both of its ids.
    this.#publish(ALL, 'hello', 0, former === id ? null : former);
    await this.look();
  }

  /** Looks who is there. */
  async look(): Promise<void> {
    const own = this.#gatewayId();
    const present = (await this.#store.gateways()).map(({ gateway }) => gateway);
    this.#former = new Set(present.filter((gateway) => this.#former.has(gateway)));
    this.#others = new Set(present.filter((gateway) => gateway !== own && !this.#former.has(gateway)));
  }

  close(): void {
    if (this.#others.size > 0) this.#publish(ALL, 'bye', 0, null);
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
    for (const { reject, deadline } of this.#questions.values()) {
      deadline.clear();
      reject(new PincerError('STOPPED', 'the gateway is about to stop'));
    }
    this.#questions.clear();
  }

  /** Tells every other gateway. */
  tellAll(kind: string, body: unknown): void {
    if (this.#others.size > 0) this.#publish(ALL, kind, 0, body);
  }

  /** Tells one gateway; nothing happens if it is this one, or has gone. */
  tell(to: string, kind: string, body: unknown): void {
    if (to !== this.#gatewayId()) this.#publish(topicOf(to), kind, 0, body);
  }

  /**
   * Asks one gateway and resolves with what its handler returned. Rejects with what that threw, or TIMED_OUT.
   */
  ask(to: string, kind: string, body: unknown, timeoutMs: number): Promise<unknown> {
    const { deadlines, limits } = this.#world;
    return new Promise((resolve, reject) => {
      if (this.#questions.size >= limits.requestsMax) {
        reject(new PincerError('RATE_EXCEEDED', `${limits.requestsMax} questions wait for other gateways already`));
        return;
      }
      this.#asked += 1;
      const number = this.#asked;
      const deadline = deadlines.set(timeoutMs, () => {
        this.#questions.delete(number);
        this.unanswered += 1;
        reject(new PincerError('TIMED_OUT', `gateway ${to} did not answer within ${timeoutMs} ms`));
      });
      this.#questions.set(number, { to, resolve, reject, deadline });
      this.#publish(topicOf(to), kind, number, body);
    });
  }

  /** Asks every other gateway; resolves with the answers that came, in no order. */
  async askAll(kind: string, body: unknown, timeoutMs: number): Promise<unknown[]> {
    const asked = [...this.#others].map((other) => this.ask(other, kind, body, timeoutMs));
    const ends = await Promise.allSettled(asked);
    return ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
  }

  #listen(topic: string, as?: string): () => void {
    return this.#store.subscribe(topic, (bytes) => this.#receive(bytes, as));
  }

  #publish(topic: string, kind: string, number: number, body: unknown, as = this.#gatewayId()): void {
    const note: Note = [as, kind, number, body];
    this.#store.publish(topic, encodePayload(note, this.#world.limits));
  }

  /** `as`: the id that it was sent to, under which it is answered; whoever asks waits for an answer of that one. */
  #receive(bytes: Uint8Array, as?: string): void {
    const note = this.#parse(bytes);
    if (note === null) return;
    const [from, kind, number, body] = note;
    if (from === this.#gatewayId()) return;
    if (kind === ANSWER) {
      this.#answered(from, number, body);
      return;
    }
    // Of a newer version, maybe: a hint that is not understood is a hint that was lost.
    const handler = this.#handlers.get(kind);
    if (handler !== undefined) void this.#handle(handler, note, as);
  }

  async #handle(handler: NoteHandler, [from, kind, number, body]: Note, as?: string): Promise<void> {
    try {
      const answer = await handler(body, from);
      if (number !== 0) this.#publish(topicOf(from), ANSWER, number, { answer: answer ?? null }, as);
    } catch (error) {
      const failure =
        error instanceof PincerError ? error : new PincerError('INTERNAL', `'${kind}' failed`, { cause: error });
      if (failure.code === 'INTERNAL') this.#world.log.error('bus.failed', { kind, error: String(error) });
      if (number !== 0) this.#publish(topicOf(from), ANSWER, number, { error: failure.toFailure() }, as);
    }
  }

  #answered(from: string, number: number, body: unknown): void {
    const question = this.#questions.get(number);
    if (question === undefined || question.to !== from) return;
    this.#questions.delete(number);
    question.deadline.clear();
    const { answer, error } = body as { answer?: unknown; error?: Parameters<typeof PincerError.from>[0] };
    if (error === undefined) question.resolve(answer);
    else question.reject(PincerError.from(error));
  }

  #parse(bytes: Uint8Array): Note | null {
    try {
      const note = decodePayload(bytes, this.#world.limits);
      const [from, kind, number] = Array.isArray(note) ? (note as unknown[]) : [];
      if (typeof from === 'string' && typeof kind === 'string' && typeof number === 'number') return note as never;
    } catch {
      // Not a note: as good as lost.
    }
    this.#world.log.warn('bus.unreadable', { bytes: bytes.byteLength });
    return null;
  }
}

function topicOf(gateway: string): string {
  return `gateway ${gateway}`;
}

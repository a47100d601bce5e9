/**
 * A peer as somebody else would write it, from docs/protocol.md alone: a WebSocket and plain msgpack, nothing of
 * Pincer’s own. It numbers what it says reliably, keeps what it hears, and leaves everything else to the test.
 */
import { setTimeout as timer } from 'node:timers';
import { decode, encode } from '@msgpack/msgpack';
import { WebSocket } from 'ws';

export interface RawMessage {
  readonly type: string;
  readonly id?: number;
  readonly re?: number;
  readonly from?: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

export interface RawOptions {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocols?: readonly string[];
}

/** How long anything that must come may take. */
const PATIENCE_MS = 5_000;

/** Every message that docs/protocol.md calls reliable: it has a number and is acknowledged. */
const RELIABLE = new Set([
  ...['error', 'unregister', 'drain', 'task_submit', 'task_accepted', 'task_watch', 'task_settled', 'task_assign'],
  ...['task_reject', 'task_started', 'task_result', 'task_ended', 'task_cancel', 'task_cancelling', 'query', 'answer'],
]);

export class RawPeer {
  readonly #socket: WebSocket;
  readonly #waiters = new Set<() => void>();
  /** Where the next `next` begins to look. */
  #read = 0;
  /** The number of the last reliable message of each direction. Kept by the test across links to resume a session. */
  lastId = 0;
  lastHeard = 0;
  readonly heard: RawMessage[] = [];
  end: { readonly code: number; readonly reason: string } | null = null;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = 'nodebuffer';
    socket.on('message', (frame: Buffer) => {
      for (const message of decode(frame) as RawMessage[]) {
        this.heard.push(message);
        if (message.id !== undefined) this.lastHeard = Math.max(this.lastHeard, message.id);
      }
      this.#wake();
    });
    socket.on('close', (code, reason) => {
      this.end = { code, reason: reason.toString() };
      this.#wake();
    });
    socket.on('error', () => {});
  }

  static dial(url: string, options: RawOptions = {}): Promise<RawPeer> {
    const { token, headers = {}, protocols = ['pincer.v1.msgpack'] } = options;
    const authorization = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const socket = new WebSocket(url, [...protocols], {
      headers: { ...headers, ...authorization },
      perMessageDeflate: false,
    });
    const peer = new RawPeer(socket);
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(peer));
      socket.once('unexpected-response', (_request, response) => {
        reject(new Error(`HTTP ${response.statusCode}`));
        socket.terminate();
      });
      socket.once('error', reject);
    });
  }

  /** A message with the number it needs. */
  message(type: string, payload: object, fields: object = {}): object {
    return { type, ...(RELIABLE.has(type) ? { id: ++this.lastId } : {}), payload, ...fields };
  }

  /** Says one message; returns it, to be said again. */
  say(type: string, payload: object, fields: object = {}): object {
    const message = this.message(type, payload, fields);
    this.sayAll(message);
    return message;
  }

  /** Says messages in one frame. */
  sayAll(...messages: readonly object[]): void {
    this.sayBytes(encode(messages));
  }

  sayBytes(bytes: Uint8Array): void {
    this.#socket.send(bytes);
  }

  sayText(text: string): void {
    this.#socket.send(text);
  }

  /** Acknowledges everything heard so far. */
  ack(): void {
    this.say('ack', { received: this.lastHeard });
  }

  register(nodeId: string, claim: object = {}): Promise<RawMessage> {
    const honest = { protocol: [1, 1], nodeId, nodeType: 'agent', incarnation: `${nodeId}-1` };
    this.say('register', { ...honest, capabilities: [], maxTasks: 1, running: [], ...claim });
    return this.next('welcome');
  }

  /** The next message of a type that was not returned before; what comes before it is passed over. */
  async next(type: string, fits: (message: RawMessage) => boolean = () => true): Promise<RawMessage> {
    const isIt = (message: RawMessage) => message.type === type && fits(message);
    await this.#until(() => this.heard.slice(this.#read).some(isIt), `a ${type}`);
    const index = this.heard.findIndex((message, at) => at >= this.#read && isIt(message));
    this.#read = index + 1;
    return this.heard[index] as RawMessage;
  }

  /** How the gateway closed the link. */
  async closed(): Promise<{ readonly code: number; readonly reason: string }> {
    if (this.end === null) await this.#until(() => this.end !== null, 'the close');
    return this.end as { code: number; reason: string };
  }

  /** The connection goes without a word. */
  cut(): void {
    this.#socket.terminate();
  }

  async #until(holds: () => boolean, what: string): Promise<void> {
    if (holds()) return;
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: Error): void => {
        clearTimeout(patience);
        this.#waiters.delete(look);
        if (error === undefined) resolve();
        else reject(error);
      };
      const look = (): void => {
        if (holds()) settle();
        else if (this.end !== null)
          settle(new Error(`closed with ${this.end.code} ${this.end.reason}, without ${what}`));
      };
      const heard = (): string => this.heard.map(({ type }) => type).join(', ');
      const patience = timer(() => settle(new Error(`${what} did not come; heard: ${heard()}`)), PATIENCE_MS);
      this.#waiters.add(look);
      look();
    });
  }

  #wake(): void {
    for (const look of [...this.#waiters]) look();
  }
}

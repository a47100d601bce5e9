/**
 * What a store in a thread of its own and who uses it say to each other: calls and their answers, hints and messages.
 * What is said in one turn goes in one piece.
 */
import type { MessagePort, Worker } from 'node:worker_threads';
import { ThreadReader, ThreadWriter } from '../../../transport/thread-codec.ts';
import type { Store } from '../store.ts';

/** Of a contract what is a question with one answer. */
export type Verb = Exclude<
  keyof Store,
  'kind' | 'open' | 'close' | 'note' | 'publish' | 'subscribe' | 'onReady' | 'onSettled'
>;

/** What went wrong, as data. */
export interface Fault {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly hint: string;
  readonly retryAfterMs: number | undefined;
}

export type ToStore =
  | readonly ['call', number, Verb | 'open' | 'close', readonly unknown[]]
  | readonly ['note', Parameters<Store['note']>[0]]
  | readonly ['publish', string, Uint8Array]
  | readonly ['listen' | 'forget', string];

export type FromStore =
  | readonly ['answer', number, unknown]
  | readonly ['fault', number, Fault]
  | readonly ['ready' | 'settled', readonly string[]]
  | readonly ['message', string, Uint8Array];

/** One end of the line. */
export class ThreadPort<Out extends readonly unknown[], In extends readonly unknown[]> {
  readonly #port: MessagePort | Worker;
  readonly #writer = new ThreadWriter();
  readonly #reader = new ThreadReader();
  #pieces: Uint8Array<ArrayBuffer>[] = [];

  constructor(port: MessagePort | Worker, receive: (said: In) => void) {
    this.#port = port;
    port.on('message', (pieces: readonly Uint8Array[]) => {
      for (const piece of pieces) {
        if (piece.byteLength === 0) this.#reader.startAnew();
        else receive(this.#reader.read(piece) as unknown as In);
      }
    });
  }

  /**
   * Nothing of what is said is referred to once this has returned.
   * @throws what cannot be said, of which the other end hears nothing
   */
  say(said: Out): void {
    if (this.#pieces.length === 0) queueMicrotask(() => this.#post());
    try {
      this.#pieces.push(this.#writer.write(said));
    } catch (error) {
      // A piece of nothing: what comes next is to be read by a new reader.
      this.#pieces.push(new Uint8Array(0));
      throw error;
    }
  }

  #post(): void {
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#port.postMessage(
      pieces,
      pieces.map(({ buffer }) => buffer),
    );
  }
}

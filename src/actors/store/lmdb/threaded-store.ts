/** A store that works in another thread: what it costs to decide, to encode and to write is not its caller’s. */
import type { EventEmitter } from 'node:events';
import type { MessagePort, Worker } from 'node:worker_threads';
import { PincerError } from '../../../protocol/failure.ts';
import type { Clock } from '../../../protocol/ports.ts';
import type { Store } from '../store.ts';
import { Topics } from '../topics.ts';
import { type FromStore, ThreadPort, type ToStore, type Verb } from './thread-port.ts';

/** All of them: the compiler misses one that is left out. */
const VERBS: Readonly<Record<Verb, true>> = {
  ...{ join: true, renew: true, leave: true, gateways: true, putNodes: true, dropNode: true, nodes: true },
  ...{ putOrder: true, dropOrder: true, orders: true, submit: true, claim: true, owned: true, adopt: true },
  ...{ complete: true, release: true, checkpoint: true, cancel: true, redrive: true, sweep: true, lease: true },
  ...{ unlease: true, get: true, result: true, history: true, limit: true, ahead: true, list: true, stats: true },
  ...{ purge: true, putSchedule: true, schedules: true, dropSchedule: true, noteScheduleRun: true },
};

interface Call {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export interface ThreadedStoreOptions {
  readonly kind: string;
  readonly clock: Clock;
  /** Starts the other end: a worker, or a port to one. It is told to close, and ends itself then. */
  readonly start: () => MessagePort | Worker;
}

/** The store at the other end. Opening starts it, closing ends it. */
export function threadedStore(options: ThreadedStoreOptions): Store {
  return new ThreadedStore(options) as unknown as Store;
}

class ThreadedStore {
  readonly kind: string;
  readonly #start: () => MessagePort | Worker;
  readonly #topics: Topics<Uint8Array>;
  readonly #heard: Topics<readonly string[]>;
  /** How many listen to each topic. */
  readonly #listeners = new Map<string, number>();
  readonly #calls = new Map<number, Call>();
  #last = 0;
  #port: MessagePort | Worker | null = null;
  #line: ThreadPort<ToStore, FromStore> | null = null;
  #opening: Promise<void> | null = null;

  constructor({ kind, clock, start }: ThreadedStoreOptions) {
    this.kind = kind;
    this.#start = start;
    this.#topics = new Topics(clock);
    this.#heard = new Topics(clock);
    for (const verb of Object.keys(VERBS) as Verb[]) {
      Object.defineProperty(this, verb, { value: (...args: unknown[]) => this.#ask(verb, args), writable: true });
    }
  }

  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<void> {
    const port = this.#start();
    this.#port = port;
    this.#line = new ThreadPort(port, (said) => this.#hear(said));
    // A worker exits, a port closes.
    for (const end of ['exit', 'close']) (port as EventEmitter).once(end, () => this.#lose(port));
    for (const topic of this.#listeners.keys()) this.#line.say(['listen', topic]);
    try {
      await this.#ask('open', []);
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  async close(): Promise<void> {
    // One that is being opened cannot be closed yet; why it could not be opened is told to who opened it.
    await this.#opening?.catch(() => {});
    await this.#close();
  }

  async #close(): Promise<void> {
    this.#opening = null;
    if (this.#line === null) return;
    const closed = this.#ask('close', []);
    this.#line = null;
    await closed;
  }

  /** The other end is gone. Whoever waits for an answer is told; a thread that was closed has answered all before. */
  #lose(port: MessagePort | Worker): void {
    if (port !== this.#port) return;
    this.#port = null;
    this.#line = null;
    this.#opening = null;
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { reject } of calls) reject(new PincerError('STORE_UNAVAILABLE', 'the thread of the store has ended'));
  }

  note(entries: Parameters<Store['note']>[0]): void {
    this.#line?.say(['note', entries]);
  }

  publish(topic: string, bytes: Uint8Array): void {
    this.#line?.say(['publish', topic, bytes]);
  }

  subscribe(topic: string, receive: (bytes: Uint8Array) => void): () => void {
    const count = this.#listeners.get(topic) ?? 0;
    this.#listeners.set(topic, count + 1);
    if (count === 0) this.#line?.say(['listen', topic]);
    const stop = this.#topics.subscribe(topic, receive);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      stop();
      const left = (this.#listeners.get(topic) ?? 1) - 1;
      if (left > 0) this.#listeners.set(topic, left);
      else {
        this.#listeners.delete(topic);
        this.#line?.say(['forget', topic]);
      }
    };
  }

  onReady(notify: (queues: readonly string[]) => void): () => void {
    return this.#heard.subscribe('ready', notify);
  }

  onSettled(notify: (taskIds: readonly string[]) => void): () => void {
    return this.#heard.subscribe('settled', notify);
  }

  #ask(verb: Verb | 'open' | 'close', args: readonly unknown[]): Promise<unknown> {
    const line = this.#line;
    if (line === null) return Promise.reject(new PincerError('STORE_UNAVAILABLE', 'the store is not open'));
    return new Promise((resolve, reject) => {
      this.#last += 1;
      line.say(['call', this.#last, verb, args]);
      if (this.#calls.size === 0) this.#port?.ref();
      this.#calls.set(this.#last, { resolve, reject });
    });
  }

  #hear(said: FromStore): void {
    switch (said[0]) {
      case 'answer':
        this.#callOf(said[1])?.resolve(said[2]);
        break;
      case 'fault':
        this.#callOf(said[1])?.reject(PincerError.from(said[2]));
        break;
      case 'message':
        this.#topics.publish(said[1], said[2]);
        break;
      case 'ready':
      case 'settled':
        this.#heard.publish(said[0], said[1]);
        break;
      default:
        throw new Error(`a store says ${String(said)}`);
    }
  }

  #callOf(id: number): Call | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    // Nothing that is not asked holds the process.
    if (this.#calls.size === 0) this.#port?.unref();
    return call;
  }
}

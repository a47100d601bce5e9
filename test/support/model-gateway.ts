/**
 * A real gateway on a real socket for model-based tests: its time passes only when the test says so, what it writes to
 * its store can be held back, and a second gateway can be started beside it on the same store.
 */
import { expect } from 'vitest';
import { type Client, createClient } from '../../src/actors/client/client.ts';
import { createGateway } from '../../src/actors/gateway/gateway.ts';
import { createMemoryStore } from '../../src/actors/store/memory/memory-store.ts';
import type { Store } from '../../src/actors/store/store.ts';
import { defaultLimits, type Limits } from '../../src/protocol/limits.ts';
import { isOutcome } from '../../src/protocol/task-status.ts';
import { testCharts } from './charts.ts';
import { createHandClock, type HandClock } from './hand-clock.ts';
import { RawPeer } from './raw-peer.ts';

/** Waits that no test of a chart wants to meet by accident. */
const FOREVER_MS = 1e9;
/** How often, and for how long, the outside is asked whether the gateway has got there. */
const PATIENCE = { interval: 3, timeout: 3_000 };

type RealGateway = Awaited<ReturnType<typeof createGateway>>;

export class ModelGateway implements AsyncDisposable {
  readonly clock: HandClock = createHandClock();
  readonly limits: Limits;
  /** What both gateways share, without anything held back. */
  readonly store: Store;
  readonly held: HeldStore;
  readonly #peers: RawPeer[] = [];
  #gateway: RealGateway | null = null;
  #other: { gateway: RealGateway; kill(): void } | null = null;
  #client: Client | null = null;

  private constructor(limits: Partial<Limits>) {
    // Nothing waits for company where time stands still.
    this.limits = { ...defaultLimits, leaseMs: FOREVER_MS, acceptMs: 0, ...limits };
    let ids = 0;
    this.store = createMemoryStore({ clock: this.clock, ids: () => `id-${++ids}`, limits: this.limits });
    this.held = new HeldStore(this.store);
  }

  static async start(limits: Partial<Limits> = {}): Promise<ModelGateway> {
    const model = new ModelGateway(limits);
    await model.store.open();
    model.#gateway = await model.#open('gateway', model.held.store);
    model.#client = createClient({ url: model.url, charts: testCharts });
    await model.client.ready();
    return model;
  }

  get gateway(): RealGateway {
    if (this.#gateway === null) throw new Error('the gateway has not started');
    return this.#gateway;
  }

  get client(): Client {
    if (this.#client === null) throw new Error('the client has not started');
    return this.#client;
  }

  get url(): string {
    return this.gateway.url;
  }

  async dial(url = this.url): Promise<RawPeer> {
    const peer = await RawPeer.dial(url);
    this.#peers.push(peer);
    return peer;
  }

  /** Another gateway of the same store; `kill` ends it as a power cut would. */
  async other(): Promise<{ gateway: RealGateway; kill(): void }> {
    if (this.#other !== null) return this.#other;
    let isDead = false;
    const mortal = proxied(this.store, (name, call) => {
      if (name === 'open' || name === 'close') return Promise.resolve();
      return isDead && !SYNCHRONOUS.has(name) ? new Promise(() => {}) : call();
    });
    const gateway = await this.#open('other', mortal);
    this.#other = {
      gateway,
      kill: () => {
        isDead = true;
        // For whoever needs another after this one.
        this.#other = null;
      },
    };
    return this.#other;
  }

  /** Lets time pass. What comes of it is for the checks to wait for. */
  pass(ms: number): void {
    this.clock.pass(ms);
  }

  async counter(name: string): Promise<number> {
    return (await this.gateway.stats()).counters[name] ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.held.open();
    await this.client.stop();
    for (const peer of this.#peers) peer.cut();
    await this.#other?.gateway.stop();
    await this.gateway.stop();
  }

  #open(id: string, store: Store): Promise<RealGateway> {
    return createGateway({ id, store, limits: this.limits, clock: this.clock, random: () => 0.5, charts: testCharts });
  }
}

/** A store that writes outcomes only when it is let: so that there is time to look at what is being stored. */
export class HeldStore {
  readonly store: Store;
  #waiting: (() => void)[] = [];
  #isOpen = false;

  constructor(inner: Store) {
    const isWaiting = async (taskId: string): Promise<boolean> => {
      const record = await inner.get(taskId);
      return record !== null && record.owner === null && !isOutcome(record.status);
    };
    this.store = proxied(inner, (name, call, given) => {
      if (name === 'open' || name === 'close') return Promise.resolve();
      if (name === 'complete') return this.#wait().then(call);
      if (name !== 'cancel') return call();
      // That of a waiting task is an outcome; that of a running one only a wish.
      const [[taskId]] = given as [[string]];
      return isWaiting(taskId).then((isOne) => (isOne ? this.#wait().then(call) : call()));
    });
  }

  /** How many writes of outcomes wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Lets through what waits. */
  async letGo(): Promise<void> {
    await eventually(() => this.size).toBeGreaterThan(0);
    for (const write of this.#waiting.splice(0)) write();
  }

  /** Holds nothing back any more. */
  open(): void {
    this.#isOpen = true;
    for (const write of this.#waiting.splice(0)) write();
  }

  #wait(): Promise<void> {
    if (this.#isOpen) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** What the outside will say in a moment. */
export function eventually(ask: () => unknown): ReturnType<typeof expect.poll> {
  return expect.poll(ask, PATIENCE);
}

/** What a store answers at once, and not by a promise. */
const SYNCHRONOUS: ReadonlySet<string> = new Set(['note', 'publish', 'subscribe', 'onReady']);

function proxied(
  store: Store,
  around: (name: string, call: () => unknown, given: readonly unknown[]) => unknown,
): Store {
  return new Proxy(store, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property, target);
      if (typeof member !== 'function') return member;
      return (...given: unknown[]) => around(String(property), () => Reflect.apply(member, target, given), given);
    },
  });
}

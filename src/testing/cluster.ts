/**
 * A whole cluster in one process: gateway, nodes and clients over an in-memory network, with time that passes only when
 * the test says so and chance that comes from a seed. For tests of handlers, of whole apps, and of Pincer itself.
 */
import process from 'node:process';
import { chartsOf } from '../actors/charts/charts.ts';
import { type Client, type ClientOptions, createClient } from '../actors/client/client.ts';
import { createGateway } from '../actors/gateway/gateway.ts';
import type { Gateway, GatewayOptions } from '../actors/gateway/gateway-options.ts';
import { createNode } from '../actors/node/node.ts';
import type { Node, NodeOptions } from '../actors/node/node-options.ts';
import type { Outbox } from '../actors/node/outbox.ts';
import { createMemoryStore } from '../actors/store/memory/memory-store.ts';
import type { Store } from '../actors/store/store.ts';
import { seededRandom } from '../actors/world/seeded-random.ts';
import { createSimulatedClock, type SimulatedClock } from '../actors/world/simulated-clock.ts';
import { PincerError } from '../protocol/failure.ts';
import { defaultLimits, type Limits } from '../protocol/limits.ts';
import { checkOptions, type Names } from '../protocol/options.ts';
import type { Ids, Log, Random } from '../protocol/ports.ts';
import type { Dial, Link, Listen } from '../transport/link.ts';
import { createMemoryNetwork, type Faults, type MemoryNetwork } from '../transport/memory.ts';

/** What `createTestCluster` takes. Everything has a default. */
export interface TestClusterOptions {
  /** Where all chance comes from: the same seed, the same run. Default 1. */
  readonly seed?: number;
  /** Limits of the gateway, and of every node and client that does not say otherwise. */
  readonly limits?: Partial<Limits>;
  /** What the network does to frames from the start; `network.setFaults` changes it. Default: nothing. */
  readonly faults?: Faults;
  /** The store. Default: a fresh one in memory, which outlives `restartGateway`. */
  readonly store?: Store;
  /** Where gateway, nodes and clients log to. Default: nowhere. */
  readonly log?: Log;
  /** How charts are run. Default: as the variable PINCER_CHARTS says, else compiled. */
  readonly charts?: 'compiled' | 'interpreted';
  /** How many gateways share the store. Default 1. */
  readonly gateways?: number;
  /** Further options of each gateway. */
  readonly gateway?: Omit<
    GatewayOptions,
    'listen' | 'listeners' | 'store' | 'clock' | 'random' | 'ids' | 'limits' | 'charts'
  >;
}

const TEST_CLUSTER_OPTIONS: Names<TestClusterOptions> = {
  seed: true,
  limits: true,
  faults: true,
  store: true,
  log: true,
  charts: true,
  gateways: true,
  gateway: true,
};

/** Options of a node in a test cluster: those of `createNode`, but for what the cluster provides. */
export type TestNodeOptions = Omit<NodeOptions, 'join' | 'id' | 'clock' | 'random' | 'ids' | 'charts'> & Reach;

/** Where a node or client of a test cluster may go. */
export interface Reach {
  /** The gateways that it knows, by number from 1. Default: all. */
  readonly via?: readonly number[];
}

/** A cluster whose time, chance and network a test holds in its hands. Dispose it. */
export interface TestCluster extends AsyncDisposable {
  readonly clock: SimulatedClock;
  /**
   * Cuts, partitions and faults. The first gateway is called `gateway`, the second `gateway-2` and so on, nodes and
   * clients by their ids.
   */
  readonly network: MemoryNetwork;
  readonly random: Random;
  readonly store: Store;
  /** The first gateway that runs now. */
  readonly gateway: Gateway;
  /** A gateway that runs now, by number from 1. */
  gatewayAt(number: number): Gateway;
  /** Starts a node and resolves once it is welcome, letting time pass until then. */
  node(id: string, options?: TestNodeOptions): Promise<Node>;
  /** Starts a client and resolves once it is connected. */
  client(id?: string, options?: Pick<ClientOptions, 'limits' | 'log'> & Reach): Promise<Client>;
  /** As `kill -9` of a node or client: its link ends without a word and it never gets through again. */
  kill(id: string): void;
  /** As `kill -9` of a gateway, by number from 1: every link ends, nothing more that it says reaches the store or anybody. */
  killGateway(number?: number): void;
  /** Kills a gateway and starts another one in its place, on the same store. */
  restartGateway(number?: number): Promise<Gateway>;
  /** Lets time pass. */
  advance(ms: number): Promise<void>;
  /** Lets no time pass, but everything that needs none happen. */
  settle(): Promise<void>;
  /**
   * Lets time pass until a promise has settled, or a condition holds.
   * @throws PincerError `TIMED_OUT` if that takes more than `withinMs` of simulated time (default 10 minutes).
   */
  until<Value>(what: PromiseLike<Value> | (() => boolean | Promise<boolean>), withinMs?: number): Promise<Value>;
}

/** Of who was killed, nothing gets through any more. */
interface Life {
  isDead: boolean;
  /** The link that was dialled last. */
  link?: Link;
  onKilled?: () => void;
}

const STEP_MS = 50;
const WITHIN_MS = 600_000;

/** Starts a cluster with a gateway and nothing else. Dispose it (`await using`): that stops everything in it. */
export async function createTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  checkOptions(options, 'createTestCluster', 'options, or nothing', TEST_CLUSTER_OPTIONS);
  const {
    seed = 1,
    limits = {},
    faults = {},
    log,
    charts = chartsOf(process.env['PINCER_CHARTS'] || undefined),
  } = options;
  const random = seededRandom(seed);
  const clock = createSimulatedClock();
  const network = createMemoryNetwork({ clock, random, faults });
  const ids = countingIds();
  const store = options.store ?? createMemoryStore({ clock, ids, limits: { ...defaultLimits, ...limits } });
  const shared = { clock, random, ids, limits, charts, ...(log === undefined ? {} : { log }) };
  /** The newest of each id. */
  const lives = new Map<string, Life>();
  const started: { stop(): Promise<void> }[] = [];
  const places = Array.from({ length: options.gateways ?? 1 }, (_, index) =>
    index === 0 ? 'gateway' : `gateway-${index + 1}`,
  );
  let gateways = 0;
  /** Those that run now, and how to kill each, by their place. */
  const running = new Map<string, { readonly gateway: Gateway; kill(): void }>();

  async function startGateway(place: string): Promise<Gateway> {
    gateways += 1;
    const life = { isDead: false };
    let close: () => Promise<void> = async () => {};
    const listen: Listen = async (onLink) => {
      const listener = await network.listen(place)(onLink);
      close = () => listener.close();
      return listener;
    };
    const kill = (): void => {
      life.isDead = true;
      void close();
    };
    const gateway = await until(
      createGateway({
        id: `gateway-${gateways}`,
        ...options.gateway,
        ...shared,
        listen: null,
        listeners: [listen],
        store: mortal(store, life),
      }),
    );
    started.push(gateway);
    running.set(place, { gateway, kill });
    return gateway;
  }

  function placeOf(number: number): string {
    const place = places[number - 1];
    if (place === undefined) throw new PincerError('OPTION_INVALID', `there is no gateway ${number} in this cluster`);
    return place;
  }

  function gatewayAt(number: number): Gateway {
    const one = running.get(placeOf(number));
    if (one === undefined) throw new PincerError('OPTION_INVALID', `gateway ${number} does not run`);
    return one.gateway;
  }

  /** Ways to the gateways that lead nowhere once their owner was killed. */
  function dialsAs(id: string, via: readonly number[] = places.map((_, index) => index + 1)): Dial[] {
    const life: Life = { isDead: false };
    lives.set(id, life);
    return via.map((number) => {
      const dial = network.dial(placeOf(number), { name: id });
      return async (signal) => {
        const link = life.isDead ? null : await dial(signal);
        // It may have been killed meanwhile.
        if (life.isDead) link?.terminate();
        if (link === null || life.isDead) throw new PincerError('GATEWAY_UNREACHABLE', `${id} was killed`);
        life.link = link;
        return link;
      };
    });
  }

  function killGateway(number = 1): void {
    const place = placeOf(number);
    running.get(place)?.kill();
    running.delete(place);
  }

  function until<Value>(
    what: PromiseLike<Value> | (() => boolean | Promise<boolean>),
    withinMs = WITHIN_MS,
  ): Promise<Value> {
    return typeof what === 'function'
      ? (holds(what, withinMs) as Promise<Value>)
      : settles(Promise.resolve(what), withinMs);
  }

  async function settles<Value>(promise: Promise<Value>, withinMs: number): Promise<Value> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    promise.then(over, over);
    await holds(() => isOver, withinMs);
    return promise;
  }

  async function holds(condition: () => boolean | Promise<boolean>, withinMs: number): Promise<void> {
    const endAt = clock.now() + withinMs;
    await clock.runSoon();
    for (let stepMs = 1; !(await asked(condition)); stepMs = Math.min(stepMs * 2, STEP_MS)) {
      if (clock.now() >= endAt) {
        throw new PincerError('TIMED_OUT', `not within ${withinMs} ms of simulated time (seed ${seed})`);
      }
      await clock.advance(stepMs);
    }
  }

  /** A condition may itself need the network, and so time. */
  async function asked(condition: () => boolean | Promise<boolean>): Promise<boolean> {
    const answer = condition();
    return typeof answer === 'boolean' ? answer : settles(answer, WITHIN_MS);
  }

  for (const place of places) await startGateway(place);
  const cluster: TestCluster = {
    clock,
    network,
    random,
    store,
    get gateway() {
      return gatewayAt(1);
    },
    gatewayAt,
    async node(id, { via, outbox, ...nodeOptions } = {}) {
      const join = dialsAs(id, via);
      const life = lives.get(id);
      const node = await until(
        createNode({
          load: STEADY,
          ...shared,
          ...nodeOptions,
          ...(outbox === undefined || life === undefined ? {} : { outbox: mortalOutbox(outbox, life) }),
          limits: { ...limits, ...nodeOptions.limits },
          id,
          join,
        }),
      );
      started.push(node);
      return node;
    },
    async client(id = `client-${started.length}`, { via, ...clientOptions } = {}) {
      const client = createClient({
        ...shared,
        ...clientOptions,
        limits: { ...limits, ...clientOptions.limits },
        id,
        url: dialsAs(id, via),
      });
      started.push(client);
      await until(client.ready(WITHIN_MS));
      return client;
    },
    kill(id) {
      const life = lives.get(id);
      if (life === undefined) throw new PincerError('OPTION_INVALID', `there is no '${id}' in this cluster`);
      life.isDead = true;
      life.link?.terminate();
      life.onKilled?.();
    },
    killGateway,
    restartGateway(number = 1) {
      killGateway(number);
      return startGateway(placeOf(number));
    },
    advance: (ms) => clock.advance(ms),
    settle: () => clock.runSoon(),
    until,
    async [Symbol.asyncDispose]() {
      network.heal();
      network.setFaults({});
      // Clients and nodes before the gateway, so that they can take their leave.
      for (const one of started.reverse()) await until(one.stop());
    },
  };
  return cluster;
}

/** A machine whose load never changes: what a test measures must not depend on the machine it runs on. */
const STEADY = { sample: () => ({ cpu: 0.1, memory: 0.1, lagMs: 0 }), stop: () => {} };

function countingIds(): Ids {
  let last = 0;
  return () => {
    last += 1;
    return `id-${last}`;
  };
}

/** The outbox as one node sees it: what it had when that was killed is there for the next, and nothing comes after. */
function mortalOutbox(outbox: Outbox, life: Life): Outbox {
  life.onKilled = () => void outbox.close();
  return {
    open: (owner) => outbox.open(owner),
    get refusal() {
      return life.isDead ? null : outbox.refusal;
    },
    keep: (key, result, onKept) => {
      if (!life.isDead) outbox.keep(key, result, onKept);
    },
    forget: (key) => {
      if (!life.isDead) outbox.forget(key);
    },
    close: async () => {
      if (!life.isDead) await outbox.close();
    },
  };
}

/** The store as one gateway sees it: once that is dead, nothing it asks for is done. */
function mortal(store: Store, life: { readonly isDead: boolean }): Store {
  return new Proxy(store, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property, target);
      if (typeof member !== 'function') return member;
      return (...given: unknown[]): unknown => {
        // Another gateway may be using the same store still.
        if (property === 'close') return Promise.resolve();
        if (!life.isDead) return Reflect.apply(member, target, given);
        if (property === 'note' || property === 'publish') return undefined;
        return Promise.reject(new PincerError('STORE_UNAVAILABLE', 'this gateway was killed'));
      };
    },
  });
}

/** What a gateway may be told, and what can be asked of one that runs. */
import type { StrategyName } from '../../machines/policies/placement/index.ts';
import type { Strategy } from '../../machines/policies/placement/placement.ts';
import type { Names } from '../../protocol/options.ts';
import type { Answer } from '../../protocol/query.ts';
import type { ExpectedNode } from '../../transport/discovery/nodes-file.ts';
import type { Dial, Listen } from '../../transport/link.ts';
import type { Inspection, Inspector } from '../charts/inspection.ts';
import type { Client } from '../client/client.ts';
import type { Store } from '../store/store.ts';
import { WORLD_OPTIONS, type WorldOptions } from '../world/world.ts';

/** What `createGateway` takes. Everything has a default. */
export interface GatewayOptions extends WorldOptions {
  /**
   * Where to listen: `host:port`, port 0 for any free one. Default `127.0.0.1:0`. Anything but loopback needs a `token` of at least 16
   * characters.
   * Null: only in-process clients and nodes.
   */
  readonly listen?: string | null;
  /** The secret that every node and client must present. Without one, only this machine is let in. */
  readonly token?: string;
  /** The name of this gateway. Default: a fresh id. */
  readonly id?: string;
  /** Where tasks are kept. Default: in memory, gone with the process. */
  readonly store?: Store;
  /** How nodes are chosen: one of the six strategies, or one of `strategies`. Default `least-connections`. */
  readonly strategy?: StrategyName | (string & {});
  /** The strategy of single task types, where it differs. */
  readonly strategyByType?: Readonly<Record<string, StrategyName | (string & {})>>;
  /**
   * Strategies of the app’s own, by name: pure functions of a few facts. Where one throws, or names no candidate, that is
   * logged (`strategy.failed`, once until it works again) and `least-connections` chooses.
   */
  readonly strategies?: Readonly<Record<string, Strategy>>;
  /**
   * Nodes that are expected, as `loadNodesFile('nodes.json')` of `pincer/discovery` gives them: each is granted what it
   * claims and what is declared for it, no more. Default: none, and nodes are taken at their word.
   */
  readonly nodes?: readonly ExpectedNode[];
  /** True: nodes that are not in `nodes` are refused. Default false. */
  readonly strictNodes?: boolean;
  /** Further ways in, such as an in-memory network in tests. */
  readonly listeners?: readonly Listen[];
}

export const GATEWAY_OPTIONS: Names<GatewayOptions> = {
  listen: true,
  token: true,
  id: true,
  store: true,
  strategy: true,
  strategyByType: true,
  strategies: true,
  nodes: true,
  strictNodes: true,
  listeners: true,
  ...WORLD_OPTIONS,
};

/** A running gateway. Dispose it (`await using`) or `stop()` it. */
export interface Gateway extends AsyncDisposable {
  readonly id: string;
  /** What nodes and clients dial, `ws://127.0.0.1:7443`; empty if it listens nowhere. */
  readonly url: string;
  /** starting, recovering, serving, draining or stopped. */
  readonly status: string;
  /** Resolves when the gateway has stopped, whoever stopped it. */
  readonly stopped: Promise<void>;
  /** Dials this gateway from inside the process: the same protocol over memory. */
  readonly dial: Dial;
  /** A client inside the process. Dispose it, or it goes with the gateway. */
  client(): Client;
  /**
   * Takes the place of `nodes`: who is here is granted anew what it claims, at once; who is refused by it is evicted, and
   * what it ran is placed elsewhere.
   * @throws PincerError `OPTION_INVALID` for nodes that are none, naming the field; nothing has changed then.
   */
  expect(nodes: readonly ExpectedNode[]): void;
  /**
   * Tells an inspector what the charts of this gateway do (itself, its scheduler, its nodes, tasks and sessions), as
   * xstate’s `inspect` does, until it unsubscribes; first which there are and where they are now. Of those under one parent at
   * most `inspectedMax` at a time, of the others nothing. Costs what the inspector does,
   * and about as much again as the charts. One that throws is told no more.
   * @throws PincerError `OPTION_INVALID` for an inspector that is neither a function nor has a `next`.
   * @see https://stately.ai/docs/inspection
   */
  inspect(inspector: Inspector): Inspection;
  stats(): Promise<Answer<'stats'>>;
  /** Takes no more submits, waits for running attempts (at most `drainMs`), and stops. */
  drain(): Promise<void>;
  /** Stops at once; what runs is handed back to the store. Idempotent. */
  stop(): Promise<void>;
}

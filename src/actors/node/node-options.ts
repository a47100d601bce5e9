/** What a node may be told, and what can be asked of one that runs. */
import type { PincerError } from '../../protocol/failure.ts';
import type { NodeKind } from '../../protocol/node.ts';
import type { Names } from '../../protocol/options.ts';
import type { Inspection, Inspector } from '../charts/inspection.ts';
import type { GatewayCalls } from '../client/calls.ts';
import type { Target } from '../peer/dials.ts';
import type { Messaging } from '../peer/messenger.ts';
import type { Handler, TaskDefinition } from '../task-definition.ts';
import { WORLD_OPTIONS, type WorldOptions } from '../world/world.ts';
import type { LoadMeter } from './load.ts';
import type { Outbox } from './outbox.ts';
import type { Registration } from './runner.ts';

/** What `createNode` takes. Only `join` has no default. */
export interface NodeOptions extends WorldOptions {
  /** The gateway to join: `ws://host:port`, several of one store, or `gateway.dial` of one in this process. */
  readonly join: Target;
  /** The gateway’s token, if it asks for one. */
  readonly token?: string;
  /** The node’s name; the newest process with a name supersedes the older. Default: a fresh one. */
  readonly id?: string;
  /** `agent` runs tasks; `channel` connects a platform and is never given agent work. Default `agent`. */
  readonly type?: NodeKind;
  /** What it can do, such as `llm` or `tools`. A claim: the gateway grants. Default: none. */
  readonly capabilities?: readonly string[];
  /** Slots: how many attempts run at once, 0–10 000. Default 5. */
  readonly maxTasks?: number;
  /** Labels that tasks may ask for, such as `{ zone: 'attic' }`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** What it has beside slots, such as `{ gpu: 1, memoryMb: 16384 }`; attempts take of it what their tasks say. */
  readonly resources?: Readonly<Record<string, number>>;
  /** Handlers that are there from the start; more can be added with `handle`. */
  readonly handlers?: readonly Registration[];
  /**
   * Where results are kept until a gateway has acknowledged them. Default: in memory; `diskOutbox(directory)` keeps them
   * for the next process with this `id`, which then must be given.
   */
  readonly outbox?: Outbox;
  /** How the load is measured. Default: this machine. One whose first sample is out of range is refused. */
  readonly load?: LoadMeter;
  /** Gives up joining. */
  readonly signal?: AbortSignal;
}

export const NODE_OPTIONS: Names<NodeOptions> = {
  join: true,
  token: true,
  id: true,
  type: true,
  capabilities: true,
  maxTasks: true,
  labels: true,
  resources: true,
  handlers: true,
  outbox: true,
  load: true,
  signal: true,
  ...WORLD_OPTIONS,
};

/** A running node. Dispose it (`await using`) or `stop()` it. */
export interface Node extends AsyncDisposable {
  readonly id: string;
  /** joining, online, busy, draining or stopped. */
  readonly status: string;
  /** Slots taken. */
  readonly running: number;
  /** Resolves when the node has stopped, whoever stopped it; with the reason if the gateway refused it. */
  readonly stopped: Promise<PincerError | null>;
  /** Adds a handler. The gateway is told at once. Throws `OPTION_INVALID` for a type that is no task type. */
  handle<Definition extends TaskDefinition>(definition: Definition, handler: Handler<Definition>): void;
  /** Takes a handler away again: no more tasks of its type come. What runs goes on. */
  unhandle(type: string): void;
  /** What a node may ask of its gateway, as clients may: submit tasks, follow them, ask questions. */
  readonly gateway: GatewayCalls;
  /** Messages to and from other peers. */
  readonly messages: Messaging;
  /** Tells an inspector what the charts of this node do (itself, its link, its attempts): as `Gateway.inspect`. */
  inspect(inspector: Inspector): Inspection;
  /** Takes nothing new, finishes what runs (at most `drainMs`), says goodbye, stops. */
  drain(): Promise<void>;
  /** Stops at once: handlers are told to stop, and what they had is placed elsewhere. Idempotent. */
  stop(): Promise<void>;
}

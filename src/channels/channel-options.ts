/** What a channel may be told, and what can be asked of one that runs. */
import type { SettledTask } from '../actors/client/handle.ts';
import { RUN_OPTIONS, type SubmitOptions, submitSpec } from '../actors/client/submit-spec.ts';
import type { Target } from '../actors/peer/dials.ts';
import { WORLD_OPTIONS, type WorldOptions } from '../actors/world/world.ts';
import { PincerError } from '../protocol/failure.ts';
import { TaskType } from '../protocol/identifier.ts';
import type { Limits } from '../protocol/limits.ts';
import { checkOptions, type Names } from '../protocol/options.ts';
import type { ChannelCounters } from './counters.ts';
import type { InboundMessage, Platform } from './platform.ts';

/** What messages become: tasks, or messages to whoever has subscribed to a topic. */
export type Route = TaskRoute | { readonly topic: string };

/** The task that a message becomes. Its id and key are made of the message’s own id; all else may be said here. */
export interface TaskRoute
  extends Omit<SubmitOptions, 'taskId' | 'key' | 'watch' | 'signal' | 'delayMs' | 'after' | 'onDependencyFailure'> {
  /** Default `agent-turn`. */
  readonly type?: string;
  /** What its handler gets. Default: `{ channel, messageId, conversation, sender, text, data? }`. */
  readonly input?: (message: InboundMessage, channel: string) => unknown;
}

/** What `createChannel` takes. `join` and `platform` have no default. */
export interface ChannelOptions extends WorldOptions {
  /** The gateway to join: `ws://host:port`, several of one store, or `gateway.dial` of one in this process. */
  readonly join: Target;
  /** The gateway’s token, if it asks for one. */
  readonly token?: string;
  readonly platform: Platform;
  /**
   * The channel’s name: what its instances share, the key of their lease, and the type `channel/NAME` of what is sent out
   * over it. 1–64 of `A-Z a-z 0-9 . _ : -`. Default: as the platform says, or its kind.
   */
  readonly name?: string;
  /** The name of this instance as a node. Default: the channel’s and a fresh ending. */
  readonly id?: string;
  /** What messages become. Default: tasks of type `agent-turn`. */
  readonly route?: Route;
  /** The text of a reply. Default: the result if it is text, its `text` if it has one, else JSON; of a failure its message. */
  readonly replyText?: (settled: SettledTask) => string;
  /** How long the lease lasts without a renewal, 1 000 to 300 000 ms. Default `channelLeaseMs`. */
  readonly leaseMs?: number;
  /** Told of each change of state. */
  readonly onState?: (state: string) => void;
  /** Gives up joining, and opening the platform for the first time. */
  readonly signal?: AbortSignal;
}

export const CHANNEL_OPTIONS: Names<ChannelOptions> = {
  join: true,
  platform: true,
  token: true,
  name: true,
  id: true,
  route: true,
  replyText: true,
  leaseMs: true,
  onState: true,
  signal: true,
  ...WORLD_OPTIONS,
};

const TASK_ROUTE: Names<TaskRoute> = { type: true, input: true, ...RUN_OPTIONS };

/**
 * Checks a route before anything comes in: of what every message would be refused for, a platform hears each time, and
 * one that says everything once loses them all.
 * @throws PincerError `OPTION_INVALID`
 */
export function checkRoute(route: Route, limits: Limits): void {
  const where = 'createChannel: route';
  if ('topic' in route) {
    checkOptions(route, `${where} to a topic`, 'topic', { topic: true });
    const topic = TaskType.safeParse(route.topic);
    if (topic.success) return;
    throw new PincerError('OPTION_INVALID', `${where}: topic ${topic.error.issues[0]?.message}`);
  }
  checkOptions(route, where, 'what its tasks are, or topic', TASK_ROUTE);
  const { type = 'agent-turn', input: _, ...options } = route;
  try {
    void submitSpec({ taskId: 'in', definition: { type }, input: null, options, limits });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new PincerError('OPTION_INVALID', `${where}: ${message.replace(/^submit: /, '')}`, { cause: error });
  }
}

/** A running instance of a channel. Dispose it (`await using`) or `stop()` it. */
export interface Channel extends AsyncDisposable {
  readonly name: string;
  /** The node that it is. */
  readonly id: string;
  /** standby, opening, open, degraded, draining or stopped. */
  readonly state: string;
  /** Where the platform can reach it, while it is open and listens. */
  readonly url: string | null;
  /** Why it is degraded, or was before it opened again; null while it is open. */
  readonly trouble: PincerError | null;
  readonly counters: Readonly<ChannelCounters>;
  /** Resolves when it has stopped, whoever stopped it; with the reason, if it had to. */
  readonly stopped: Promise<PincerError | null>;
  /** Takes nothing new, lets replies go out (at most `drainMs`, and none that its platform has it keep for longer), frees the lease, leaves. What is left, the next holder delivers. */
  drain(): Promise<void>;
  /** Stops at once. Idempotent. */
  stop(): Promise<void>;
}

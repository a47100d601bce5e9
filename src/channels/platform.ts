/**
 * What a channel and a platform owe each other. A platform knows its protocol (HTTP, Telegram, …) and nothing of tasks;
 * the channel turns what comes in into tasks, keeps what goes out until it is delivered, and lets one instance at a time
 * speak to the platform. test/conformance/channel.ts is this page as a suite.
 */
import type { PincerError } from '../protocol/failure.ts';
import type { Limits } from '../protocol/limits.ts';
import type { Clock, Ids, Log, Random } from '../protocol/ports.ts';
import type { Turn } from './turn.ts';

/** A message that came in. */
export interface InboundMessage {
  /** The platform’s own id of the message, at most 512 characters. The same id is the same task, whoever submits it when. */
  readonly id: string;
  /** The conversation it belongs to. Conversations take turns, however much one of them says. At most 128 characters. */
  readonly conversation: string;
  /** Who wrote it, as the platform says. At most 128 characters. */
  readonly sender: string;
  readonly text: string;
  /** What else came with it; travels with the task. */
  readonly data?: unknown;
  /**
   * Where the reply goes: plain data, at most 4 KiB as JSON, that any instance of the channel understands after any
   * restart. Null: nothing is delivered, and whoever wants the reply takes it from the turn.
   */
  readonly replyTo: unknown;
}

/** A message that goes out. */
export interface OutboundMessage {
  /** The same for every attempt to send it, and for no other message: a platform that can should send it once. */
  readonly key: string;
  /** Where it goes; what `replyTo` was, or what whoever submitted the delivery wrote. Not checked yet. */
  readonly to: unknown;
  readonly text: string;
  readonly data?: unknown;
  /** The task that it replies to, how that ended, and why it failed. Absent: it is no reply. */
  readonly reply?: {
    readonly taskId: string;
    readonly status: 'completed' | 'failed' | 'cancelled';
    readonly result?: unknown;
    readonly error?: { readonly code: string; readonly message: string };
  };
}

/** How a task gets on, for who waits for its reply. */
export interface ProgressNote {
  readonly taskId: string;
  /** Where its reply will go. */
  readonly to: unknown;
  /** All that it has said so far, as far as it is text. */
  readonly text: string;
}

/** What the channel does for a platform that is open. */
export interface Inlet {
  /**
   * Takes a message. Resolves once the gateway has it for good: only then may the platform forget it. Rejects with
   * `RATE_EXCEEDED`, `GATEWAY_UNREACHABLE`, `QUEUE_FULL` or `PAYLOAD_INVALID`; after a retryable one, offer it again.
   * Null: it was published to a topic, and nobody answers.
   */
  take(message: InboundMessage): Promise<Turn | null>;
  /** Counts what the platform itself turned away: forged, from a stranger, not understood. */
  refused(): void;
  /** A task that was made of an earlier message, by any instance. */
  follow(taskId: string): Turn;
  /** The platform cannot go on: it is closed, and opened again after a backoff; never if the error is not retryable. */
  failed(error: PincerError): void;
}

/** The world as a platform is given it. */
export interface PlatformWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly log: Log;
  readonly limits: Limits;
}

/** A platform that is open. */
export interface OpenPlatform {
  /** Where it can be reached, if it listens. */
  readonly url?: string;
  /**
   * Sends a message. Rejects with `DELIVERY_FAILED` (tried again; `retryAfterMs` is heeded), `DELIVERY_REFUSED` or
   * `PAYLOAD_INVALID` (never tried again). At least once: it may be called again with the same key.
   */
  deliver(message: OutboundMessage, signal: AbortSignal): Promise<void>;
  /** Shows how a task gets on, as often as the platform likes to. Never throws; nothing depends on it. */
  progress?(note: ProgressNote): void;
  /** Takes nothing new, and answers what it has. Idempotent. */
  pause(): Promise<void>;
  /** Lets go of the platform. What waits for a reply is told so. Idempotent. */
  close(): Promise<void>;
}

/** A kind of platform, with its options: opened when the lease is held, closed when it is lost. */
export interface Platform {
  /** `webhook`, `telegram`, … */
  readonly kind: string;
  /** The name of a channel that is not given one. Default: the kind. */
  readonly name?: string;
  /** Loads what it needs, before anything is dialled: an instance that stands by must be able to take over. */
  prepare?(): Promise<void>;
  /** Rejects with a PincerError; one that is not retryable ends the channel. `signal`: the lease was lost meanwhile. */
  open(inlet: Inlet, world: PlatformWorld, signal: AbortSignal): Promise<OpenPlatform>;
}

/**
 * The store contract: the truth about every task. A gateway is stateless beside it; it claims work for the nodes
 * attached to it and tells the store what came of it.
 *
 * - Every mutating promise resolves after the change is durable (for the memory store: after it is made), and each call
 *   is atomic. Calls take effect in the order in which they were made; only a `claim` may come after others that were made
 *   before it is answered, so that it finds what they submit.
 * - The fence is (taskId, attempt): `attempt` strictly increases, only `claim` increases it, and what names another
 *   attempt than the present one changes nothing and is answered `stale`.
 * - A gateway's lease decides when its tasks may be taken over, never whether a result counts.
 *
 * test/conformance/store.ts is this page as a suite; every implementation passes it, answer by answer.
 * @see docs/decisions/0002-shared-queue.md
 */

import type { Failure } from '../../protocol/failure.ts';
import type { AttemptRef } from '../../protocol/identifier.ts';
import type { HistoryEntry, TaskStatus } from '../../protocol/task.ts';
import type { OutcomeStatus } from '../../protocol/task-status.ts';
import type { NodeEntry, NodeRecord, StandingOrder } from './cluster.ts';
import type { NewTask, Schedule, ScheduleRecord } from './new-task.ts';

export type { NodeEntry, NodeRecord, StandingOrder } from './cluster.ts';
export type { Dependencies, NewTask, Schedule, ScheduleRecord, TaskLimit } from './new-task.ts';

/** What the store keeps of a task. Times named `…At` are wall-clock, for people; durations are measured by the store's clock. */
export interface TaskRecord {
  readonly taskId: string;
  readonly type: string;
  readonly queue: string;
  readonly needs: readonly string[];
  readonly priority: number;
  readonly timeoutMs: number;
  readonly attemptsMax: number;
  readonly key: string | null;
  /** `assigned` and `running` are one durable state, told apart by `startedAt`. */
  readonly status: TaskStatus;
  /** The number of the last attempt, 0 before the first. */
  readonly attempt: number;
  /** Attempts that were started: what people call "attempts". */
  readonly attemptsStarted: number;
  /** Failures of the handler (timeouts too). */
  readonly failures: number;
  /** Losses of a node or gateway under the task. */
  readonly crashes: number;
  readonly cancelRequested: boolean;
  readonly owner: string | null;
  /** The gateway that took its submit, as it named itself; null if it did not say. */
  readonly origin: string | null;
  readonly node: string | null;
  /** The node of the last attempt that was released at the cost of a failure or a crash: another one is tried first. */
  readonly lastNode: string | null;
  readonly prefer: string | null;
  readonly affinityKey: string | null;
  readonly fairKey: string | null;
  readonly limitKey: string | null;
  /** How long until a delay ends; null if the task is not delayed by time. */
  readonly dueInMs: number | null;
  /** Unsettled tasks that it waits for: the first 16, in the order in which they were named. */
  readonly waitsFor: readonly string[];
  /** How many they are in all. */
  readonly waitsForTotal: number;
  /** How long until it expires if no attempt starts; null if it does not, or has settled. 0: it has, and is about to fail. */
  readonly expiresInMs: number | null;
  /** As `expiresInMs`, for its total deadline. */
  readonly deadlineInMs: number | null;
  readonly createdAt: number;
  /** When the last attempt was started. */
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  /** From submit to the start of the last attempt; until now, while one that holds the task has not started. */
  readonly queuedMs: number;
  /** How long the last attempt ran, or has run. */
  readonly runMs: number;
  readonly error: Failure | null;
}

/** A gateway that has a claim on work. */
export interface GatewayRecord {
  readonly gateway: string;
  /** How long its lease still holds, in milliseconds; less than 0: it lapsed that long ago and nobody has swept it. */
  readonly leaseInMs: number;
  /** Tasks that it owns. */
  readonly owned: number;
}

export type SubmitVerdict =
  | { readonly taskId: string; readonly created: boolean; readonly status: TaskStatus }
  | {
      readonly taskId: string;
      readonly refused: 'QUEUE_FULL' | 'KEY_CONFLICT' | 'TASK_UNKNOWN';
      readonly message: string;
      readonly retryAfterMs?: number;
    };

/** How many tasks of one class may be claimed. */
export interface Want {
  readonly queue: string;
  readonly limit: number;
}

/** A task that now belongs to the claiming gateway, under a fresh attempt number. */
export interface Claimed {
  readonly record: TaskRecord;
  readonly payload: Uint8Array;
  readonly checkpoint: Uint8Array | null;
  /** Milliseconds until its total deadline, more than 0; null if it has none. */
  readonly remainingMs: number | null;
}

/** An attempt that a gateway owns. */
export interface Owned extends AttemptRef {
  /** Its task is to be cancelled, whichever gateway was told so. */
  readonly cancelRequested: boolean;
}

/** How an attempt ended for good. */
export interface Completion extends AttemptRef {
  readonly status: OutcomeStatus;
  readonly result?: Uint8Array | undefined;
  readonly error?: Failure | undefined;
  readonly node?: string | undefined;
  readonly runMs: number;
  /** Which counter a failed task costs. Default `failure`; `crash` if it fails for having lost too many nodes. */
  readonly costs?: 'failure' | 'crash' | undefined;
  /**
   * Given for what a gateway decides of its own accord (a node lost once too often, a time that has passed): it counts
   * only while this gateway owns the task, and is `stale` otherwise. What a node reports counts by way of any gateway.
   */
  readonly owner?: string | undefined;
}

/**
 * A number: it counts, and that is the `queuedMs` of its task. `duplicate`: the same attempt already settled it. `stale`:
 * another attempt holds it or did, or another gateway than `owner` has it. `unknown`: no such task.
 */
export type CompletionVerdict = number | 'duplicate' | 'stale' | 'unknown';

/** An attempt that is over while its task is not: the task waits again, keeping its rank. */
export interface Release extends AttemptRef {
  /** Which counter it costs: a failure of the handler, a crash under it, or nothing (it was never delivered). */
  readonly costs: 'failure' | 'crash' | 'nothing';
  readonly delayMs: number;
  readonly error?: Failure | undefined;
  readonly node?: string | undefined;
}

/**
 * What a release made of the task. A task whose cancel was requested becomes `cancelled` instead of waiting again; one
 * whose time to live or total deadline has passed becomes `failed`, and its record says why.
 */
export type ReleaseVerdict = 'pending' | 'delayed' | 'cancelled' | 'failed' | 'stale';

/** `pending`: it waits again, for its turn or for what it depends on. */
export type RedriveVerdict = 'pending' | 'unknown' | 'notFailed';

/** How much of a limit is used now. */
export interface LimitUse {
  readonly key: string;
  readonly concurrency: number | null;
  readonly perMinute: number | null;
  readonly claimed: number;
  /** Claims in the last 60 s, as far as they count. */
  readonly claimedInMinute: number;
  /** 0: its tasks are claimable; null: as soon as one of the claimed is over, or never with these numbers. */
  readonly opensInMs: number | null;
}

export type CancelVerdict = 'cancelled' | 'cancelling' | 'settled' | 'unknown';

export interface ListFilter {
  readonly status?: readonly TaskStatus[] | undefined;
  readonly type?: string | undefined;
  readonly node?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface TaskPage {
  readonly items: readonly TaskRecord[];
  /** How many match the filter in all, not only on this page. */
  readonly total: number;
  readonly cursor?: string;
}

export interface StoreStats {
  /** Tasks by status. Every status is present. */
  readonly byStatus: Readonly<Record<TaskStatus, number>>;
  /** Classes with pending tasks, and how many. A limit may hold them back. */
  readonly ready: ReadonlyMap<string, number>;
}

export interface Sweep {
  /** Gateways whose lease had lapsed, and that were removed. */
  readonly dead: readonly string[];
  /** Tasks of dead gateways that wait again. */
  readonly requeued: number;
  /** Delayed tasks whose time has come. */
  readonly due: number;
  /** Waiting tasks whose time to live or total deadline has passed: they have failed. */
  readonly expired: number;
}

/** Where the tasks of a gateway are kept, alone or with other gateways: the contract that every store fulfils. */
export interface Store {
  /** What it is, for `stats` and logs: `memory`, `lmdb`, `postgresql`. */
  readonly kind: string;
  open(): Promise<void>;
  /** Waits for what is under way. Idempotent. */
  close(): Promise<void>;

  /** A new claim on work, for `ttlMs` from now. The id is unique for ever: one gateway process that joins twice gets two. */
  join(name: string, ttlMs: number): Promise<string>;
  /** False: the lease was swept; join anew and adopt. True as long as it was not, however late. */
  renew(gateway: string, ttlMs: number): Promise<boolean>;
  /** Ends the claim; tasks still owned wait again at once, at no cost, and its nodes are out of the directory. */
  leave(gateway: string): Promise<void>;
  /** Every gateway that has joined and was neither swept nor has left, by id. */
  gateways(): Promise<readonly GatewayRecord[]>;

  /**
   * Says which nodes are attached to a gateway, and how they fare. Answers with the epoch of each under which the gateway
   * has it now; null for one that has come to another gateway since, or was dropped. Null instead of all = fenced.
   */
  putNodes(gateway: string, nodes: readonly NodeEntry[]): Promise<readonly (number | null)[] | null>;
  /** The node has gone from where it was under that epoch. False: it is not there under that epoch. */
  dropNode(nodeId: string, epoch: number): Promise<boolean>;
  /** The nodes of all present gateways, by id. Those of a gateway that leaves or is swept are gone with it. */
  nodes(): Promise<readonly NodeRecord[]>;

  /** Gives an order that holds on every gateway, for ever; twice is once. Rejects with RATE_EXCEEDED beyond ordersMax. */
  putOrder(order: StandingOrder): Promise<void>;
  /** Takes an order back. False: there was none. */
  dropOrder(order: StandingOrder): Promise<boolean>;
  /** All standing orders, by kind and name. */
  orders(): Promise<readonly StandingOrder[]>;

  /** Idempotent by taskId, and by key where one is given: the same key and type is the same task. Verdicts in order. */
  submit(tasks: readonly NewTask[]): Promise<readonly SubmitVerdict[]>;
  /** The first tasks by rank, at most `want.limit` of each class and `limit` in all; each gets attempt + 1. Null = fenced. */
  claim(gateway: string, wants: readonly Want[], limit: number): Promise<readonly Claimed[] | null>;
  /** Notes that attempts were placed on a node or have started: history, not durability. Unknown and stale ones are ignored. */
  note(entries: readonly (AttemptRef & { readonly event: 'assigned' | 'started'; readonly node: string })[]): void;
  /** What the gateway owns, to reconcile with what it knows of. */
  owned(gateway: string): Promise<readonly Owned[]>;
  /**
   * Takes the running attempts of a node over from whichever gateway held them; same attempt number. False: the attempt is
   * not the present one, or another node has it. Null = fenced.
   */
  adopt(gateway: string, node: string, refs: readonly AttemptRef[]): Promise<readonly boolean[] | null>;
  complete(completions: readonly Completion[]): Promise<readonly CompletionVerdict[]>;
  /** Only by the owner; anything else is `stale`. A crash that is one too many (crashesMax) fails the task. */
  release(gateway: string, releases: readonly Release[]): Promise<readonly ReleaseVerdict[]>;
  /** Bytes that the next attempt gets. False: the attempt is not the present one. */
  checkpoint(entries: readonly (AttemptRef & { readonly data: Uint8Array })[]): Promise<readonly boolean[]>;
  /** A waiting task is cancelled at once; one that an attempt holds is marked, and never claimed again. */
  cancel(taskIds: readonly string[]): Promise<readonly CancelVerdict[]>;
  /**
   * A failed or cancelled task waits again, with the payload it had and no checkpoint: no failures, no crashes, time to
   * live and deadline from now, a place in line as if submitted now. Attempt numbers go on rising. Of its dependencies
   * it waits for those that have not settled, or are redriven in the same call; what has settled counts as done.
   */
  redrive(taskIds: readonly string[]): Promise<readonly RedriveVerdict[]>;
  /**
   * Looks for gateways whose lease has lapsed, for what has expired and for due delays. At most `limit` tasks are moved,
   * beside those that depend on them; the rest waits for the next sweep. Only a gateway that has itself renewed without a gap for one full TTL may find another dead: after an
   * outage of the store every lease has lapsed, and nobody is. What a dead gateway owned waits again and costs a crash; with
   * crashesMax crashes it has failed with NODE_LOST.
   */
  sweep(gateway: string, limit: number): Promise<Sweep>;

  /** A named lock with a fencing token that strictly increases per key, or null while another holder has it. */
  lease(key: string, holder: string, ttlMs: number): Promise<{ readonly token: number } | null>;
  unlease(key: string, token: number): Promise<void>;

  get(taskId: string): Promise<TaskRecord | null>;
  /** The result bytes of a completed task, or null. */
  result(taskId: string): Promise<Uint8Array | null>;
  /**
   * What happened to a task, oldest first; none if it is not known. Each entry names the gateway that owned the task
   * then. Beyond historyMax the oldest but the first are forgotten. It replays to the record (machines/task-replay.ts).
   */
  history(taskId: string): Promise<readonly HistoryEntry[]>;
  /** How much of a limit is used; null if no task with its key is unsettled or counts in its window. */
  limit(key: string): Promise<LimitUse | null>;
  /** How many pending tasks of its class stand before this one; null if it is not pending. */
  ahead(taskId: string): Promise<number | null>;
  /** Newest first. Filters apply before the limit. */
  list(filter: ListFilter): Promise<TaskPage>;
  stats(): Promise<StoreStats>;
  /** Forgets settled tasks that finished more than `olderThanMs` ago. Returns how many. */
  purge(olderThanMs: number, limit: number): Promise<number>;

  /** Keeps a schedule, in the place of one with the same id. Rejects with RATE_EXCEEDED beyond schedulesMax. */
  putSchedule(schedule: Schedule): Promise<void>;
  /** All schedules, by id. */
  schedules(): Promise<readonly ScheduleRecord[]>;
  /** False: there was none. */
  dropSchedule(id: string): Promise<boolean>;
  /** True only for the first caller with that wall-clock time or a later one, so that of several gateways one submits the task. */
  noteScheduleRun(id: string, runAt: number): Promise<boolean>;

  /**
   * Hints between gateways, at most once and to whoever listens, this gateway too; of one publisher and topic in order.
   * A poll must suffice without them. At most frameBytesMax bytes; nothing is awaited, and nothing thrown.
   */
  publish(topic: string, bytes: Uint8Array): void;
  subscribe(topic: string, receive: (bytes: Uint8Array) => void): () => void;
  /** Called with the classes that have just got claimable tasks. A hint, never awaited. */
  onReady(notify: (queues: readonly string[]) => void): () => void;
  /**
   * Called with tasks that settled inside the store: expired, failed or cancelled with what they depended on or with
   * their gateway. Not with those whose verdict the call itself gave. A hint, never awaited.
   */
  onSettled(notify: (taskIds: readonly string[]) => void): () => void;
}

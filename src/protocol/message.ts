/**
 * Every message on the wire: who may send it, whether it is kept until acknowledged, in which lane it travels, and the
 * strict schema of its payload. docs/protocol.md says the same in words; a test compares both.
 */
import { z } from 'zod';
import { PincerError } from './failure.ts';
import { AttemptRef, Capabilities, Identifier, TaskType, Text } from './identifier.ts';
import { defaultLimits } from './limits.ts';
import { Labels, Load, MaxTasks, NodeKind, PeerKind, Resources, TaskTypes } from './node.ts';
import { Order, Query } from './query.ts';
import { surelyFits } from './quick-check.ts';
import { FailureShape, Opaque, Outcome, Priority, TaskSpec, TaskStatus, TimeoutMs } from './task.ts';

/** The WebSocket subprotocol: the protocol’s major version and its encoding. */
export const SUBPROTOCOL = 'pincer.v1.msgpack';

/** The protocol versions this build speaks, oldest and newest. */
export const PROTOCOL_VERSIONS = [1, 1] as const;

/**
 * What becomes of a message while its link is full: control is always sent; no new work is given; of progress the latest
 * of each attempt is kept.
 */
export type Lane = 'control' | 'work' | 'progress';

interface MessageKind {
  readonly from: readonly ('gateway' | PeerKind)[];
  /** Numbered, kept until acknowledged, replayed after a resume. */
  readonly reliable: boolean;
  readonly lane: Lane;
  readonly payload: z.ZodType;
}

const NODES = ['agent', 'channel'] as const;
const PEERS = ['agent', 'channel', 'client'] as const;
const Sequence = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const Milliseconds = z.number().min(0).max(Number.MAX_SAFE_INTEGER);

/** A topic: 1–128 of `A-Z a-z 0-9 . _ : / -`, matched whole. */
const TopicName = TaskType;
const Topics = z.array(TopicName).min(1).max(defaultLimits.listMax);

/** What one peer tells another. `request` and `reply` carry the asker’s number of a question and of its answer. */
const Note = z.strictObject({
  body: Opaque,
  /** True: kept for a receiver that is away for a moment, and answered when the receiver has it. Default false. */
  reliable: z.boolean().optional(),
  request: Sequence.optional(),
  reply: Sequence.optional(),
  /** A reply that is a failure: the question could not be answered. */
  error: FailureShape.optional(),
});

/** The numbers a gateway tells its peers in the welcome. */
export const Policy = z.strictObject({
  heartbeatMs: z.number().positive(),
  offlineAfterMs: z.number().positive(),
  resumeWindowMs: z.number().min(0),
  frameBytesMax: z.number().positive(),
  payloadBytesMax: z.number().positive(),
});
export type Policy = z.infer<typeof Policy>;

export const MESSAGES = {
  // The handshake
  register: {
    from: PEERS,
    reliable: false,
    lane: 'control',
    payload: z.strictObject({
      protocol: z.tuple([z.int().min(1), z.int().min(1)]),
      nodeId: Identifier,
      nodeType: PeerKind,
      /** Made anew by each start of the process: tells a returning process from another one with the same id. */
      incarnation: Identifier,
      capabilities: Capabilities,
      maxTasks: MaxTasks,
      /** Task types the node has a handler for; absent = it takes any. */
      taskTypes: TaskTypes.optional(),
      labels: Labels.optional(),
      resources: Resources.optional(),
      load: Load.optional(),
      /** Every attempt that still holds a slot or whose result was not acknowledged, also of an earlier process. */
      running: z.array(AttemptRef).max(defaultLimits.maxTasksMax),
      resume: z.strictObject({ session: Identifier, received: Sequence }).optional(),
    }),
  },
  welcome: {
    from: ['gateway'],
    reliable: false,
    lane: 'control',
    payload: z.strictObject({
      protocol: z.int().min(1),
      gatewayId: Identifier,
      session: Identifier,
      /** True: both sides replay what the other has not received. False: the session starts anew, at number 1. */
      resumed: z.boolean(),
      received: Sequence,
      /** What the peer may do, of what it claimed. */
      capabilities: Capabilities,
      policy: Policy,
      /** Attempts of `running` that are not the node’s any more: stop them, report nothing. */
      drop: z.array(AttemptRef),
    }),
  },
  reject: {
    from: ['gateway'],
    reliable: false,
    lane: 'control',
    payload: z.strictObject({ code: z.string(), message: Text, hint: Text, retryAfterMs: Milliseconds.optional() }),
  },

  // Delivery
  ack: {
    from: ['gateway', ...PEERS],
    reliable: false,
    lane: 'control',
    payload: z.strictObject({ received: Sequence }),
  },
  error: {
    from: ['gateway', ...PEERS],
    reliable: true,
    lane: 'control',
    payload: FailureShape.extend({ hint: Text.optional(), retryAfterMs: Milliseconds.optional() }),
  },
  goodbye: {
    from: ['gateway', ...PEERS],
    reliable: false,
    lane: 'control',
    payload: z.strictObject({ code: z.string(), message: Text, retryAfterMs: Milliseconds.optional() }),
  },

  // Nodes
  heartbeat: {
    from: NODES,
    reliable: false,
    lane: 'control',
    payload: z.strictObject({
      nodeId: Identifier,
      status: z.enum(['healthy', 'busy', 'offline']),
      load: Load,
      capabilities: Capabilities,
      maxTasks: MaxTasks.optional(),
      taskTypes: TaskTypes.optional(),
    }),
  },
  unregister: { from: NODES, reliable: true, lane: 'control', payload: z.strictObject({ reason: Text }) },
  drain: { from: ['gateway'], reliable: true, lane: 'control', payload: z.strictObject({ deadlineMs: Milliseconds }) },

  // Tasks, between a client and the gateway
  task_submit: {
    from: PEERS,
    reliable: true,
    lane: 'work',
    payload: TaskSpec.extend({ watch: z.boolean().optional() }),
  },
  task_accepted: {
    from: ['gateway'],
    reliable: true,
    lane: 'work',
    payload: z.strictObject({ taskId: Identifier, created: z.boolean(), status: TaskStatus }),
  },
  task_watch: {
    from: PEERS,
    reliable: true,
    lane: 'control',
    payload: z.strictObject({ taskIds: z.array(Identifier).max(defaultLimits.listMax) }),
  },
  task_settled: { from: ['gateway'], reliable: true, lane: 'work', payload: Outcome },

  // Tasks, between the gateway and a node
  task_assign: {
    from: ['gateway'],
    reliable: true,
    lane: 'work',
    payload: z.strictObject({
      taskId: Identifier,
      attempt: AttemptRef.shape.attempt,
      type: TaskType,
      payload: Opaque,
      priority: Priority,
      /** What is left of the attempt’s time, in milliseconds: it runs from the arrival of this message. */
      timeout: TimeoutMs,
    }),
  },
  task_reject: {
    from: NODES,
    reliable: true,
    lane: 'control',
    payload: AttemptRef.extend({ code: z.string(), message: Text }),
  },
  task_started: { from: NODES, reliable: true, lane: 'work', payload: AttemptRef },
  task_progress: {
    from: ['gateway', ...NODES],
    reliable: false,
    lane: 'progress',
    payload: AttemptRef.extend({ payload: Opaque }),
  },
  task_result: {
    from: NODES,
    reliable: true,
    lane: 'work',
    payload: AttemptRef.extend({
      status: z.enum(['success', 'failed', 'timeout', 'cancelled']),
      result: Opaque.optional(),
      error: FailureShape.optional(),
      duration: Milliseconds,
      /** True: the work was told to stop and has not; its slot stays taken until task_ended. */
      overdue: z.boolean().optional(),
    }),
  },
  task_ended: { from: NODES, reliable: true, lane: 'control', payload: AttemptRef },
  /** From a client: cancel the task. From the gateway: stop this attempt. */
  task_cancel: {
    from: ['gateway', ...PEERS],
    reliable: true,
    lane: 'control',
    payload: z.strictObject({
      taskId: Identifier,
      attempt: AttemptRef.shape.attempt.optional(),
      reason: z.enum(['cancelled', 'timeout', 'withdrawn']).optional(),
    }),
  },
  task_cancelling: {
    from: ['gateway'],
    reliable: true,
    lane: 'control',
    payload: z.strictObject({ taskId: Identifier, status: TaskStatus }),
  },

  // Messages between peers, by way of the gateway
  direct: {
    from: ['gateway', ...PEERS],
    reliable: true,
    lane: 'work',
    payload: Note,
  },
  broadcast: {
    from: ['gateway', ...PEERS],
    reliable: true,
    lane: 'work',
    payload: Note.extend({
      /** Who gets it: every node but the sender that matches all that is said here. */
      select: z
        .strictObject({ nodeType: NodeKind.optional(), capability: Identifier.optional(), labels: Labels.optional() })
        .optional(),
      /** Only those who subscribed to it. Clients may subscribe too. */
      topic: TopicName.optional(),
    }),
  },
  subscribe: { from: PEERS, reliable: true, lane: 'control', payload: z.strictObject({ topics: Topics }) },
  unsubscribe: { from: PEERS, reliable: true, lane: 'control', payload: z.strictObject({ topics: Topics }) },
  /** Answers direct, broadcast, subscribe and unsubscribe: how many peers it reached. */
  delivered: { from: ['gateway'], reliable: true, lane: 'control', payload: z.strictObject({ count: z.int().min(0) }) },

  // Questions
  query: { from: PEERS, reliable: true, lane: 'control', payload: Query },
  /** Asks the gateway to do something to a node, a task type or tasks. Answered by answer. */
  order: { from: PEERS, reliable: true, lane: 'control', payload: Order },
  answer: { from: ['gateway'], reliable: true, lane: 'control', payload: z.looseObject({}) },
} as const satisfies Record<string, MessageKind>;

export type MessageType = keyof typeof MESSAGES;
export type Payload<Type extends MessageType> = z.infer<(typeof MESSAGES)[Type]['payload']>;

/**
 * One message. `id` is its number in its session and direction, from 1, and present exactly on reliable messages; `re`
 * is the id of the message this one answers; `from` is stamped by the gateway; `to` absent means the other end of the
 * link; `timestamp` is wall-clock milliseconds, for people.
 */
export type Message<Type extends MessageType = MessageType> = {
  [T in Type]: {
    readonly type: T;
    readonly id?: number;
    readonly re?: number;
    readonly from?: string;
    readonly to?: string;
    readonly timestamp?: number;
    readonly payload: Payload<T>;
  };
}[Type];

const ENDS = ['from', 'to'] as const;
const ENVELOPE_KEYS: ReadonlySet<string> = new Set(['id', 'type', 're', 'from', 'to', 'timestamp', 'payload']);

/**
 * A decoded value as a message, checked against its schema.
 * @throws PincerError `MESSAGE_INVALID`, naming the field; never the value.
 */
export function parseMessage(value: unknown): Message {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) invalid('a message', 'must be a map');
  const envelope = value as Record<string, unknown>;
  for (const key in envelope)
    if (!ENVELOPE_KEYS.has(key)) invalid('envelope', `has an unknown field '${key.slice(0, 64)}'`);
  const type = envelope['type'];
  if (typeof type !== 'string' || !Object.hasOwn(MESSAGES, type))
    invalid('type', 'is not a message type of this protocol');
  const kind: MessageKind = MESSAGES[type as MessageType];
  checkNumber(envelope['id'], 'id', 1);
  checkNumber(envelope['re'], 're', 1);
  checkNumber(envelope['timestamp'], 'timestamp', 0);
  if (kind.reliable !== (envelope['id'] !== undefined)) {
    invalid(`${type}.id`, kind.reliable ? 'is missing' : 'must be absent: this message is not acknowledged');
  }
  for (const key of ENDS) {
    if (envelope[key] !== undefined && !Identifier.safeParse(envelope[key]).success)
      invalid(`${type}.${key}`, 'is not an id');
  }
  if (surelyFits(type, envelope['payload'])) return envelope as unknown as Message;
  const parsed = kind.payload.safeParse(envelope['payload']);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    invalid([type, ...(issue?.path ?? [])].join('.'), issue?.message ?? 'is invalid');
  }
  return envelope as unknown as Message;
}

function checkNumber(value: unknown, name: string, min: number): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && (value as number) >= min)) {
    invalid(name, `must be a whole number of at least ${min}`);
  }
}

function invalid(where: string, why: string): never {
  throw new PincerError('MESSAGE_INVALID', `${where} ${why}`);
}

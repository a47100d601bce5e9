/** What a node is: what it says of itself, what it is granted, how it fares. */
import { z } from 'zod';
import { AttemptRef, Capabilities, Identifier, TaskType } from './identifier.ts';
import { defaultLimits } from './limits.ts';

/** Who dials a gateway. Agents run tasks, channels connect platforms, clients submit and ask. */
export const PEER_KINDS = ['agent', 'channel', 'client'] as const;
export const PeerKind = z.enum(PEER_KINDS);
export type PeerKind = z.infer<typeof PeerKind>;

export const NodeKind = z.enum(['agent', 'channel']);
export type NodeKind = z.infer<typeof NodeKind>;

/** The states of a node as the gateway sees it. */
export const NODE_STATUSES = ['online', 'busy', 'unhealthy', 'draining', 'offline', 'removed'] as const;
export const NodeStatus = z.enum(NODE_STATUSES);
/** The state of a node as the gateway sees it, such as `online`. */
export type NodeStatus = z.infer<typeof NodeStatus>;

/** How a node fares. `cpu` and `memory` are shares in [0, 1] of what its container or host has; `tasks` counts running attempts. */
export const Load = z.strictObject({
  cpu: z.number().min(0).max(1),
  memory: z.number().min(0).max(1),
  tasks: z.int().min(0),
  /** The 99th percentile of event-loop delay since the last heartbeat, in milliseconds. */
  lagMs: z.number().min(0).optional(),
});
export type Load = z.infer<typeof Load>;

export const MaxTasks = z.int().min(0).max(defaultLimits.maxTasksMax);
export const TASK_TYPES_MAX = 1_024;
export const TaskTypes = z.array(TaskType).max(TASK_TYPES_MAX);
export const Labels = z.record(Identifier, z.string().max(256));

/** Amounts by name, such as `{ gpu: 1, memoryMb: 4096 }`: what a node has, or what an attempt takes of it. */
export const Resources = z.record(Identifier, z.number().min(0).max(1e15));

/** Whether something has the one name that every reader of a frame refuses, and that a schema passes over. */
export function hasProto(values: unknown): boolean {
  return typeof values === 'object' && values !== null && Object.hasOwn(values, '__proto__');
}

/** What keeps labels or resources from being sent, such as `resources.gpu` below 0; null: nothing does. */
export function faultOf(named: { readonly labels?: unknown; readonly resources?: unknown }): string | null {
  const parts = [
    ['labels', Labels, named.labels],
    ['resources', Resources, named.resources],
  ] as const;
  for (const [part, schema, values] of parts) {
    if (values === undefined) continue;
    if (hasProto(values)) return `${part}.__proto__ is a name that cannot be sent`;
    const issue = schema.safeParse(values).error?.issues[0];
    if (issue !== undefined) return `${[part, ...issue.path].join('.')}: ${issue.message}`;
  }
  return null;
}

/** A node as lists show it. Ages are milliseconds; nothing here is a wall-clock time of another machine. */
export const NodeView = z.strictObject({
  nodeId: Identifier,
  type: NodeKind,
  status: NodeStatus,
  /** Why the status is what it is, in words; absent when it is online. */
  reason: z.string().optional(),
  /** Where its breaker stands after too many faults: `open`, no new work for a while; `half-open`, one attempt on trial. */
  breaker: z.enum(['open', 'half-open']).optional(),
  /** Faults of its own since its last success: assignments rejected or unanswered, crashes. Never failures of handlers. Absent: none. */
  faults: z.int().min(1).optional(),
  address: z.string(),
  /** Absent for a node that is expected and has not joined. */
  incarnation: Identifier.optional(),
  capabilities: Capabilities,
  taskTypes: TaskTypes.optional(),
  labels: Labels.optional(),
  resources: Resources.optional(),
  /** What its attempts take of that. */
  taken: Resources.optional(),
  maxTasks: MaxTasks,
  /** Slots taken, by the gateway’s own count. */
  tasks: z.int().min(0),
  load: Load.optional(),
  /** Milliseconds since anything was heard of the node; absent if nothing ever was. */
  silentMs: z.number().min(0).optional(),
  /** Attempts that hold a slot. */
  running: z.array(AttemptRef),
  /** Attempts that were told to stop, and whose tasks have settled without them. */
  overdue: z.array(AttemptRef),
});
export type NodeView = z.infer<typeof NodeView>;

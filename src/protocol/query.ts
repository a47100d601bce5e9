/** Questions a client may ask a gateway, and the shape of each answer. */
import { z } from 'zod';
import { Finding } from './checkup.ts';
import { Identifier, TaskType } from './identifier.ts';
import { defaultLimits } from './limits.ts';
import { NodeStatus, NodeView } from './node.ts';
import { ScheduledTask, ScheduleView, Times } from './schedule.ts';
import { HistoryEntry, Opaque, TaskStatus, TaskView } from './task.ts';

const Page = { limit: z.int().min(1).max(defaultLimits.listMax).optional(), cursor: z.string().max(128).optional() };

/** Which tasks to list. Filters apply before the limit; newest first. */
export const TaskFilter = z.strictObject({
  status: z.array(TaskStatus).optional(),
  type: TaskType.optional(),
  node: Identifier.optional(),
  ...Page,
});
export type TaskFilter = z.infer<typeof TaskFilter>;

export const Query = z.discriminatedUnion('what', [
  z.strictObject({ what: z.literal('tasks'), filter: TaskFilter }),
  z.strictObject({ what: z.literal('task'), taskId: Identifier }),
  z.strictObject({ what: z.literal('why'), taskId: Identifier, cursor: Page.cursor }),
  /** Without a limit and a cursor: all of them, if there is room for that, and without their attempts if it takes that. */
  z.strictObject({ what: z.literal('nodes'), status: z.array(NodeStatus).optional(), ...Page }),
  z.strictObject({ what: z.literal('node'), nodeId: Identifier }),
  z.strictObject({ what: z.literal('stats') }),
  z.strictObject({ what: z.literal('schedules'), ...Page }),
  /** A page of a checkup: looks at so many tasks; the first page looks at everything else, too. */
  z.strictObject({ what: z.literal('doctor'), ...Page }),
]);
export type Query = z.infer<typeof Query>;

/** What a client may ask a gateway to do. */
export const Order = z.discriminatedUnion('what', [
  /** No new work for the node; what it runs may finish. With `stop` the node itself stops after that. */
  z.strictObject({ what: z.literal('node.drain'), nodeId: Identifier, stop: z.boolean().optional() }),
  z.strictObject({ what: z.literal('node.resume'), nodeId: Identifier }),
  /** Ends the node’s session for good; what it runs is placed elsewhere. */
  z.strictObject({ what: z.literal('node.evict'), nodeId: Identifier }),
  /** Places no more tasks of the type, until resumed. */
  z.strictObject({ what: z.literal('type.pause'), type: TaskType }),
  /** Takes no more tasks of the type, until resumed; those that wait are placed. */
  z.strictObject({ what: z.literal('type.drain'), type: TaskType }),
  z.strictObject({ what: z.literal('type.resume'), type: TaskType }),
  /** A failed or cancelled task waits again, with its payload and fresh budgets. */
  z.strictObject({ what: z.literal('task.retry'), taskId: Identifier }),
  /** Submits a task again and again. A schedule with the same id is replaced. */
  z.strictObject({ what: z.literal('schedule.put'), scheduleId: Identifier, ...Times, task: ScheduledTask }),
  z.strictObject({ what: z.literal('schedule.drop'), scheduleId: Identifier }),
  /** Takes a lease, or renews it: it has one holder at a time, as long as that renews it. For channels alone. */
  z.strictObject({
    what: z.literal('lease.take'),
    key: Identifier,
    ttlMs: z.int().min(1_000).max(defaultLimits.channelLeaseMsMax),
  }),
  /** Gives it back before its time, by the token of the last answer. */
  z.strictObject({ what: z.literal('lease.free'), key: Identifier, token: z.int().min(1) }),
]);
export type Order = z.infer<typeof Order>;

/** Why one node does not run a task, or that it could. */
export const Verdict = z.strictObject({
  nodeId: Identifier,
  /** True: nothing but its place in the queue keeps the task from this node. */
  fits: z.boolean(),
  reason: z.string(),
});
export type Verdict = z.infer<typeof Verdict>;

/** Why a task is where it is. */
export const Why = z.strictObject({
  taskId: Identifier,
  status: TaskStatus,
  /** One sentence. */
  summary: z.string(),
  needs: z.array(Identifier),
  /** How many tasks of its class stand before it; absent unless it is pending. */
  ahead: z.int().min(0).optional(),
  nodes: z.array(Verdict),
  /** There are more nodes than one answer has room for; absent with the last of them. */
  cursor: z.string().optional(),
});
export type Why = z.infer<typeof Why>;

export const ANSWERS = {
  tasks: z.strictObject({ items: z.array(TaskView), total: z.int(), cursor: z.string().optional() }),
  task: z.strictObject({
    task: TaskView,
    /** Of its failures, those that were timeouts; crashes count apart. */
    timeouts: z.int().min(0),
    result: Opaque.optional(),
    history: z.array(HistoryEntry),
  }),
  why: Why,
  nodes: z.strictObject({ items: z.array(NodeView), cursor: z.string().optional() }),
  node: z.strictObject({ node: NodeView }),
  order: z.strictObject({
    status: z.string(),
    /** Of a lease that is held: rises with every take, whoever takes it. */
    token: z.int().optional(),
  }),
  schedules: z.strictObject({ items: z.array(ScheduleView), total: z.int(), cursor: z.string().optional() }),
  stats: z.strictObject({
    gatewayId: Identifier,
    status: z.string(),
    scheduler: z.string(),
    paused: z.array(TaskType),
    /** Types of which no more tasks are taken in. */
    draining: z.array(TaskType),
    /** Classes of waiting tasks that no node could ever do, and how many wait; at most 100, by names that may be cut off. */
    starved: z.record(z.string(), z.number()),
    upMs: z.number(),
    tasks: z.record(z.string(), z.number()),
    nodes: z.record(z.string(), z.number()),
    counters: z.record(z.string(), z.number()),
  }),
  doctor: z.strictObject({
    /** The gateway’s wall clock. */
    at: z.number(),
    version: z.string(),
    findings: z.array(Finding),
    /** Findings of this page that there was no room for. */
    left: z.int().min(0),
    /** Tasks looked at on this page, and how many there are. */
    looked: z.int().min(0),
    total: z.int().min(0),
    cursor: z.string().optional(),
  }),
} as const;
/** What the gateway answers to one kind of question, such as `Answer<'stats'>`. */
export type Answer<What extends keyof typeof ANSWERS> = z.infer<(typeof ANSWERS)[What]>;

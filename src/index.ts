/** Pincer’s front door: everything an app needs to run a gateway, a node or a client inside its own process. */

export type { Inspection, Inspector } from './actors/charts/inspection.ts';
export type { GatewayCalls } from './actors/client/calls.ts';
export { type Client, type ClientOptions, createClient } from './actors/client/client.ts';
export type { SettledTask, TaskHandle } from './actors/client/handle.ts';
export type { ScheduleOptions, ScheduleTimes } from './actors/client/schedule-order.ts';
export type { SubmitOptions } from './actors/client/submit-spec.ts';
export { createGateway } from './actors/gateway/gateway.ts';
export type { Gateway, GatewayOptions } from './actors/gateway/gateway-options.ts';
export { diskOutbox } from './actors/node/disk-outbox.ts';
export { createNode } from './actors/node/node.ts';
export type { Node, NodeOptions } from './actors/node/node-options.ts';
export type { Outbox } from './actors/node/outbox.ts';
export { defineHandler, type Registration } from './actors/node/runner.ts';
export type { Target } from './actors/peer/dials.ts';
export type { MessageHandler, Messaging, PeerMessage, Selection, SendOptions } from './actors/peer/messenger.ts';
export {
  type Call,
  defineTask,
  type Handler,
  type InputOf,
  type ParsedInputOf,
  type ProgressOf,
  type ResultOf,
  type ReturnOf,
  type TaskDefinition,
  type TaskOptions,
} from './actors/task-definition.ts';
export { systemClock } from './actors/world/system-clock.ts';
export { type IsolationOptions, isolatedHandler } from './isolation/isolated-handler.ts';
export type { StrategyName } from './machines/policies/placement/index.ts';
export type { Candidate, Placement, Strategy } from './machines/policies/placement/placement.ts';
export { CHECKS, type CheckName, type Finding } from './protocol/checkup.ts';
export { FAILURES, type Failure, type FailureCode, PincerError } from './protocol/failure.ts';
export { plainText } from './protocol/identifier.ts';
export { LIMITS, type Limits } from './protocol/limits.ts';
export type { NodeStatus, NodeView } from './protocol/node.ts';
export type { Clock, Ids, Log, Random } from './protocol/ports.ts';
export type { Answer, Order, TaskFilter, Why } from './protocol/query.ts';
export type { ScheduleView } from './protocol/schedule.ts';
export type { HistoryEntry, TaskStatus, TaskView } from './protocol/task.ts';
export { TASK_STATUSES } from './protocol/task-status.ts';
export { VERSION } from './protocol/version.ts';
export type { Dial, Link, LinkEvents, Listen, Listener } from './transport/link.ts';

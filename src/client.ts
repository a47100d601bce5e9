/** The client’s door: submit, follow and ask, without a gateway or a node. */
export type { GatewayCalls } from './actors/client/calls.ts';
export { type Client, type ClientOptions, createClient } from './actors/client/client.ts';
export type { SettledTask, TaskHandle } from './actors/client/handle.ts';
export type { ScheduleOptions, ScheduleTimes } from './actors/client/schedule-order.ts';
export type { SubmitOptions } from './actors/client/submit-spec.ts';
export type { Target } from './actors/peer/dials.ts';
export type { MessageHandler, Messaging, PeerMessage, Selection, SendOptions } from './actors/peer/messenger.ts';
export {
  defineTask,
  type InputOf,
  type ProgressOf,
  type ResultOf,
  type TaskDefinition,
  type TaskOptions,
} from './actors/task-definition.ts';
export { type FailureCode, PincerError } from './protocol/failure.ts';
export { plainText } from './protocol/identifier.ts';
export { LIMITS, type Limits } from './protocol/limits.ts';
export type { NodeStatus, NodeView } from './protocol/node.ts';
export type { Answer, Order, TaskFilter, Why } from './protocol/query.ts';
export type { HistoryEntry, TaskStatus, TaskView } from './protocol/task.ts';
export { TASK_STATUSES } from './protocol/task-status.ts';
export type { Dial } from './transport/link.ts';

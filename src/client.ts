/** The client’s door: submit, follow and ask, without a gateway or a node. */
export { type Client, type ClientOptions, createClient } from './actors/client/client.ts';
export type { SettledTask, TaskHandle } from './actors/client/handle.ts';
export type { SubmitOptions } from './actors/client/submit-spec.ts';
export {
  defineTask,
  type InputOf,
  type ProgressOf,
  type ResultOf,
  type TaskDefinition,
  type TaskOptions,
} from './actors/task-definition.ts';
export { PincerError } from './protocol/failure.ts';
export { plainText } from './protocol/identifier.ts';
export { LIMITS } from './protocol/limits.ts';
export type { NodeView } from './protocol/node.ts';
export type { Why } from './protocol/query.ts';
export type { TaskView } from './protocol/task.ts';
export { TASK_STATUSES } from './protocol/task-status.ts';

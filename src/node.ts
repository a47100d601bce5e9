/** The node’s door: join a gateway and run handlers, without a gateway or a store. */
export { diskOutbox } from './actors/node/disk-outbox.ts';
export { createNode, type Node, type NodeOptions } from './actors/node/node.ts';
export type { Outbox } from './actors/node/outbox.ts';
export { defineHandler, type Registration } from './actors/node/runner.ts';
export { systemClock } from './actors/system-clock.ts';
export {
  type Call,
  defineTask,
  type Handler,
  type TaskDefinition,
  type TaskOptions,
} from './actors/task-definition.ts';
export { type IsolationOptions, isolatedHandler } from './isolation/isolated-handler.ts';
export { PincerError } from './protocol/failure.ts';

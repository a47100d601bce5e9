/** The node’s door: join a gateway and run handlers, without a gateway or a store. */

export type { Inspection, Inspector } from './actors/charts/inspection.ts';
export type { GatewayCalls } from './actors/client/calls.ts';
export type { TaskHandle } from './actors/client/handle.ts';
export type { SubmitOptions } from './actors/client/submit-spec.ts';
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
  type ResultOf,
  type TaskDefinition,
  type TaskOptions,
} from './actors/task-definition.ts';
export { systemClock } from './actors/world/system-clock.ts';
export { type IsolationOptions, isolatedHandler } from './isolation/isolated-handler.ts';
export { type FailureCode, PincerError } from './protocol/failure.ts';
export type { Dial } from './transport/link.ts';

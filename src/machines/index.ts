/**
 * All charts by name: what the diagrams are drawn from, what the path tests walk, and what the inspector shows.
 * Whoever runs one chart imports it from its own file.
 */
import { attemptMachine } from './attempt.ts';
import { channelMachine } from './channel.ts';
import { discoveryMachine } from './discovery.ts';
import { gatewayMachine } from './gateway.ts';
import { linkMachine } from './link.ts';
import { nodeMachine } from './node.ts';
import { nodeLifeMachine } from './node-life.ts';
import { schedulerMachine } from './scheduler.ts';
import { sessionMachine } from './session.ts';
import { taskMachine } from './task.ts';

/** Every chart of Pincer, by the name it has in diagrams/, in the inspector and in the words of the project. */
export const charts = {
  task: taskMachine,
  attempt: attemptMachine,
  scheduler: schedulerMachine,
  node: nodeMachine,
  'node-life': nodeLifeMachine,
  session: sessionMachine,
  link: linkMachine,
  gateway: gatewayMachine,
  discovery: discoveryMachine,
  channel: channelMachine,
} as const;

/** The name of a chart. */
export type ChartName = keyof typeof charts;

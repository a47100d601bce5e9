/** The inspector’s door: the charts themselves, and the history of a task played through its own. */
export { charts } from './machines/index.ts';
export { type Replay, type ReplayTurn, replayHistory } from './machines/task-replay.ts';
export { gatewayNameOf, sentenceOf } from './protocol/history.ts';

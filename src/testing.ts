/** The tester’s door: time that is moved by hand, links that fail on purpose, paths through any chart. */

export { createMemoryStore } from './actors/store/memory/memory-store.ts';
export { createSimulatedClock, type SimulatedClock } from './actors/world/simulated-clock.ts';
export {
  createTestCluster,
  type TestCluster,
  type TestClusterOptions,
  type TestNodeOptions,
} from './testing/cluster.ts';
export type { Coverage } from './testing/coverage.ts';
export {
  assertCovered,
  coverageOf,
  type EventCases,
  type Path,
  type PathActs,
  type PathOptions,
  type PathStep,
  pathsOf,
  runPath,
} from './testing/paths.ts';
export { createMemoryNetwork, type Faults, type MemoryNetwork } from './transport/memory.ts';

/** The tester’s door: time that is moved by hand, links that fail on purpose, paths through any chart. */
export { createSimulatedClock } from './actors/simulated-clock.ts';
export { createMemoryStore } from './actors/store/memory.ts';
export {
  createTestCluster,
  type TestCluster,
  type TestClusterOptions,
  type TestNodeOptions,
} from './testing/cluster.ts';
export { createMemoryNetwork, type Faults, type MemoryNetwork } from './transport/memory.ts';

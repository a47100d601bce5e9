/** The discovery door: where nodes and gateways may be heard of. What is heard is a hint, never a permission. */
export { type DiscoverOptions, discover } from './actors/discovery/discover.ts';
export type { Discovery, DiscoveryNews, DiscoveryState } from './actors/discovery/discovery.ts';
export {
  type FinderOptions,
  findGateways,
  type GatewayCandidate,
  type GatewayFinder,
} from './actors/discovery/gateway-finder.ts';
export type { CandidateChange } from './transport/discovery/candidate-set.ts';
export { type MdnsOptions, mdnsNodes } from './transport/discovery/mdns.ts';
export { type MemoryNodes, memoryNodes } from './transport/discovery/memory.ts';
export { NodeBook } from './transport/discovery/node-book.ts';
export { type ExpectedNode, parseNodesFile } from './transport/discovery/nodes-file.ts';
export { type RegistryOptions, registryNodes } from './transport/discovery/registry-client.ts';
export type {
  Candidate,
  DiscoverySource,
  Self,
  SourceEvents,
  SourceRun,
  SourceWorld,
} from './transport/discovery/source.ts';
export { loadNodesFile, type StaticOptions, staticNodes } from './transport/discovery/static.ts';

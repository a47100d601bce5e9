/** The registry’s door: a server where nodes and gateways find each other, in any process. */
export { createRegistry, type Registry, type RegistryServerOptions } from './registry/registry.ts';

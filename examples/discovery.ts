/** A node that finds its gateway: the one is announced in a registry, the other looks there. `mdnsNodes()` does it without. */
import { createGateway, createNode } from 'pincer';
import { discover, findGateways, registryNodes } from 'pincer/discovery';
import { createRegistry } from 'pincer/registry';

const registry = await createRegistry({ apiKey: 'a-long-key-of-yours' });
const source = () => registryNodes(registry.url, { apiKey: 'a-long-key-of-yours', region: 'attic' });

const gateway = await createGateway({ id: 'hub' });
const address = new URL(gateway.url).host;
const announced = discover(source(), { self: { nodeId: gateway.id, type: 'gateway', address, capabilities: [] } });

// A token would go to gateways that may be trusted: `findGateways({ sources, token, trust: ['192.168.1.0/24'] })`.
const finder = findGateways({ sources: [source()] });
const node = await createNode({ join: finder.dial, id: 'desk' });
console.log(`${node.id} is ${node.status}, found ${finder.candidates.map(({ nodeId }) => nodeId).join()}`);

await node.stop();
await finder.stop();
await announced.stop();
await gateway.stop();
await registry.close();

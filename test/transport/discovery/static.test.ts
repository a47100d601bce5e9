import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createDiscovery, type DiscoveryNews } from '../../../src/actors/discovery/discovery.ts';
import { realPorts } from '../../../src/actors/world/real-ports.ts';
import { createWorld } from '../../../src/actors/world/world.ts';
import { NodeBook } from '../../../src/transport/discovery/node-book.ts';
import type { ExpectedNode } from '../../../src/transport/discovery/nodes-file.ts';
import { loadNodesFile, staticNodes } from '../../../src/transport/discovery/static.ts';
import { discoveryConformance } from '../../conformance/discovery.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function aFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pincer-nodes-'));
  folders.push(folder);
  return join(folder, 'nodes.json');
}

/** As editors do it: a new file takes the name of the old one. */
async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

const listOf = (nodes: readonly { nodeId: string; address: string; capabilities?: readonly string[] }[]): string =>
  JSON.stringify({
    nodes: nodes.map(({ nodeId: id, address, capabilities = [] }) => ({
      id,
      type: 'agent',
      address,
      capabilities,
      maxTasks: 5,
    })),
  });

discoveryConformance('a nodes.json', async () => {
  const file = await aFile();
  await replace(file, listOf([]));
  return {
    source: staticNodes(file),
    offer: (announced) => replace(file, listOf(announced)),
    spoil: () => replace(file, '{ "nodes": [ { "id": 7 } ] }'),
    break: () => rm(file),
    mend: () => replace(file, listOf([])),
    close: async () => {},
  };
});

describe('a nodes.json', () => {
  it('is read again when it changes, and a bad one leaves the last good one in place (#22)', async () => {
    const file = await aFile();
    await writeFile(file, listOf([{ nodeId: 'agent-01', address: 'a:1' }]));
    const world = createWorld({ limits: { nodesFileSettleMs: 5 } }, realPorts());
    const book = new NodeBook();
    const read: (readonly ExpectedNode[])[] = [];
    const news: DiscoveryNews[] = [];
    const onNodes = (nodes: readonly ExpectedNode[]): void => {
      read.push(nodes);
      book.replace(nodes);
    };
    const discovery = createDiscovery(world, {
      source: staticNodes(file, { onNodes }),
      onNews: (one) => news.push(one),
    });
    discovery.start();
    await expect.poll(() => book.get('agent-01')).not.toBeNull();

    // Written in place, then over it, then wrong, then right again.
    await writeFile(file, listOf([{ nodeId: 'agent-02', address: 'a:1' }]));
    await expect.poll(() => book.nodes.map(({ nodeId }) => nodeId)).toEqual(['agent-02']);
    await replace(file, listOf([{ nodeId: 'agent-03', address: 'a:1' }]));
    await expect.poll(() => book.nodes.map(({ nodeId }) => nodeId)).toEqual(['agent-03']);
    await replace(file, '// my nodes\n{}');
    await expect.poll(() => discovery.state).toBe('degraded');
    expect(discovery.reason?.code).toBe('NODES_FILE_INVALID');
    expect(discovery.reason?.message).toContain(`${file}:1:1: JSON has no comments`);
    expect(book.nodes.map(({ nodeId }) => nodeId)).toEqual(['agent-03']);
    expect(discovery.candidates.map(({ nodeId }) => nodeId)).toEqual(['agent-03']);
    await replace(file, listOf([{ nodeId: 'agent-03', address: 'a:2' }]));
    await expect.poll(() => discovery.state).toBe('watching');
    await expect.poll(() => discovery.candidates[0]?.address).toBe('a:2');
    await discovery.stop();
    world.deadlines.stop();
  });

  it('that is missing is named, with the reason', async () => {
    const file = await aFile();
    await expect(loadNodesFile(file)).rejects.toMatchObject({
      code: 'NODES_FILE_INVALID',
      message: expect.stringMatching(/nodes\.json cannot be read: ENOENT/),
    });
  });

  it('that is too large is not read', async () => {
    const file = await aFile();
    await writeFile(file, ' '.repeat(1_048_577));
    await expect(loadNodesFile(file)).rejects.toMatchObject({ message: expect.stringMatching(/1048577 bytes/) });
  });
});

describe('the book of expected nodes', () => {
  it('says who is expected and absent, gateways aside', () => {
    const book = new NodeBook();
    const node = { address: 'a:1', capabilities: [], maxTasks: 1 };
    book.replace([
      { ...node, nodeId: 'agent-01', type: 'agent' },
      { ...node, nodeId: 'channel-discord', type: 'channel' },
      { ...node, nodeId: 'gateway-01', type: 'gateway' },
    ]);
    expect(book.size).toBe(3);
    expect(book.absent((nodeId) => nodeId === 'agent-01').map(({ nodeId }) => nodeId)).toEqual(['channel-discord']);
    expect(book.get('agent-02')).toBeNull();
  });
});

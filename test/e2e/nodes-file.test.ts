/** A cluster that the specification’s own nodes.json describes: each task runs where its capability is granted, and nowhere else. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import { ask } from '../support/ledger.ts';
import { Processes, startGateway, startNode } from '../support/processes.ts';

const AGENTS = fileURLToPath(new URL('../fixtures/nodes/agents.mjs', import.meta.url));
const NODES = [
  {
    id: 'agent-01',
    type: 'agent',
    address: '192.168.1.10:18790',
    capabilities: ['llm', 'tools', 'memory'],
    maxTasks: 5,
  },
  { id: 'agent-02', type: 'agent', address: '192.168.1.11:18790', capabilities: ['llm', 'tools'], maxTasks: 3 },
  { id: 'channel-discord', type: 'channel', address: '192.168.1.12:18790', capabilities: ['discord'], maxTasks: 10 },
];
const TYPES = ['agent-turn', 'tool-execution', 'memory-search'] as const;
const TASKS = 300;

interface Row {
  readonly index: number;
  readonly status: string;
  readonly node: string;
  readonly result: { readonly type: string; readonly input: number };
}

describe('a list of mixed tasks', () => {
  it('runs where each capability is granted, whatever nodes claim; no channel gets agent work', async () => {
    const directory = scratchDirectory();
    const [nodesFile, list] = [path.join(directory, 'nodes.json'), path.join(directory, 'tasks.jsonl')];
    writeFileSync(nodesFile, JSON.stringify({ nodes: NODES }));
    const typeOf = (index: number) => TYPES[index % TYPES.length] ?? 'agent-turn';
    const lines = Array.from({ length: TASKS }, (_, index) => JSON.stringify({ type: typeOf(index), payload: index }));
    writeFileSync(list, lines.join('\n'));

    await using processes = new Processes();
    const { url } = await startGateway(processes, ['--nodes', nodesFile, '--strict-nodes']);
    // Each claims all there is, and more slots than it was given.
    const claims = [AGENTS, '--capabilities', 'llm,tools,memory,vision,discord', '--max-tasks', '50'];
    await startNode(processes, url, 'agent-01', claims);
    await startNode(processes, url, 'agent-02', claims);
    await startNode(processes, url, 'channel-discord', [...claims, '--type', 'channel']);
    expect(await ask(processes, url, ['nodes', 'ls'])).toMatchObject({
      items: NODES.map(({ id, type, capabilities, maxTasks }) => ({
        nodeId: id,
        type,
        status: 'online',
        capabilities: [...capabilities].sort(),
        maxTasks,
      })),
    });

    const { code, stdout } = await processes.run(['submit', list, '--url', url, '--json']);
    expect(code).toBe(0);
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Row);
    expect(rows).toHaveLength(TASKS);
    const ranOn = Object.fromEntries(TYPES.map((type) => [type, new Set<string>()]));
    for (const { index, status, node, result } of rows) {
      expect({ status, result }).toEqual({ status: 'completed', result: { type: typeOf(index), input: index } });
      ranOn[typeOf(index)]?.add(node);
    }
    expect(ranOn).toEqual({
      'agent-turn': new Set(['agent-01', 'agent-02']),
      'tool-execution': new Set(['agent-01', 'agent-02']),
      'memory-search': new Set(['agent-01']),
    });

    // Claimed by all three, granted to none.
    const { taskId } = await ask(processes, url, ['run', 'image-analysis', '{}', '--detach']);
    expect((await ask(processes, url, ['why', taskId])).nodes).toMatchObject([
      { nodeId: 'agent-01', fits: false, reason: "lacks 'vision'" },
      { nodeId: 'agent-02', fits: false, reason: "lacks 'vision'" },
      { nodeId: 'channel-discord', fits: false },
    ]);
    const stranger = await processes.run(['node', '--join', url, '--id', 'stranger', '--allow', 'echo', '--json']);
    expect(stranger.stderr).toContain('node stranger is not in the list of nodes');
    expect(stranger.code).toBe(4);
  });
});

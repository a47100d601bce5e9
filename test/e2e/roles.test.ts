/** Nodes that leave, and nodes that an operator sends away, with real processes: no new work, nothing lost, the right exit code. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import { ask, LEDGER_MODULE, nodeIs, startWork } from '../support/ledger.ts';
import { Processes, startGateway, startNode } from '../support/processes.ts';

const short = ['--limit', 'drainMs=2000', '--limit', 'cancelGraceMs=500'];

describe('a node that gets SIGTERM', () => {
  it('takes nothing new, finishes what it runs, unregisters and ends with 0', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes);
    const node = await startNode(processes, url, 'n1', [LEDGER_MODULE]);
    const first = await startWork(processes, url);
    node.kill('SIGTERM');
    await nodeIs(url, 'n1', 'draining');
    const second = await startWork(processes, url, { isWaitedFor: false });
    expect(await second.why()).toMatchObject({ status: 'pending', nodes: [{ nodeId: 'n1', reason: 'is draining' }] });
    first.open();
    expect((await node.ended).code).toBe(0);
    expect(await first.is('completed')).toMatchObject({ node: 'n1', attempts: 1, crashes: 0 });
    expect(await nodeIs(url, 'n1', 'offline')).toMatchObject({ reason: 'unregistered: stopped' });
    expect(second.lines()).toEqual([]);
  });

  it.each([
    ['stops when it is told', false, ['began 1', 'stopped 1', 'began 2', 'ended 2']],
    ['does not listen', true, ['began 1', 'began 2', 'ended 2']],
  ])('hands back at its deadline what has not ended, also where the handler %s', async (_, isDeaf, lines) => {
    await using processes = new Processes();
    const { url } = await startGateway(processes);
    const node = await startNode(processes, url, 'n1', [LEDGER_MODULE, ...short]);
    const work = await startWork(processes, url, { isDeaf, args: ['--attempts', '1'] });
    node.kill('SIGTERM');
    expect((await node.ended).code).toBe(0);
    await startNode(processes, url, 'n2', [LEDGER_MODULE]);
    await work.has('began 2');
    work.open();
    // Handed back is neither a failure nor a crash.
    expect(await work.is('completed')).toMatchObject({ node: 'n2', attempts: 2, failures: 0, crashes: 0 });
    expect(work.lines()).toEqual(lines);
  });
});

describe('an operator', () => {
  it('drains a node, which finishes and stays, and resumes it', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes);
    await startNode(processes, url, 'n1', [LEDGER_MODULE]);
    const first = await startWork(processes, url);
    expect(await ask(processes, url, ['nodes', 'drain', 'n1'])).toEqual({ nodeId: 'n1', status: 'draining' });
    const second = await startWork(processes, url, { isWaitedFor: false });
    first.open();
    await first.is('completed');
    expect(await nodeIs(url, 'n1', 'draining')).toMatchObject({ tasks: 0 });
    expect(second.lines()).toEqual([]);
    expect(await ask(processes, url, ['nodes', 'resume', 'n1'])).toEqual({ nodeId: 'n1', status: 'online' });
    await second.has('began 1');
    second.open();
    await second.is('completed');
  });

  it('evicts a node, whose process ends and whose work runs elsewhere', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes);
    const node = await startNode(processes, url, 'n1', [LEDGER_MODULE]);
    const work = await startWork(processes, url);
    await ask(processes, url, ['nodes', 'evict', 'n1']);
    const { code, stderr } = await node.ended;
    expect(stderr).toContain('EVICTED');
    expect(code).toBe(4);
    await startNode(processes, url, 'n2', [LEDGER_MODULE]);
    await work.has('began 2');
    work.open();
    expect(await work.is('completed')).toMatchObject({ node: 'n2', attempts: 2 });
  });
});

describe('a gateway with --nodes', () => {
  it('shows who is absent, and grants anew what the file says now; a mistake in it changes nothing and is named', async () => {
    const file = path.join(scratchDirectory(), 'nodes.json');
    const write = (capabilities: readonly string[], maxTasks: unknown): void => {
      const agents = [
        { id: 'agent-01', type: 'agent', address: '192.168.1.10:18790', capabilities, maxTasks },
        { id: 'agent-02', type: 'agent', address: '192.168.1.11:18790', capabilities: ['llm'], maxTasks: 3 },
      ];
      writeFileSync(file, JSON.stringify({ nodes: agents }, null, 2));
    };
    write(['llm', 'tools'], 5);
    await using processes = new Processes();
    const { url, process: gateway } = await startGateway(processes, ['--nodes', file]);
    await startNode(processes, url, 'agent-01', [
      LEDGER_MODULE,
      '--capabilities',
      'llm,tools,vision',
      '--max-tasks',
      '9',
    ]);
    const listed = () => ask(processes, url, ['nodes', 'ls']);
    expect(await listed()).toMatchObject({
      items: [
        { nodeId: 'agent-01', status: 'online', capabilities: ['llm', 'tools'], maxTasks: 5 },
        { nodeId: 'agent-02', status: 'offline', reason: 'it is expected, and has not joined', maxTasks: 3 },
      ],
    });

    write(['llm'], 2);
    const granted = async (): Promise<unknown> => {
      const { capabilities, maxTasks } = await ask(processes, url, ['nodes', 'get', 'agent-01']);
      return [capabilities, maxTasks];
    };
    await expect.poll(granted).toEqual([['llm'], 2]);

    write(['llm', 'tools'], 'many');
    await expect.poll(() => gateway.said()).toMatch(/nodes\.json:11:19: nodes\[0\]\.maxTasks: /);
    expect(await granted()).toEqual([['llm'], 2]);
    write(['llm', 'vision'], 7);
    await expect.poll(granted).toEqual([['llm', 'vision'], 7]);
  });
});

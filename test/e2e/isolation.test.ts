/** A node whose handlers are isolated, as a user would run it: one of them loops for ever, and nobody else notices. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createClient, createGateway, defineTask } from '../../src/index.ts';
import { isRunning, pidsIn, scratchDirectory } from '../handlers/tool-runner.ts';
import { fixture } from '../support/isolates.ts';
import { ask, LEDGER_MODULE, startWork } from '../support/ledger.ts';
import { Processes, startGateway, startNode } from '../support/processes.ts';

const HANDLERS = fileURLToPath(fixture('handlers'));
const misbehave = defineTask('misbehave', { retry: { attempts: 1 } });
// Short enough that a node which does not beat while a handler loops would be found out.
const limits = { heartbeatMs: 200, suspectAfterMs: 4_000, offlineAfterMs: 20_000 };
const graceMs = 2_000;
/** What a machine with other things to do may add to that. */
const SLACK_MS = 10_000;

describe.each(['thread', 'process'] as const)('pincer node --isolate %s', (isolate) => {
  it('goes on while a handler loops: the others finish, the node stays online, the attempt ends as timeout', async () => {
    await using processes = new Processes();
    await using gateway = await createGateway({ limits });
    await startNode(processes, gateway.url, 'n1', [HANDLERS, '--isolate', isolate, '--max-tasks', '4']);
    await using client = createClient({ url: gateway.url });

    const timeoutMs = 4_000;
    const loop = client.submit(misbehave, { how: 'loop' }, { timeoutMs });
    const others = [1, 2, 3].map(() => client.submit(misbehave, { how: 'wait', ms: 500 }));
    const statuses = new Set<string>();
    let isOver = false;
    const watched = (async () => {
      while (!isOver) {
        statuses.add((await client.node('n1')).status);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    const startedAt = performance.now();
    expect(await Promise.all(others.map((other) => other.result()))).toEqual(['waited', 'waited', 'waited']);
    expect(await loop.outcome()).toMatchObject({ status: 'failed', error: { code: 'TASK_TIMED_OUT' } });
    expect(performance.now() - startedAt).toBeLessThan(timeoutMs + graceMs + SLACK_MS);
    isOver = true;
    await watched;
    expect([...statuses].filter((status) => status !== 'online' && status !== 'busy')).toEqual([]);
    expect(await client.node('n1')).toMatchObject({ status: 'online', tasks: 0, running: [], overdue: [] });
    expect(await client.submit(misbehave, { how: 'echo', value: 'well' })).toBe('well');
  });

  it('#67 loses no more than the attempts of handlers that exit, fill their memory or reject unheard', async () => {
    await using processes = new Processes();
    await using gateway = await createGateway({ limits });
    const options = ['--isolate', isolate, '--memory-mb', '64', '--max-tasks', '4'];
    const node = await startNode(processes, gateway.url, 'n1', [HANDLERS, ...options]);
    await using client = createClient({ url: gateway.url });
    const steady = client.submit(misbehave, { how: 'wait', ms: 3_000 });
    const codes = ['exit', 'heap', 'reject'].map(async (how) => {
      const outcome = await client.submit(misbehave, { how }).outcome();
      return [outcome.status, outcome.error?.code];
    });
    expect(await Promise.all(codes)).toEqual([
      ['failed', 'HANDLER_EXITED'],
      ['failed', 'HANDLER_OUT_OF_MEMORY'],
      ['failed', 'HANDLER_FAILED'],
    ]);
    expect(await steady.result()).toBe('waited');
    expect(await client.node('n1')).toMatchObject({ status: 'online', tasks: 0 });
    expect(node.said()).toBe('');
  });

  it('keeps what handlers print out of its own output, and stops in order', async () => {
    await using processes = new Processes();
    await using gateway = await createGateway({ limits });
    const node = await startNode(processes, gateway.url, 'n1', [HANDLERS, '--isolate', isolate, '--verbose']);
    await using client = createClient({ url: gateway.url });
    await client.submit(misbehave, { how: 'print', lines: 2 });
    node.kill('SIGTERM');
    const { code, stdout, stderr } = await node.ended;
    expect(code).toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain('"text":"line 1"');
  });
});

describe('a node that is killed', () => {
  it('takes its isolates with it, also one that loops and the children of that', async () => {
    const file = path.join(scratchDirectory(), 'pids');
    await using processes = new Processes();
    await using gateway = await createGateway({ limits });
    const node = await startNode(processes, gateway.url, 'n1', [HANDLERS, '--isolate', 'process']);
    await using client = createClient({ url: gateway.url });
    await client.submit(misbehave, { how: 'kin', file }).accepted();
    await expect.poll(() => pidsIn(file).length).toBe(2);
    expect(readFileSync(file, 'utf8')).not.toContain(String(node.pid));
    node.kill('SIGKILL');
    await expect.poll(() => pidsIn(file).filter(isRunning)).toEqual([]);
  });
});

describe('a handler in the process of its node', () => {
  it('that ignores its signal keeps its slot, and is shown as overdue until it has ended', async () => {
    const grace = ['--limit', 'cancelGraceMs=500'];
    await using processes = new Processes();
    const { url } = await startGateway(processes, grace);
    await startNode(processes, url, 'n1', [LEDGER_MODULE, '--max-tasks', '1', ...grace]);
    const args = ['--timeout', '1s', '--attempts', '1'];
    const work = await startWork(processes, url, { isDeaf: true, args });
    expect(await work.is('failed')).toMatchObject({ error: { code: 'TASK_TIMED_OUT' } });
    expect(await ask(processes, url, ['nodes', 'get', 'n1'])).toMatchObject({
      status: 'busy',
      tasks: 1,
      running: [],
      overdue: [{ taskId: work.taskId, attempt: 1 }],
    });
    const next = await startWork(processes, url, { isWaitedFor: false });
    expect((await next.why()).nodes).toEqual([
      { nodeId: 'n1', fits: false, reason: 'is full: 1 of 1 slots taken, 1 by overdue attempts' },
    ]);
    work.open();
    await next.has('began 1');
    next.open();
    await next.is('completed');
    expect(work.lines()).toEqual(['began 1', 'ended 1']);
    expect(await work.task()).toMatchObject({ status: 'failed' });
  });
});

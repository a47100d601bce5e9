import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { isRunning, pidsIn, scratchDirectory } from '../handlers/tool-runner.ts';
import { taskIs } from '../support/ledger.ts';
import { Processes, startGateway, startNode } from '../support/processes.ts';

describe('a task that never ends', () => {
  it('#33 is cancelled from another process: its process tree is gone, and its slot is free after', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes);
    await startNode(processes, url, 'n1', ['--allow', 'sh,sleep', '--max-tasks', '1']);
    const pids = path.join(scratchDirectory(), 'pids');
    // A tree: the shell, a child, and a grandchild in a session of its own.
    const script = `sleep 1000 & echo $! >> ${pids}; setsid sleep 1000 & echo $! >> ${pids}; echo $$ >> ${pids}; wait`;
    const payload = JSON.stringify({ command: 'sh', args: ['-c', script] });
    const { stdout } = await processes.run(['run', 'tool-execution', payload, '--url', url, '--detach', '--json']);
    const { taskId } = JSON.parse(stdout) as { taskId: string };
    await expect.poll(() => pidsIn(pids).length).toBe(3);
    const busy = await processes.run(['nodes', 'get', 'n1', '--url', url, '--json']);
    expect(JSON.parse(busy.stdout)).toMatchObject({ status: 'busy', tasks: 1, running: [{ taskId, attempt: 1 }] });

    const cancelled = await processes.run(['tasks', 'cancel', taskId, '--url', url, '--json']);
    expect(cancelled.code).toBe(0);
    expect(JSON.parse(cancelled.stdout)).toMatchObject({ taskId, status: 'cancelling' });
    await taskIs(url, taskId, 'cancelled');
    expect(pidsIn(pids).filter(isRunning)).toEqual([]);
    const free = await processes.run(['nodes', 'get', 'n1', '--url', url, '--json']);
    expect(JSON.parse(free.stdout)).toMatchObject({ tasks: 0, running: [], overdue: [] });
    const next = await processes.run([
      'run',
      'tool-execution',
      '{"command":"sh","args":["-c","echo hi"]}',
      '--url',
      url,
      '--json',
    ]);
    expect(JSON.parse(next.stdout)).toMatchObject({ status: 'completed', result: { stdout: 'hi\n' } });
  });
});

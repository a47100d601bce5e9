/** Tasks that are kept on disk, as a user meets them: the gateway is killed, or stopped, and started again. */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/index.ts';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import { Processes, type Running, startNode } from '../support/processes.ts';

const HELLO = { command: 'echo', args: ['hello'] };

async function start(processes: Processes, dir: string, port = 0): Promise<{ url: string; process: Running }> {
  const gateway = processes.start(['gateway', '--listen', `127.0.0.1:${port}`, '--store', dir, '--json']);
  const ready = await gateway.ready();
  expect(ready['store']).toBe(dir);
  return { url: String(ready['url']), process: gateway };
}

describe('a gateway with a store on disk', () => {
  it('has every task that it acknowledged after kill -9, and runs them (#29, #32, #55)', async () => {
    await using processes = new Processes();
    const dir = path.join(scratchDirectory(), 'store');
    const first = await start(processes, dir);
    await using client = createClient({ url: first.url });
    const handles = Array.from({ length: 50 }, () => client.submit('tool-execution', HELLO));
    await Promise.all(handles.map((handle) => handle.accepted()));
    first.process.kill('SIGKILL');
    await first.process.ended;
    const again = await start(processes, dir, Number(new URL(first.url).port));
    await startNode(processes, again.url, 'n1', ['--allow', 'echo', '--max-tasks', '10']);
    const results = await Promise.all(handles.map((handle) => handle.result()));
    const outputs = results.map((result) => (result as { stdout: string }).stdout);
    expect(outputs).toEqual(Array.from({ length: 50 }, () => 'hello\n'));
    again.process.kill('SIGTERM');
    expect((await again.process.ended).code).toBe(0);
  });
});

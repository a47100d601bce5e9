/** Two gateway processes on one directory are one cluster: through the command line, with real sockets and kill -9. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/client.ts';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import { LEDGER_MODULE, nodeIs, tasksOf } from '../support/ledger.ts';
import { Processes, startGateway, startNode } from '../support/processes.ts';

/** Two gateways, and a node that knows both. */
async function pair(processes: Processes) {
  const store = path.join(scratchDirectory(), 'store');
  const one = await startGateway(processes, ['--store', store, '--id', 'one']);
  const two = await startGateway(processes, ['--store', store, '--id', 'two']);
  const both = `${one.url},${two.url}`;
  await startNode(processes, both, 'n1', [LEDGER_MODULE]);
  return { one, two, both };
}

/** How many attempts a gateway holds. */
async function liveTasks(url: string): Promise<number> {
  await using client = createClient({ url });
  return (await client.stats()).counters['liveTasks'] ?? 0;
}

describe('two gateways of one directory', () => {
  it('serve one cluster: what is submitted at one runs, is listed and is told of at the other', async () => {
    await using processes = new Processes();
    const { one, two } = await pair(processes);
    const gate = path.join(scratchDirectory(), 'gate');
    writeFileSync(gate, '');
    for (const { url } of [one, two]) {
      const payload = JSON.stringify({ gate, ledger: path.join(scratchDirectory(), 'ledger') });
      const { stdout, code } = await processes.run(['run', 'work', payload, '--url', url]);
      expect({ stdout, code }).toEqual({ stdout: '1\n', code: 0 });
      await nodeIs(url, 'n1', 'online');
      expect((await processes.run(['nodes', 'ls', '--url', url])).stdout).toMatch(/n1\s+agent\s+online/);
    }
    const lists = [one, two].map(({ url }) => processes.run(['tasks', 'ls', '--url', url]));
    for (const { stdout } of await Promise.all(lists)) expect(stdout.match(/completed/g)).toHaveLength(2);
  });

  it('one of them is killed: the other adopts what its node runs, and the client is told by the other', async () => {
    await using processes = new Processes();
    const { one, two, both } = await pair(processes);
    const directory = scratchDirectory();
    const [ledger, gate] = [path.join(directory, 'ledger'), path.join(directory, 'gate')];
    const run = processes.start(['run', 'work', JSON.stringify({ ledger, gate }), '--url', both]);
    await expect.poll(() => existsSync(ledger)).toBe(true);
    const [doomed, heir] = (await liveTasks(one.url)) === 1 ? [one, two] : [two, one];
    doomed.process.kill('SIGKILL');
    await expect.poll(() => liveTasks(heir.url)).toBe(1);
    writeFileSync(gate, '');
    expect(await run.ended).toMatchObject({ code: 0, stdout: '1\n' });
    expect(readFileSync(ledger, 'utf8')).toBe('began 1\nended 1\n');
    expect(await tasksOf(heir.url)).toMatchObject([{ status: 'completed', attempts: 1 }]);
  });
});

/** Two gateway processes on one directory are one cluster: through the command line, with real sockets and kill -9. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client.ts';
import { Processes, startGateway } from '../support/processes.ts';

const DOOR = new URL('../../dist/index.js', import.meta.url).href;
const POLL = { timeout: 30_000, interval: 200 };

/** Two gateways, and a node that knows both. */
async function pair(processes: Processes) {
  const dir = mkdtempSync(path.join(tmpdir(), 'pincer-gateways-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  const store = path.join(dir, 'store');
  const handlers = path.join(dir, 'handlers.mjs');
  writeFileSync(
    handlers,
    `import { appendFileSync } from 'node:fs';
     import { defineHandler, defineTask } from '${DOOR}';
     export default defineHandler(defineTask('slow'), async ({ input, attempt }) => {
       appendFileSync(${JSON.stringify(path.join(dir, 'runs'))}, 'attempt ' + attempt + '\\n');
       await new Promise((resolve) => setTimeout(resolve, input));
       return 'slept ' + input;
     });`,
  );
  const one = await startGateway(processes, ['--store', store, '--id', 'one']);
  const two = await startGateway(processes, ['--store', store, '--id', 'two']);
  const node = processes.start(['node', handlers, '--join', `${one.url},${two.url}`, '--id', 'n1', '--json']);
  await node.ready();
  return { one, two, node, dir, both: `${one.url},${two.url}` };
}

/** How many attempts a gateway holds. */
async function liveTasks(url: string): Promise<number> {
  await using client = createClient({ url });
  return (await client.stats()).counters['liveTasks'] ?? 0;
}

async function started(processes: Processes, url: string): Promise<void> {
  await expect
    .poll(async () => (await processes.run(['tasks', 'ls', '--url', url, '--json'])).stdout, POLL)
    .toContain('"running"');
}

describe('two gateways of one directory', () => {
  it('serve one cluster: what is submitted at one runs, is listed and is told of at the other', async () => {
    await using processes = new Processes();
    const { one, two } = await pair(processes);
    for (const { url } of [one, two]) {
      const { stdout, code } = await processes.run(['run', 'slow', '10', '--url', url]);
      expect({ stdout, code }).toEqual({ stdout: '"slept 10"\n', code: 0 });
      await expect
        .poll(async () => (await processes.run(['nodes', 'ls', '--url', url])).stdout, POLL)
        .toMatch(/n1\s+agent\s+online/);
    }
    const lists = [one, two].map(({ url }) => processes.run(['tasks', 'ls', '--url', url]));
    for (const { stdout } of await Promise.all(lists)) expect(stdout.match(/completed/g)).toHaveLength(2);
  });

  it('one of them is killed: the other adopts what its node runs, and the client is told by the other', async () => {
    await using processes = new Processes();
    const { one, two, both } = await pair(processes);
    const run = processes.start(['run', 'slow', '8000', '--url', both]);
    await started(processes, one.url);
    const [doomed, heir] = (await liveTasks(one.url)) === 1 ? [one, two] : [two, one];
    doomed.process.kill('SIGKILL');
    await expect.poll(() => liveTasks(heir.url), POLL).toBe(1);
    expect(await run.ended).toMatchObject({ code: 0, stdout: '"slept 8000"\n' });
    const { stdout } = await processes.run(['tasks', 'ls', '--url', heir.url, '--json']);
    expect(stdout).toContain('"attempts":1');
  });
});

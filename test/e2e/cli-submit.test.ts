/** `pincer submit` when things go wrong around it: its input, its user, its gateway. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { isRunning, pidsIn, scratchDirectory } from '../handlers/tool-runner.ts';
import { tasksOf } from '../support/ledger.ts';
import { Processes, startGateway, startNode } from '../support/processes.ts';

interface Row {
  readonly index: number;
  readonly taskId: string;
  readonly status: string;
  readonly error?: { readonly code: string };
}

function line(script: string, more: object = {}): string {
  return `${JSON.stringify({ type: 'tool-execution', payload: { command: 'sh', args: ['-c', script] }, ...more })}\n`;
}

function rowsOf(lines: readonly string[]): Row[] {
  return lines.map((text) => JSON.parse(text) as Row);
}

describe('pincer submit', () => {
  it('prints each result as it comes, with everything that is known of it', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes);
    await startNode(processes, url, 'n1', ['--allow', 'sh', '--max-tasks', '2']);
    const list = path.join(scratchDirectory(), 'tasks.jsonl');
    writeFileSync(list, line('sleep 2; echo slow') + line('echo fast') + line('kill -9 $$'));
    const submit = processes.start(['submit', list, '--url', url, '--json']);
    const { code, stderr } = await submit.ended;
    const rows = rowsOf(submit.lines);
    expect(rows.map((row) => row.index).indexOf(1)).toBeLessThan(rows.map((row) => row.index).indexOf(0));
    const fields = ['index', 'taskId', 'status', 'result', 'node', 'attempts', 'queuedMs', 'runMs'];
    expect(Object.keys(rows.find((row) => row.index === 0) ?? {})).toEqual(fields);
    const failed = rows.find((row) => row.index === 2);
    expect(failed).toMatchObject({ status: 'failed', attempts: 3, error: { code: 'COMMAND_KILLED' } });
    expect(stderr).toBe('');
    expect(code).toBe(6);
    const listed = await processes.run(['tasks', 'ls', '--url', url, '--json']);
    const { items } = JSON.parse(listed.stdout) as { items: { taskId: string; status: string }[] };
    const byId = (one: { taskId: string }, other: { taskId: string }): number => (one.taskId < other.taskId ? -1 : 1);
    const statuses = (all: readonly { taskId: string; status: string }[]): object[] =>
      all.map(({ taskId, status }) => ({ taskId, status })).sort(byId);
    expect(statuses(items)).toEqual(statuses(rows));
  });

  it('says what it did to who reads along', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes);
    await startNode(processes, url, 'n1', ['--allow', 'sh']);
    const list = path.join(scratchDirectory(), 'tasks.jsonl');
    writeFileSync(list, `${line('echo one')}{"type":"a","priority":99}\n`);
    const { code, stdout, stderr } = await processes.run(['submit', list], { env: { PINCER_URL: url } });
    expect(stdout).toBe('');
    expect(stderr).toContain('line 2: PAYLOAD_INVALID, line 2: priority: ');
    expect(stderr).toContain('2 tasks: 1 completed, 1 refused');
    expect(code).toBe(6);
  });

  it('waits and goes on when it submits faster than it may: every line is done', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes, ['--limit', 'submitsPerSecondMax=1']);
    await startNode(processes, url, 'n1', ['--allow', 'sh', '--max-tasks', '2']);
    const list = path.join(scratchDirectory(), 'tasks.jsonl');
    writeFileSync(list, line('echo one').repeat(4));
    const { code, stdout, stderr } = await processes.run(['submit', list, '--url', url, '--json']);
    const statuses = rowsOf(stdout.trim().split('\n')).map(({ status }) => status);
    expect({ code, stderr, statuses }).toEqual({ code: 0, stderr: '', statuses: Array(4).fill('completed') });
  });

  it('ends with 2 and a sentence when the list cannot be read', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes);
    for (const file of [path.join(scratchDirectory(), 'none'), scratchDirectory()]) {
      const { code, stdout, stderr } = await processes.run(['submit', file, '--url', url]);
      expect(stderr).toMatch(/^error the list .* cannot be read/);
      expect(stderr).not.toMatch(/\n\s+at /);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    }
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'cancels what is under way after %s, though its input is still open, and ends with %i',
    async (signal, exit) => {
      await using processes = new Processes();
      const { url } = await startGateway(processes);
      await startNode(processes, url, 'n1', ['--allow', 'sh,sleep', '--max-tasks', '1']);
      const pids = path.join(scratchDirectory(), 'pids');
      const submit = processes.start(['submit', '-', '--url', url, '--json'], { input: true });
      submit.write(line(`echo $$ >> ${pids}; exec sleep 1000`) + line('echo never'));
      await expect.poll(() => pidsIn(pids).length).toBe(1);
      submit.kill(signal);
      expect((await submit.ended).code).toBe(exit);
      expect(rowsOf(submit.lines).map((row) => row.status)).toEqual(['cancelled', 'cancelled']);
      expect(pidsIn(pids).filter(isRunning)).toEqual([]);
    },
  );

  it('waits for a gateway that is gone, says so, and tells what the next one does not know', async () => {
    await using processes = new Processes();
    const first = await startGateway(processes);
    const list = path.join(scratchDirectory(), 'tasks.jsonl');
    writeFileSync(list, line('echo one') + line('echo two'));
    const submit = processes.start(['submit', list, '--url', first.url]);
    await expect.poll(() => tasksOf(first.url)).toHaveLength(2);
    first.process.kill('SIGKILL');
    await expect.poll(() => submit.said()).toContain('waiting for the gateway');
    // The same port: its store was in memory, so the tasks are gone with it.
    await startGateway(processes, ['--listen', new URL(first.url).host]);
    const { code, stderr } = await submit.ended;
    expect(stderr).toContain('the gateway is back');
    expect(stderr).toContain('TASK_UNKNOWN');
    expect(code).toBe(6);
  });

  it('can be left at once while there is no gateway', async () => {
    await using processes = new Processes();
    const { url, process: gateway } = await startGateway(processes);
    const submit = processes.start(['submit', '-', '--url', url], { input: true });
    submit.write(line('echo one'));
    await expect.poll(() => tasksOf(url)).toHaveLength(1);
    gateway.kill('SIGKILL');
    await expect.poll(() => submit.said()).toContain('waiting for the gateway');
    submit.kill('SIGINT');
    expect((await submit.ended).code).toBe(130);
  });
});

/** The main job, as a user would do it: five processes, real files, one of them killed without a last word. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { sources } from '../house/tree.ts';
import { Processes, startGateway, startNode } from '../support/processes.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TASKS = 2_000;

interface Row {
  readonly index: number;
  readonly taskId: string;
  readonly status: string;
  readonly result: { exitCode: number; stdout: string };
  readonly node: string;
  readonly attempts: number;
  readonly queuedMs: number;
  readonly runMs: number;
}

describe('a list of two thousand tasks over real files', () => {
  it('gives each result exactly once and right, whatever happens to its nodes', async () => {
    await using processes = new Processes();
    const files = sources('src').map((file) => path.join(ROOT, file));
    const wanted = Array.from({ length: TASKS }, (_, index) => files[index % files.length] ?? '');
    const lines = wanted.map((file, index) =>
      JSON.stringify({
        type: 'tool-execution',
        payload: { command: 'sha256sum', args: [file] },
        priority: 1 + (index % 10),
      }),
    );
    const textOf = (some: readonly string[]): string => some.map((line) => `${line}\n`).join('');

    const { url } = await startGateway(processes);
    const doomed = await startNode(processes, url, 'doomed', ['--allow', 'sha256sum', '--max-tasks', '4']);
    await startNode(processes, url, 'steady', ['--allow', 'sha256sum', '--max-tasks', '4']);
    const submit = processes.start(['submit', '-', '--url', url, '--json'], { input: true });
    submit.write(textOf(lines.slice(0, -TASKS / 4)));
    // A process for each task: a busy machine takes minutes.
    await expect.poll(() => submit.lines.length, { timeout: 240_000 }).toBeGreaterThan(TASKS / 4);
    doomed.kill('SIGKILL');
    await startNode(processes, url, 'late', ['--allow', 'sha256sum', '--max-tasks', '4']);
    // The rest of the list comes when it has joined, however long that took: there is work for it, too.
    submit.write(textOf(lines.slice(-TASKS / 4)));
    submit.endInput();
    const { code, stdout, stderr } = await submit.ended;

    expect(stderr).toBe('');
    expect(code).toBe(0);
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Row);
    expect(rows).toHaveLength(TASKS);
    expect(new Set(rows.map((row) => row.index)).size).toBe(TASKS);
    expect(new Set(rows.map((row) => row.taskId)).size).toBe(TASKS);
    const sums = new Map(files.map((file) => [file, createHash('sha256').update(readFileSync(file)).digest('hex')]));
    for (const { index, status, result, attempts, queuedMs, runMs } of rows) {
      expect(status).toBe('completed');
      expect(result.exitCode).toBe(0);
      expect(result.stdout.slice(0, 64)).toBe(sums.get(wanted[index] ?? ''));
      expect(attempts).toBeGreaterThanOrEqual(1);
      expect(queuedMs).toBeGreaterThanOrEqual(0);
      expect(runMs).toBeGreaterThanOrEqual(0);
    }
    expect(new Set(rows.map((row) => row.node))).toEqual(new Set(['doomed', 'steady', 'late']));

    const listed = await processes.run([
      'tasks',
      'ls',
      '--url',
      url,
      '--status',
      'completed',
      '--limit',
      '1',
      '--json',
    ]);
    expect(JSON.parse(listed.stdout)).toMatchObject({ total: TASKS, truncated: true });
    const others = await processes.run([
      'tasks',
      'ls',
      '--url',
      url,
      '--status',
      'pending,delayed,assigned,running,failed,cancelled',
      '--json',
    ]);
    expect(JSON.parse(others.stdout)).toMatchObject({ total: 0 });
  });
});

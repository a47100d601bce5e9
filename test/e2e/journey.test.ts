/** The main job, as a user would do it: five processes, real files, one of them killed without a last word. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
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
    const directory = await mkdtemp(path.join(tmpdir(), 'pincer-'));
    try {
      await using processes = new Processes();
      const files = sources('src').map((file) => path.join(ROOT, file));
      const wanted = Array.from({ length: TASKS }, (_, index) => files[index % files.length] ?? '');
      const list = path.join(directory, 'tasks.jsonl');
      const lines = wanted.map((file, index) =>
        JSON.stringify({
          type: 'tool-execution',
          payload: { command: 'sha256sum', args: [file] },
          priority: 1 + (index % 10),
        }),
      );
      writeFileSync(list, `${lines.join('\n')}\n`);

      const { url } = await startGateway(processes);
      const doomed = await startNode(processes, url, 'doomed', ['--allow', 'sha256sum', '--max-tasks', '4']);
      await startNode(processes, url, 'steady', ['--allow', 'sha256sum', '--max-tasks', '4']);
      const submit = processes.start(['submit', list, '--url', url, '--json']);
      await expect.poll(() => submit.lines.length).toBeGreaterThan(TASKS / 4);
      doomed.kill('SIGKILL');
      await startNode(processes, url, 'late', ['--allow', 'sha256sum', '--max-tasks', '4']);
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
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

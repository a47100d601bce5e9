/** The first thing that most people run. What it says must be so, whatever directory it is given. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { isRunning } from '../handlers/tool-runner.ts';
import { Processes } from '../support/processes.ts';

interface Said {
  readonly files: number;
  readonly tasks: number;
  readonly right: number;
  readonly completed: number;
  readonly takenOver: number;
  readonly ok: boolean;
  readonly nodes: { readonly nodeId: string; readonly results: number; readonly takenOver: number }[];
}

describe('pincer demo', () => {
  it('runs a cluster of processes, kills one, and has every result right', async () => {
    await using processes = new Processes();
    const { code, stdout, stderr } = await processes.run(['demo', '--once', '--json']);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const said = JSON.parse(stdout) as Said;
    expect(said.files).toBeGreaterThan(50);
    expect(said).toMatchObject({ right: said.tasks, completed: said.tasks, ok: true });
    expect(said.nodes.reduce((sum, node) => sum + node.results, 0)).toBe(said.tasks);
    // Its slots were full when it was killed: what was in them must not be passed over in silence.
    expect(said.takenOver).toBeGreaterThan(0);
    expect(said.nodes.reduce((sum, node) => sum + node.takenOver, 0)).toBe(said.takenOver);
    expect(said.nodes.find((node) => node.nodeId === 'agent-02')?.takenOver).toBe(0);
  });

  it('sums the files of a small directory several times, and says so', async () => {
    await using processes = new Processes();
    const directory = mkdtempSync(path.join(tmpdir(), 'pincer-demo-'));
    try {
      mkdirSync(path.join(directory, 'inner'));
      for (const name of ['plain.txt', 'with \\ backslash', '-n', 'inner/two\nlines']) {
        writeFileSync(path.join(directory, name), `the text of ${name}`);
      }
      const { code, stdout, stderr } = await processes.run(['demo', '--dir', directory]);
      expect(stderr).toContain('each is summed 23 times: 92 tasks');
      expect(stderr).toMatch(/3\. Half-way, at \d+ results, agent-02 is killed/);
      expect(stdout).toContain('All right. 92 tasks, 92 right results');
      expect(code).toBe(0);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('takes its processes with it when it is interrupted', async () => {
    await using processes = new Processes();
    const demo = processes.start(['demo']);
    const pids = (): number[] => [...demo.said().matchAll(/\(pid (\d+)\)/g)].map((match) => Number(match[1]));
    await expect.poll(() => pids().length).toBe(4);
    expect(pids().every(isRunning)).toBe(true);
    demo.kill('SIGINT');
    expect((await demo.ended).code).toBe(130);
    await expect.poll(() => pids().filter(isRunning)).toEqual([]);
  });

  it('says what is missing, and ends with 2', async () => {
    await using processes = new Processes();
    const nowhere = await processes.run(['demo', '--dir', path.join(tmpdir(), 'pincer-no-such-directory')]);
    expect(nowhere).toMatchObject({ code: 2, stdout: '' });
    expect(nowhere.stderr).toContain('there is no directory');
    const noProgram = await processes.run(['demo'], { env: { PATH: tmpdir() } });
    expect(noProgram).toMatchObject({ code: 2, stdout: '' });
    expect(noProgram.stderr).toContain('needs sha256sum');
  });
});

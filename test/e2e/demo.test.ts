import { describe, expect, it } from 'vitest';
import { Processes } from '../support/processes.ts';

describe('pincer demo', () => {
  it('runs a cluster of processes, kills one, and has every result right', async () => {
    await using processes = new Processes();
    const { code, stdout, stderr } = await processes.run(['demo', '--once', '--json']);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const said = JSON.parse(stdout) as {
      files: number;
      right: number;
      completed: number;
      ok: boolean;
      nodes: { results: number }[];
    };
    expect(said.files).toBeGreaterThan(50);
    expect(said).toMatchObject({ right: said.files, completed: said.files, ok: true });
    expect(said.nodes.reduce((sum, node) => sum + node.results, 0)).toBe(said.files);
  });

  it('says what is wrong with a directory without files', async () => {
    await using processes = new Processes();
    const { code, stderr } = await processes.run(['demo', '--dir', '/proc/self/ns/none']);
    expect(code).not.toBe(0);
    expect(stderr).toContain('error');
  });
});

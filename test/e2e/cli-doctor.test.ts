/** `pincer doctor` over a real gateway and over a real store: well, and not well. */
import path from 'node:path';
import { open } from 'lmdb';
import { describe, expect, it } from 'vitest';
import { HEAD_FIELDS } from '../../src/actors/store/lmdb/head.ts';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import { Processes, startGateway, startNode } from '../support/processes.ts';

interface Diagnosis {
  readonly ok: boolean;
  readonly looked: number;
  readonly checks: readonly { id: string; status: string; findings: readonly { says: string; mend: string }[] }[];
}

describe('doctor', () => {
  it('ends with 0 where all is well, and with 10 where something is not, and says what to do', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes);
    await startNode(processes, url, 'n1', ['--allow', 'sleep']);
    await processes.run(['run', 'tool-execution', '{"command":"sleep","args":["0"]}', '--url', url]);

    const well = await processes.run(['doctor', '--url', url, '--json']);
    expect(JSON.parse(well.stdout)).toMatchObject({ ok: true, looked: 1 });
    expect(well.code).toBe(0);

    await processes.run(['run', 'image-analysis', '--detach', '--url', url]);
    const ill = await processes.run(['doctor', '--url', url, '--json']);
    const { ok, checks } = JSON.parse(ill.stdout) as Diagnosis;
    expect(ok).toBe(false);
    const wrong = checks.filter(({ status }) => status !== 'ok');
    expect(wrong).toMatchObject([
      { id: 'tasks.starved', status: 'warn', findings: [{ mend: expect.stringContaining('Start a node') }] },
    ]);
    expect(ill.code).toBe(10);

    const said = await processes.run(['doctor', '--url', url]);
    expect(said.stdout).toMatch(/✓ every task is where its history says/);
    expect(said.stdout).toMatch(/! somebody can run every task that waits\n.*1 task waits for a node/);
    expect(said.stdout).toContain('Not well. 2 of 2 tasks looked at.');
  });

  it('looks at a store on disk with and without its gateway, and finds what was changed behind its back', async () => {
    await using processes = new Processes();
    const scratch = scratchDirectory();
    const store = path.join(scratch, 'store');
    const { url, process: gateway } = await startGateway(processes, ['--store', store]);
    await startNode(processes, url, 'n1', ['--allow', 'sleep']);
    await processes.run(['run', 'tool-execution', '{"command":"sleep","args":["0"]}', '--url', url]);
    expect((await processes.run(['doctor', '--store', store, '--json'])).code).toBe(0);
    gateway.kill('SIGKILL');
    await gateway.ended;
    expect((await processes.run(['doctor', '--store', store])).stdout).toContain('1 of 1 tasks looked at');

    const root = open({ path: path.join(store, 'pincer.mdb'), maxDbs: 32 });
    const tasks = root.openDB<unknown[], string>('task', { encoding: 'msgpack', useRecords: false } as object);
    const [task] = Array.from(tasks.getRange({ limit: 1 }));
    if (task === undefined) throw new Error('the store has no task');
    // Of its history the second entry is taken away.
    const at = HEAD_FIELDS.indexOf('told');
    const entries = String(task.value[at]).split('],');
    await tasks.put(task.key, task.value.with(at, entries.toSpliced(1, 1).join('],')));
    await root.close();
    const { code, stdout } = await processes.run(['doctor', '--store', store, '--json']);
    const { checks } = JSON.parse(stdout) as Diagnosis;
    expect(checks.find(({ id }) => id === 'tasks.history')).toMatchObject({ status: 'bad' });
    expect(code).toBe(10);
    expect((await processes.run(['doctor', '--store', path.join(scratch, 'nothing')])).stderr).toContain(
      'there is no store',
    );
  });
});

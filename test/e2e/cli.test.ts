/** The command line, through its own door: every exit code, every refusal, what goes to stdout and what does not. */
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import { nodeIs, tasksOf } from '../support/ledger.ts';
import { Processes, startGateway, startNode } from '../support/processes.ts';

const processes = new Processes();
let url = '';

beforeAll(async () => {
  ({ url } = await startGateway(processes));
  await startNode(processes, url, 'n1', ['--allow', 'sh,cat,sleep', '--max-tasks', '3', '--label', 'zone=attic']);
});
afterAll(() => processes[Symbol.asyncDispose]());

function sh(script: string): string {
  return JSON.stringify({ command: 'sh', args: ['-c', script] });
}

describe('the exit code', () => {
  it('is 0 for help and version, on stdout', async () => {
    const help = await processes.run(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const command of ['demo', 'gateway', 'node', 'run', 'submit', 'tasks', 'nodes', 'why', 'story', 'doctor']) {
      expect(help.stdout).toContain(`  ${command} `);
    }
    expect((await processes.run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each([
    ['an unknown command', ['frobnicate']],
    ['an unknown option', ['tasks', 'ls', '--frobnicate']],
    ['a missing argument', ['run']],
    ['a value out of range', ['run', 'x', '--priority', '11']],
    ['a payload that is not JSON', ['run', 'x', '{oops']],
    ['a malformed URL', ['nodes', 'ls', '--url', 'http://127.0.0.1:1']],
    ['a status there is not', ['tasks', 'ls', '--status', 'sleeping', '--url', 'URL']],
    ['#76 a strategy there is not', ['gateway', '--strategy', 'fastest']],
    ['an agent without handlers', ['node', '--join', 'URL']],
    ['a module that exports no handlers', ['node', './package.json', '--join', 'URL']],
    ['a command that is not on this machine', ['node', '--join', 'URL', '--allow', 'no-such-command']],
    ['#80 an open bind without a token', ['gateway', '--listen', '0.0.0.0:0']],
  ])('is 2 for %s, with a word on how to mend it', async (_, args) => {
    const { code, stdout, stderr } = await processes.run(args.map((arg) => (arg === 'URL' ? url : arg)));
    expect(stdout).toBe('');
    expect(stderr).toMatch(/error/i);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(code).toBe(2);
  });

  it.skipIf(!existsSync('/dev/full'))('is 1, with a word on it, when the output cannot be written', async () => {
    const full = openSync('/dev/full', 'w');
    try {
      for (const args of [['--version'], ['run', 'tool-execution', sh('echo hi'), '--url', url, '--quiet']]) {
        const { code, stderr } = await processes.start(args, { stdout: full }).ended;
        expect(stderr).toMatch(/^error the output could not be written: ENOSPC.* \(OUTPUT_UNWRITABLE\)\n→ .*\n$/);
        expect(code).toBe(1);
      }
    } finally {
      closeSync(full);
    }
  });

  it('is 3 when no gateway answers, and says so', async () => {
    const { code, stderr } = await processes.run([
      'nodes',
      'ls',
      '--url',
      'ws://127.0.0.1:1',
      '--connect-timeout',
      '300ms',
    ]);
    expect(stderr).toContain('pincer gateway');
    expect(code).toBe(3);
  });

  it('is 5 for a task or node there is not', async () => {
    for (const args of [
      ['tasks', 'get', 'nope'],
      ['tasks', 'cancel', 'nope'],
      ['why', 'nope'],
      ['nodes', 'get', 'nope'],
    ]) {
      const { code, stderr } = await processes.run([...args, '--url', url, '--json']);
      expect(JSON.parse(stderr)).toMatchObject({
        error: { code: expect.stringMatching(/_UNKNOWN$/), hint: expect.stringContaining('ls') },
      });
      expect(code).toBe(5);
    }
  });

  it('is 6 for a task that failed', async () => {
    const { code, stderr } = await processes.run(['run', 'tool-execution', '{"command":"rm"}', '--url', url]);
    expect(stderr).toContain('COMMAND_NOT_ALLOWED');
    expect(code).toBe(6);
  });

  it('is 7 for a task that took too long', async () => {
    const args = ['run', 'tool-execution', sh('sleep 60'), '--timeout', '300ms', '--attempts', '1', '--url', url];
    const { code, stderr } = await processes.run(args);
    expect(stderr).toContain('TASK_TIMED_OUT');
    expect(code).toBe(7);
  });

  it('is 8 for a task that somebody else cancelled', async () => {
    const run = processes.start(['run', 'tool-execution', sh('sleep 60'), '--key', 'to-cancel', '--url', url]);
    const find = async (): Promise<string | undefined> =>
      (await tasksOf(url, { status: ['running'] })).find(({ key }) => key === 'to-cancel')?.taskId;
    await expect.poll(find).toBeDefined();
    await processes.run(['tasks', 'cancel', (await find()) ?? '', '--url', url]);
    expect((await run.ended).code).toBe(8);
  });

  it('is 130 after Ctrl-C, which cancels the task', async () => {
    const run = processes.start(['run', 'tool-execution', sh('echo up >&2; sleep 60'), '--url', url]);
    const running = async (): Promise<number> => (await tasksOf(url, { status: ['running'] })).length;
    await expect.poll(running).toBe(1);
    run.kill('SIGINT');
    expect((await run.ended).code).toBe(130);
    expect(await running()).toBe(0);
  });
});

describe('a gateway', () => {
  it('goes on though nobody reads its log any more', async () => {
    const { url: other, process: gateway } = await startGateway(processes, ['--verbose']);
    gateway.closeStderr();
    for (let n = 0; n < 3; n += 1) {
      expect((await processes.run(['nodes', 'ls', '--url', other, '--connect-timeout', '5s'])).code).toBe(0);
    }
    gateway.kill('SIGTERM');
    expect((await gateway.ended).code).toBe(0);
  });

  it('says once, and not as a line of its log, that its store cannot be opened', async () => {
    const store = path.join(scratchDirectory(), 'file');
    writeFileSync(store, '');
    const { code, stderr } = await processes.run(['gateway', '--listen', '127.0.0.1:0', '--store', store]);
    expect(stderr).toMatch(/^error the store in .* cannot be opened: .* \(STORE_UNAVAILABLE\)\n→ .*\n$/);
    expect(code).toBe(1);
  });
});

describe('a token', () => {
  it('#80 is asked of nodes and clients, and the refusal says what to do', async () => {
    const directory = scratchDirectory();
    const right = path.join(directory, 'right');
    const wrong = path.join(directory, 'wrong');
    writeFileSync(right, 'a-long-and-secret-token\n');
    writeFileSync(wrong, 'another-long-secret-token\n');
    const { url: guarded } = await startGateway(processes, ['--token-file', right]);
    for (const args of [[], ['--token-file', wrong]]) {
      const { code, stderr } = await processes.run(['nodes', 'ls', '--url', guarded, ...args]);
      expect(stderr).toContain('--token-file');
      expect(code).toBe(4);
      const node = await processes.run(['node', '--join', guarded, '--allow', 'cat', ...args]);
      expect(node.code).toBe(4);
    }
    expect((await processes.run(['nodes', 'ls', '--url', guarded, '--token-file', right])).code).toBe(0);
    const env = { PINCER_TOKEN: 'a-long-and-secret-token', PINCER_URL: guarded };
    expect((await processes.run(['nodes', 'ls'], { env })).code).toBe(0);
  });
});

describe('pincer run', () => {
  it('prints the result on stdout and the progress on stderr', async () => {
    const { code, stdout, stderr } = await processes.run([
      'run',
      'tool-execution',
      sh('echo one; echo two >&2'),
      '--url',
      url,
    ]);
    expect(JSON.parse(stdout)).toEqual({ exitCode: 0, stdout: 'one\n', stderr: 'two\n', truncated: false });
    expect(stderr).toContain('done on n1');
    expect(code).toBe(0);
  });

  it('takes its payload from a file', async () => {
    const file = path.join(scratchDirectory(), 'payload.json');
    writeFileSync(file, JSON.stringify({ command: 'cat', stdin: 'from a file' }));
    const { stdout } = await processes.run(['run', 'tool-execution', `@${file}`, '--url', url, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      status: 'completed',
      node: 'n1',
      attempts: 1,
      result: { stdout: 'from a file' },
    });
  });
});

describe('pincer submit', () => {
  it('answers each line by its number, reports what is not a task, and ends with 6', async () => {
    const submit = processes.start(['submit', '-', '--url', url, '--json'], { input: true });
    submit.write(
      `${JSON.stringify({ type: 'tool-execution', payload: { command: 'cat', stdin: 'a' } })}\n\nnot json\n`,
    );
    submit.write(`${JSON.stringify({ type: 'tool-execution', payload: {}, priority: 0 })}\n`);
    submit.endInput();
    const { code, stdout } = await submit.ended;
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { index: number; status: string; error?: { message: string } });
    const byIndex = new Map(rows.map((row) => [row.index, row]));
    expect([...byIndex.keys()].sort()).toEqual([0, 2, 3]);
    expect(byIndex.get(0)).toMatchObject({ status: 'completed', result: { stdout: 'a' }, attempts: 1 });
    expect(byIndex.get(2)?.error?.message).toMatch(/^line 3: not JSON/);
    expect(byIndex.get(3)?.error?.message).toMatch(/^line 4: priority/);
    expect(code).toBe(6);
  });

  it('makes one task of two lines with one key', async () => {
    const submit = processes.start(['submit', '-', '--url', url, '--json'], { input: true });
    const line = JSON.stringify({ type: 'tool-execution', payload: { command: 'cat', stdin: 'once' }, key: 'same' });
    submit.write(`${line}\n${line}\n`);
    submit.endInput();
    const { stdout } = await submit.ended;
    const rows = stdout
      .trim()
      .split('\n')
      .map((row) => JSON.parse(row) as { taskId: string; status: string });
    expect(rows).toHaveLength(2);
    expect(new Set(rows.map((row) => row.taskId)).size).toBe(1);
    expect(rows.map((row) => row.status)).toEqual(['completed', 'completed']);
  });
});

describe('pincer why and nodes', () => {
  it('names every node and the exact reason', async () => {
    const { stdout } = await processes.run(['run', 'image-analysis', '{}', '--detach', '--url', url]);
    const taskId = stdout.trim();
    const why = await processes.run(['why', taskId, '--url', url, '--json']);
    expect(JSON.parse(why.stdout)).toMatchObject({
      status: 'pending',
      needs: ['vision'],
      nodes: [{ nodeId: 'n1', fits: false, reason: "lacks 'vision'" }],
    });
    const text = await processes.run(['why', taskId, '--url', url]);
    expect(text.stdout).toContain("lacks 'vision'");
    await processes.run(['tasks', 'cancel', taskId, '--url', url]);
  });

  it('drains a node and resumes it', async () => {
    expect((await processes.run(['nodes', 'drain', 'n1', '--url', url])).stdout).toContain('draining');
    const listed = await processes.run(['nodes', 'ls', '--url', url]);
    expect(listed.stdout).toMatch(/n1\s+agent\s+draining/);
    expect((await processes.run(['nodes', 'resume', 'n1', '--url', url])).stdout).toContain('online');
  });

  it('evicts a node, whose process ends and says why', async () => {
    const node = await startNode(processes, url, 'unwelcome', ['--allow', 'cat']);
    await processes.run(['nodes', 'evict', 'unwelcome', '--url', url]);
    const { code, stderr } = await node.ended;
    expect(stderr).toContain('EVICTED');
    expect(code).toBe(4);
  });
});

describe('a process that is told to stop', () => {
  it('finishes what it runs, takes nothing new, and ends with 0', async () => {
    const node = await startNode(processes, url, 'leaving', ['--allow', 'sh', '--label', 'zone=leaving']);
    const gate = path.join(scratchDirectory(), 'gate');
    const script = sh(`until [ -e ${gate} ]; do sleep 0.1; done; echo finished`);
    const run = processes.start(['run', 'tool-execution', script, '--label', 'zone=leaving', '--url', url, '--json']);
    await expect.poll(() => tasksOf(url, { status: ['running'], node: 'leaving' })).toHaveLength(1);
    node.kill('SIGTERM');
    await nodeIs(url, 'leaving', 'draining');
    writeFileSync(gate, '');
    expect(JSON.parse((await run.ended).stdout)).toMatchObject({ status: 'completed', attempts: 1, node: 'leaving' });
    expect((await node.ended).code).toBe(0);
  });

  it('#15 ends by itself when another process takes its name', async () => {
    const older = await startNode(processes, url, 'twin', ['--allow', 'cat']);
    await startNode(processes, url, 'twin', ['--allow', 'cat']);
    const { code, stderr } = await older.ended;
    expect(stderr).toContain('SUPERSEDED');
    expect(code).toBe(9);
  });

  it('stops a gateway in order', async () => {
    const { process: gateway } = await startGateway(processes);
    gateway.kill('SIGTERM');
    expect((await gateway.ended).code).toBe(0);
  });
});

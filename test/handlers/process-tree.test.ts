import { type ChildProcess, spawn } from 'node:child_process';
import { getEventListeners, once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../src/actors/world/system-clock.ts';
import { isWithin, ProcessTable, runNamed } from '../../src/handlers/process-table.ts';
import { ProcessTree } from '../../src/handlers/process-tree.ts';
import { PincerError } from '../../src/protocol/failure.ts';
import { runAlone } from '../support/lone-process.ts';
import { isRunning, pidsIn, scratchDirectory, tool } from './tool-runner.ts';

const isLinux = process.platform === 'linux';

/** A tool that runs shell scripts in a directory of its own, where each script notes its process ids in the file `pids`. */
function shell(options: { killGraceMs?: number; timeoutMs?: number } = {}) {
  const directory = scratchDirectory();
  const pids = join(directory, 'pids');
  const run = tool({ allow: ['sh'], directory, killGraceMs: 2_000, ...options });
  const abort = new AbortController();
  onTestFinished(() => {
    for (const pid of pidsIn(pids)) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
  });
  return {
    directory,
    abort,
    running: () => pidsIn(pids).filter(isRunning),
    /** Resolves once `count` processes have noted themselves. */
    noted: (count: number) =>
      expect.poll(() => pidsIn(pids).length, { timeout: 10_000, interval: 10 }).toBeGreaterThanOrEqual(count),
    start: (script: string, progress?: () => Promise<void>) => {
      const settled = run(
        { command: 'sh', args: ['-c', script] },
        { signal: abort.signal, ...(progress && { progress }) },
      );
      settled.catch(() => {});
      return settled;
    },
  };
}

it('is a part of the run that its process belongs to', () => {
  vi.stubEnv('PINCER_RUN', '');
  expect(runNamed('a')).toBe('a');
  vi.stubEnv('PINCER_RUN', 'isolate:1.1');
  expect(runNamed('a')).toBe('isolate:1.1/a');
  vi.unstubAllEnvs();
  expect(['x', 'x/y', 'x/y/z', 'xy', 'y/x', null, undefined].filter((run) => isWithin(run, 'x'))).toEqual([
    ...['x', 'x/y', 'x/y/z'],
  ]);
});

/** The parent of a process, zombies included. */
function parentOf(pid: string): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return null; // It ended meanwhile.
  }
}

const cancelled = new PincerError('TASK_CANCELLED', 'the task was cancelled');

describe('a command that is told to stop', () => {
  it.runIf(isLinux)(
    'ends with what was started within it as a run of its own, also when the process between has gone',
    async () => {
      const directory = scratchDirectory();
      const pids = join(directory, 'pids');
      const script = "PINCER_RUN=outer/inner setsid sh -c 'echo $$ >> pids; exec sleep 600' & exit 0";
      const child = spawn('sh', ['-c', script], {
        cwd: directory,
        env: { ...process.env, PINCER_RUN: 'outer' },
        detached: true,
        stdio: 'ignore',
      });
      const tree = new ProcessTree(child.pid ?? 0, 'outer', 1_000, systemClock());
      await once(child, 'exit');
      tree.leaderExited();
      await expect.poll(() => pidsIn(pids).length, { timeout: 10_000 }).toBe(1);
      await tree.end(0);
      expect(pidsIn(pids).filter(isRunning)).toEqual([]);
    },
  );

  it('ends with all its children and grandchildren, and only then does the attempt', async () => {
    const { start, noted, running, abort } = shell();
    const attempt = start(`
      sh -c 'sleep 600 & echo $! >> pids; sleep 600 & echo $! >> pids; echo $$ >> pids; wait' &
      echo $$ >> pids; wait`);
    await noted(4);
    abort.abort(cancelled);
    await expect(attempt).rejects.toBe(cancelled);
    expect(running()).toEqual([]);
  });

  it.runIf(isLinux)('takes along children that moved to sessions of their own, orphans too', async () => {
    const { start, noted, running, abort } = shell();
    const attempt = start(`
      setsid sh -c 'echo $$ >> pids; exec sleep 600' &
      sh -c 'setsid sh -c "echo \\$\\$ >> pids; exec sleep 600" &'
      setsid sh -c 'setsid sleep 600 & echo $! >> pids; exit 0'
      echo $$ >> pids; wait`);
    await noted(4);
    expect(running().length).toBe(4);
    abort.abort(cancelled);
    await expect(attempt).rejects.toBe(cancelled);
    expect(running()).toEqual([]);
  });

  it.runIf(isLinux)(
    'takes along a child without group, session and environment, as long as it has its parent',
    async () => {
      const { start, noted, running, abort } = shell();
      const attempt = start(`
      env -i setsid -w sh -c 'echo $$ >> pids; sleep 600 & echo $! >> pids; wait' &
      echo $$ >> pids; wait`);
      await noted(3);
      abort.abort(cancelled);
      await expect(attempt).rejects.toBe(cancelled);
      expect(running()).toEqual([]);
    },
  );

  it.runIf(isLinux)('is not held up by one that is out of reach, having dropped its parent too', async () => {
    const { start, noted, running, abort } = shell();
    const attempt = start(`
      env -i setsid -f sh -c 'echo $$ >> pids; exec sleep 600'
      while [ ! -s pids ]; do sleep 0.01; done; echo $$ >> pids; exec sleep 600`);
    await noted(2);
    abort.abort(cancelled);
    await expect(attempt).rejects.toBe(cancelled);
    expect(running().length).toBe(1);
  });

  it('may clean up within the grace, gets one SIGTERM, and only orphans among what it then starts get one too', async () => {
    const { start, noted, running, abort, directory } = shell({ killGraceMs: 10_000 });
    const attempt = start(`
      trap 'echo told >> story' TERM
      echo $$ >> pids
      until [ -e story ]; do sleep 0.01; done
      (sleep 600 & echo $! >> pids)
      for step in 1 2 3 4 5 6 7 8; do sleep 0.02 || echo disturbed >> story; done
      head -c 200000 /dev/zero; echo end >> story`);
    await noted(1);
    abort.abort(cancelled);
    await expect(attempt).rejects.toBe(cancelled);
    expect(readFileSync(join(directory, 'story'), 'utf8')).toBe('told\nend\n');
    expect(running()).toEqual([]);
  });

  it('gets SIGKILL after the grace if it takes no notice', async () => {
    const { start, noted, running, abort } = shell({ killGraceMs: 150 });
    const attempt = start(`trap '' TERM; sleep 600 & echo $! >> pids; echo $$ >> pids; while :; do sleep 1; done`);
    await noted(2);
    const startedAt = performance.now();
    abort.abort(cancelled);
    await expect(attempt).rejects.toBe(cancelled);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(150);
    expect(running()).toEqual([]);
  });

  it.runIf(isLinux)('cannot outrun the signal by forking', async () => {
    const { start, noted, abort } = shell({ killGraceMs: 0 });
    // Each generation starts the next in a new session, and exits.
    const attempt = start(`
      echo 'echo $$ >> pids; setsid -f sh ./relay' > relay
      sh ./relay; exec sleep 600`);
    await noted(20);
    abort.abort(cancelled);
    await expect(attempt).rejects.toBe(cancelled);
    const table = new ProcessTable('proc');
    expect(table.entries.filter(({ pid }) => table.runOf(pid)?.includes(`:${process.pid}.`))).toEqual([]);
  });

  it('is not held up by progress that nobody takes', async () => {
    const { start, running, noted, abort } = shell({ killGraceMs: 100 });
    const attempt = start('echo $$ >> pids; echo hello; exec sleep 600', () => new Promise(() => {}));
    await noted(1);
    abort.abort(cancelled);
    await expect(attempt).rejects.toBe(cancelled);
    expect(running()).toEqual([]);
  });

  it('never starts if it was told before', async () => {
    const { start, abort, directory } = shell();
    abort.abort(cancelled);
    await expect(start('echo $$ >> pids')).rejects.toBe(cancelled);
    expect(existsSync(join(directory, 'pids'))).toBe(false);
  });

  it('is told so when its time is up', async () => {
    const { start, running } = shell({ timeoutMs: 200 });
    await expect(start('echo $$ >> pids; sleep 600 & echo $! >> pids; wait')).rejects.toMatchObject({
      code: 'TASK_TIMED_OUT',
      retryable: true,
      message: 'sh took longer than 200 ms',
    });
    expect(running()).toEqual([]);
  });
});

describe('what a command leaves running', () => {
  it('is stopped after the grace, and the result is still the command’s', async () => {
    const { start, running, noted } = shell({ killGraceMs: 100 });
    const attempt = start(`
      sleep 600 & echo $! >> pids
      setsid sh -c 'trap "" TERM; echo $$ >> pids; exec sleep 600' > /dev/null 2>&1 &
      while [ "$(wc -l < pids)" -lt 2 ]; do sleep 0.01; done; echo out; exit 3`);
    await noted(2);
    expect(await attempt).toEqual({ exitCode: 3, stdout: 'out\n', stderr: '', truncated: false });
    expect(running()).toEqual([]);
  });

  it('may finish within the grace and is heard', async () => {
    const { start } = shell({ killGraceMs: 10_000 });
    expect(await start('(sleep 0.1; echo late) & echo early')).toMatchObject({ exitCode: 0, stdout: 'early\nlate\n' });
  });

  it('is stopped at once when the attempt is aborted meanwhile', async () => {
    const { start, noted, running, abort } = shell({ killGraceMs: 60_000 });
    const attempt = start('sleep 600 & echo $! >> pids; echo $$ >> pids');
    await noted(2);
    await expect.poll(() => running().length).toBe(1);
    abort.abort(cancelled);
    await expect(attempt).rejects.toBe(cancelled);
    expect(running()).toEqual([]);
  });

  it.runIf(isLinux)('is killed when this process exits', async () => {
    const directory = scratchDirectory();
    const doors = (file: string): string => JSON.stringify(join(import.meta.dirname, '../../src', file));
    const program = `
      import { toolHandler } from ${doors('handlers.ts')};
      import { systemClock } from ${doors('actors/world/system-clock.ts')};
      const handler = toolHandler({ allow: ['sh'], directory: ${JSON.stringify(directory)}, clock: systemClock() });
      process.on('message', () => process.exit(0));
      await handler({
        input: { command: 'sh', args: ['-c', "echo $$ >> pids; setsid sh -c 'echo $$ >> pids; exec sleep 600' & exec sleep 600"], env: {} },
        signal: new AbortController().signal, taskId: 'exit', attempt: 1, progress: async () => {},
      });`;
    const host: ChildProcess = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    onTestFinished(() => void host.kill('SIGKILL'));
    const pids = (): number[] => pidsIn(join(directory, 'pids'));
    await expect.poll(() => pids().length, { timeout: 15_000 }).toBe(2);
    expect(pids().every(isRunning)).toBe(true);
    host.send('exit');
    await once(host, 'exit');
    await expect.poll(() => pids().filter(isRunning)).toEqual([]);
  });
});

describe('a command while this process has too many files open', () => {
  it.runIf(isLinux)('is told to stop, and is over only when it can be seen that it is', async () => {
    const directory = scratchDirectory();
    const doors = (file: string): string => JSON.stringify(join(import.meta.dirname, '../../src', file));
    const { code, stdout, stderr } = await runAlone(
      `
      import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
      import { toolHandler } from ${doors('handlers.ts')};
      import { systemClock } from ${doors('actors/world/system-clock.ts')};
      const clock = systemClock();
      const handler = toolHandler({ allow: ['sh'], directory: ${JSON.stringify(directory)}, clock, killGraceMs: 100 });
      const wait = (ms) => new Promise((resolve) => clock.schedule(ms, resolve));
      const abort = new AbortController();
      const script = "trap '' TERM; echo $$ > pid.draft; mv pid.draft pid; while :; do sleep 0.1; done";
      let isOver = false;
      const ended = handler({
        input: { command: 'sh', args: ['-c', script], env: {} },
        signal: abort.signal, taskId: 'files', attempt: 1, progress: async () => {},
      }).catch((error) => error).finally(() => { isOver = true; });
      const pid = ${JSON.stringify(join(directory, 'pid'))};
      while (!existsSync(pid)) await wait(10);
      const leader = Number(readFileSync(pid, 'utf8'));
      const files = [];
      try { for (;;) files.push(openSync('/dev/null')); } catch {}
      abort.abort(new Error('told to stop'));
      await wait(1_000);
      console.log('over', isOver);
      for (const file of files) closeSync(file);
      console.log((await ended).message);
      try { process.kill(leader, 0); console.log('it runs'); } catch (error) { console.log(error.code); }
      `,
      [],
      { filesMax: 256 },
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'over false\ntold to stop\nESRCH\n', stderr: '' });
  });
});

describe('many commands at once', () => {
  it('leave no process, no listener and no warning', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    onTestFinished(() => void process.off('warning', onWarning));
    const exitListeners = process.listenerCount('exit');
    const signals = Array.from({ length: 50 }, () => new AbortController().signal);
    const run = tool({ allow: ['sh', 'cat'] });
    const results = await Promise.all(
      signals.map((signal, index) =>
        index % 2 === 0
          ? run({ command: 'cat', stdin: `task ${index}` }, { signal })
          : run({ command: 'sh', args: ['-c', `sleep 0.05 & wait; echo task ${index}`] }, { signal }),
      ),
    );
    expect(results.map(({ stdout }) => stdout.trim())).toEqual(results.map((_, index) => `task ${index}`));
    expect(process.listenerCount('exit')).toBe(exitListeners);
    expect(signals.flatMap((signal) => getEventListeners(signal, 'abort'))).toEqual([]);
    if (isLinux) {
      const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === process.pid);
      expect(children).toEqual([]);
    }
    expect(warnings).toEqual([]);
  });
});

describe('the table of processes', () => {
  it.runIf(isLinux)('says the same of a process whether it comes from /proc or from ps', async () => {
    const child = spawn('sleep', ['600'], { detached: true });
    onTestFinished(() => void child.kill('SIGKILL'));
    const of = (source: 'proc' | 'ps') => new ProcessTable(source).entries.find(({ pid }) => pid === child.pid);
    const expected = { pid: child.pid, parent: process.pid, group: child.pid };
    expect(of('proc')).toMatchObject({ ...expected, session: child.pid });
    expect(of('ps')).toMatchObject(expected);
    expect(of('ps')?.startedAt).toBeGreaterThan(0);
  });
});

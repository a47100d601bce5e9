/** What goes wrong in an isolated handler, in real threads and processes: it costs its attempt, with its reason, and no more. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PincerError } from '../../src/node.ts';
import { isRunning, pidsIn, scratchDirectory } from '../handlers/tool-runner.ts';
import { fixture, isolated } from '../support/isolates.ts';
import { runAlone } from '../support/lone-process.ts';

const KINDS = ['thread', 'process'] as const;
const timedOut = new PincerError('TASK_TIMED_OUT', 'the attempt took too long');

describe.each(KINDS)('a handler isolated in a %s', (isolate) => {
  it('is given its input and returns its result, checked by the schemas of its own module', async () => {
    await using plain = isolated({ isolate });
    const value = { text: 'späß', bytes: Uint8Array.of(1, 2), none: null };
    expect(await plain.run({ how: 'echo', value })).toEqual({ result: value });
    await using checked = isolated({ isolate }, { type: 'checked' });
    expect(await checked.run(1)).toEqual({ result: 3 });
    expect(await checked.run('one')).toMatchObject({ failure: { code: 'PAYLOAD_INVALID', retryable: false } });
    expect(await checked.run(100)).toMatchObject({ failure: { code: 'RESULT_INVALID' } });
  });

  it('runs one attempt in all, unless it says that it may be reused', async () => {
    await using fresh = isolated({ isolate });
    await using reused = isolated({ isolate, reuse: true });
    const first = await fresh.run({ how: 'who' });
    const second = await fresh.run({ how: 'who' });
    expect([first, second]).toMatchObject([{ result: { calls: 1 } }, { result: { calls: 1 } }]);
    expect(second).not.toEqual(first);
    await reused.run({ how: 'who' });
    expect(await reused.run({ how: 'who' })).toMatchObject({ result: { calls: 2 } });
  });

  it.each([
    ['exits', 'exit', { code: 'HANDLER_EXITED', message: expect.stringContaining('code 3'), retryable: true }],
    ['fills its heap', 'heap', { code: 'HANDLER_OUT_OF_MEMORY', retryable: true }],
    ['rejects where nobody waits', 'reject', { message: 'not caught: nobody waits for me', retryable: true }],
    ['throws what is no error', 'text', { code: 'HANDLER_FAILED', message: 'only text', retryable: true }],
    ['throws what cannot be read', 'nothing', { code: 'HANDLER_FAILED', retryable: true }],
    ['refuses for good', 'final', { code: 'HANDLER_REFUSED', message: 'not again', retryable: false }],
    ['returns a function', 'unreadable', { code: 'RESULT_INVALID', retryable: false }],
  ])('that %s fails that attempt with its reason, and the next one runs', async (_, how, failure) => {
    await using handlers = isolated({ isolate });
    expect(await handlers.run({ how })).toMatchObject({ failure });
    expect(await handlers.run({ how: 'echo', value: 'well' })).toEqual({ result: 'well' });
  });

  it('returns no more than a result may have', async () => {
    await using handlers = isolated({ isolate }, { limits: { payloadBytesMax: 1_000 } });
    expect(await handlers.run({ how: 'large', bytes: 2_000 })).toMatchObject({ failure: { code: 'RESULT_TOO_LARGE' } });
  });

  it('runs also where its node is a program that was given as text', async () => {
    const { code, stdout } = await runAlone(`
      import { isolated } from '${new URL('../support/isolates.ts', import.meta.url).href}';
      const handlers = isolated({ isolate: '${isolate}' });
      console.log(JSON.stringify(await handlers.run({ how: 'echo', value: 'well' })));
      await handlers[Symbol.asyncDispose]();
    `);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '{"result":"well"}\n' });
  });

  it('whose module throws, or has no such handler, says so', async () => {
    await using broken = isolated({ isolate, module: fixture('broken') });
    expect(await broken.run({})).toMatchObject({
      failure: { code: 'HANDLER_NOT_LOADED', message: expect.stringContaining('the database is not there') },
    });
    await using other = isolated({ isolate }, { type: 'another' });
    expect(await other.run({})).toMatchObject({
      failure: {
        code: 'HANDLER_NOT_LOADED',
        message: expect.stringContaining("'another'; it has: checked, misbehave"),
      },
    });
  });

  it('whose module never loads is ended when it is told to stop', async () => {
    await using endless = isolated({ isolate, module: fixture('endless'), killGraceMs: 50 });
    const abort = new AbortController();
    const ended = endless.run({}, { signal: abort.signal });
    abort.abort(timedOut);
    expect(await ended).toMatchObject({ failure: { code: 'HANDLER_EXITED' } });
  });

  it('is told why it must stop, and may end by itself', async () => {
    const file = path.join(scratchDirectory(), 'said');
    await using handlers = isolated({ isolate, killGraceMs: 60_000 });
    const abort = new AbortController();
    const ended = handlers.run({ how: 'polite', file }, { signal: abort.signal });
    await expect.poll(() => textOf(file)).toBe('began\n');
    abort.abort(timedOut);
    expect(await ended).toMatchObject({ failure: { code: 'TASK_TIMED_OUT' } });
    expect(textOf(file)).toBe('began\nTASK_TIMED_OUT\n');
    expect(handlers.logged.map(({ event }) => event)).not.toContain('handler.terminated');
  });

  it('that does not listen is ended after its grace, and nothing of it goes on after', async () => {
    const file = path.join(scratchDirectory(), 'marks');
    await using handlers = isolated({ isolate, killGraceMs: 100 });
    const abort = new AbortController();
    const ended = handlers.run({ how: 'deaf', file }, { signal: abort.signal });
    await expect.poll(() => textOf(file).length).toBeGreaterThan(2);
    abort.abort(timedOut);
    expect(await ended).toMatchObject({ failure: { code: 'HANDLER_EXITED' } });
    const marks = textOf(file);
    await handlers.run({ how: 'wait', ms: 100 });
    expect(textOf(file)).toBe(marks);
  });

  it('reports progress no faster than it is taken; the last report is among what is taken', async () => {
    await using handlers = isolated({ isolate });
    const taken: unknown[] = [];
    let atOnce = 0;
    const onProgress = async (report: unknown): Promise<void> => {
      atOnce += 1;
      expect(atOnce).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      taken.push(report);
      atOnce -= 1;
    };
    await handlers.run({ how: 'steps', reports: 3 }, { onProgress });
    expect(taken.splice(0)).toEqual([0, 1, 2]);
    await handlers.run({ how: 'flood', reports: 1_000 }, { onProgress });
    expect(taken.at(-1)).toBe('last');
    expect(taken.length).toBeLessThan(100);
  });

  it('prints into the log of the node, with the attempt, up to a limit', async () => {
    await using handlers = isolated({ isolate }, { limits: { isolateOutputBytesMax: 640 } });
    await handlers.run({ how: 'print', lines: 3 });
    const printed = (): unknown[] =>
      handlers.logged.filter(({ fields }) => fields['taskId'] === 'task-1').map(({ fields }) => fields['text']);
    await expect.poll(printed).toEqual(expect.arrayContaining(['line 0', 'line 1', 'line 2', 'and a fault']));
    await handlers.run({ how: 'print', lines: 20_000 });
    const ofSecond = handlers.logged.filter(({ fields }) => fields['taskId'] === 'task-2');
    expect(ofSecond.filter(({ event }) => event === 'handler.output')).toHaveLength(10);
    expect(ofSecond.at(-1)?.event).toBe('handler.output-truncated');
  });
});

describe('a handler isolated in a process', () => {
  it('may abort its process, or hold more memory than its heap', async () => {
    await using handlers = isolated({ isolate: 'process' });
    expect(await handlers.run({ how: 'abort' })).toMatchObject({
      failure: { code: 'HANDLER_EXITED', message: expect.stringContaining('SIGABRT') },
    });
    expect(await handlers.run({ how: 'buffers' })).toMatchObject({ failure: { code: 'HANDLER_OUT_OF_MEMORY' } });
  });

  it('is ended with the children it has started, also those that have left its group', async () => {
    const file = path.join(scratchDirectory(), 'pids');
    await using handlers = isolated({ isolate: 'process', killGraceMs: 100 });
    const abort = new AbortController();
    const ended = handlers.run({ how: 'parent', file }, { signal: abort.signal });
    await expect.poll(() => pidsIn(file).length).toBe(2);
    abort.abort(timedOut);
    await ended;
    expect(pidsIn(file).filter(isRunning)).toEqual([]);
  });

  it.runIf(process.platform === 'linux')(
    'leaves no pipe behind, though somebody who has escaped it holds them',
    async () => {
      const file = path.join(scratchDirectory(), 'pids');
      onTestFinished(() => {
        for (const pid of pidsIn(file)) process.kill(pid, 'SIGKILL');
      });
      const files = (): number => readdirSync('/proc/self/fd').length;
      await using handlers = isolated({ isolate: 'process', killGraceMs: 100 });
      await handlers.run({ how: 'exit' });
      await expect
        .poll(async () => {
          const before = files();
          const { failure } = await handlers.run({ how: 'stray', file });
          return [failure?.code, files() - before];
        })
        .toEqual(['HANDLER_EXITED', 0]);
    },
  );
});

describe('an isolate that is reused', () => {
  it('can be failed by what an earlier attempt has left behind, and the next attempt gets another', async () => {
    await using handlers = isolated({ isolate: 'thread', reuse: true });
    expect(await handlers.run({ how: 'leave' })).toEqual({ result: null });
    expect(await handlers.run({ how: 'wait', ms: 30_000 })).toMatchObject({
      failure: { message: 'not caught: from an earlier attempt' },
    });
    expect(await handlers.run({ how: 'who' })).toMatchObject({ result: { calls: 1 } });
  });
});

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

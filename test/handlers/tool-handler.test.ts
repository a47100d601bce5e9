import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PincerError } from '../../src/protocol/failure.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { scratchDirectory, tool } from './tool-runner.ts';

interface Report {
  stream: string;
  chunk: string;
}

const joined = (reports: readonly Report[], stream: string): string =>
  reports
    .filter((report) => report.stream === stream)
    .map(({ chunk }) => chunk)
    .join('');

describe('a tool', () => {
  it('gives the digests that node:crypto gives, for every source file of its own room', async () => {
    const directory = join(import.meta.dirname, '../../src/handlers');
    const files = readdirSync(directory);
    const run = tool({ allow: ['sha256sum'], directory });
    const { stdout, ...rest } = await run({ command: 'sha256sum', args: files });
    const expected = files.map((file) => {
      const digest = createHash('sha256')
        .update(readFileSync(join(directory, file)))
        .digest('hex');
      return `${digest}  ${file}\n`;
    });
    expect(stdout).toBe(expected.join(''));
    expect(rest).toEqual({ exitCode: 0, stderr: '', truncated: false });
  });

  it('takes the largest stdin whole, as bytes and as text', async () => {
    const run = tool({ allow: ['sha256sum', 'wc'] });
    const bytes = new Uint8Array(defaultLimits.toolStdinBytesMax).map((_, index) => (index * 31) % 251);
    const digest = createHash('sha256').update(bytes).digest('hex');
    expect((await run({ command: 'sha256sum', stdin: bytes })).stdout).toBe(`${digest}  -\n`);
    const text = 'ä'.repeat(defaultLimits.toolStdinBytesMax / 2);
    expect((await run({ command: 'wc', args: ['-c'], stdin: text })).stdout.trim()).toBe(String(text.length * 2));
  });

  it('refuses more stdin than that', async () => {
    const run = tool({ allow: ['wc'] });
    const stdin = 'ä'.repeat(defaultLimits.toolStdinBytesMax / 2 + 1);
    await expect(run({ command: 'wc', stdin })).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      message: expect.stringContaining('524288'),
    });
  });

  it('reads nothing when it is given nothing', async () => {
    expect(await tool({ allow: ['cat'] })({ command: 'cat' })).toMatchObject({ exitCode: 0, stdout: '' });
  });

  it('need not read what it is given', async () => {
    const run = tool({ allow: ['true'] });
    expect(await run({ command: 'true', stdin: 'x'.repeat(500_000) })).toMatchObject({ exitCode: 0 });
  });

  it('reports its exit code as a result, whatever it is', async () => {
    const run = tool({ allow: ['sh'] });
    const result = await run({ command: 'sh', args: ['-c', 'echo good; echo bad >&2; exit 42'] });
    expect(result).toEqual({ exitCode: 42, stdout: 'good\n', stderr: 'bad\n', truncated: false });
  });

  it('fails, retryably, when a signal ended it', async () => {
    const failure = await tool({ allow: ['sh'] })({ command: 'sh', args: ['-c', 'kill -SEGV $$'] }).catch((e) => e);
    expect(failure).toBeInstanceOf(PincerError);
    expect(failure).toMatchObject({ code: 'COMMAND_KILLED', retryable: true, message: 'sh was ended by SIGSEGV' });
  });

  it('gets its arguments as they are: there is no shell', async () => {
    const directory = scratchDirectory();
    const args = [
      '%s\\n',
      '$(touch pwned)',
      '`touch pwned`',
      '; touch pwned',
      '| cat',
      '> pwned',
      '* ~ $HOME',
      '"\'\\',
      '',
    ];
    const { stdout } = await tool({ allow: ['printf'], directory })({ command: 'printf', args });
    expect(stdout).toBe(`${args.slice(1).join('\n')}\n`);
    expect(existsSync(join(directory, 'pwned'))).toBe(false);
  });

  it('refuses arguments that together are too long for the system', async () => {
    const run = tool({ allow: ['true'] });
    await expect(run({ command: 'true', args: ['x'.repeat(200_000)] })).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      message: expect.stringContaining('input.args'),
    });
  });

  it('fails, retryably, when the directory it runs in has gone since, and says so', async () => {
    const directory = scratchDirectory();
    const run = tool({ allow: ['wc'], directory });
    rmSync(directory, { recursive: true });
    await expect(run({ command: 'wc' })).rejects.toMatchObject({
      code: 'HANDLER_FAILED',
      message: 'wc could not be started: the directory it runs in is gone',
    });
  });

  it('fails, retryably, when its program has gone since', async () => {
    const path = join(scratchDirectory(), 'gone');
    writeFileSync(path, '#!/bin/sh\n', { mode: 0o755 });
    const run = tool({ allow: { gone: path } });
    expect(await run({ command: 'gone' })).toMatchObject({ exitCode: 0 });
    unlinkSync(path);
    await expect(run({ command: 'gone' })).rejects.toMatchObject({
      code: 'HANDLER_FAILED',
      retryable: true,
      message: 'gone could not be started: ENOENT',
    });
  });
});

describe('the output of a tool', () => {
  it('is reported while it appears', async () => {
    const directory = scratchDirectory();
    const reports: Report[] = [];
    // The second line comes only once the first one was reported.
    const script = 'echo one; until [ -e go ]; do :; done; echo two >&2';
    const result = await tool({ allow: ['sh'], directory })(
      { command: 'sh', args: ['-c', script] },
      {
        progress: (report) => {
          reports.push(report);
          writeFileSync(join(directory, 'go'), '');
        },
      },
    );
    expect(reports).toEqual([
      { stream: 'stdout', chunk: 'one\n' },
      { stream: 'stderr', chunk: 'two\n' },
    ]);
    expect(result).toMatchObject({ stdout: 'one\n', stderr: 'two\n' });
  });

  it('joins to the result, chunk by chunk, across borders inside of characters', async () => {
    const directory = scratchDirectory();
    const text = '€𝄞ä·'.repeat(20_000);
    writeFileSync(join(directory, 'text'), `x${text}`);
    const reports: Report[] = [];
    const result = await tool({ allow: ['cat'], directory })(
      { command: 'cat', args: ['text'] },
      { progress: (report) => void reports.push(report) },
    );
    expect(reports.length).toBeGreaterThan(1);
    expect(joined(reports, 'stdout')).toBe(`x${text}`);
    expect(result).toMatchObject({ stdout: `x${text}`, truncated: false });
  });

  it('shows a replacement character for what is not UTF-8, also at the very end', async () => {
    const run = tool({ allow: ['printf'] });
    const { stdout } = await run({ command: 'printf', args: ['a\\377b\\342\\202'] });
    expect(stdout).toBe('a\uFFFDb\uFFFD');
  });

  it('is cut at the limit, each stream for itself, and the rest is read and dropped', async () => {
    const reports: Report[] = [];
    const script = 'head -c 3000000 /dev/zero | tr "\\0" x; head -c 1000 /dev/zero | tr "\\0" y >&2; echo done > done';
    const directory = scratchDirectory();
    const result = await tool({ allow: ['sh'], directory, outputBytesMax: 1_000 })(
      { command: 'sh', args: ['-c', script] },
      { progress: (report) => void reports.push(report) },
    );
    expect(result).toEqual({ exitCode: 0, stdout: 'x'.repeat(1_000), stderr: 'y'.repeat(1_000), truncated: true });
    expect(joined(reports, 'stdout')).toBe(result.stdout);
    expect(existsSync(join(directory, 'done'))).toBe(true);
  });

  it('is not read faster than its progress is taken', async () => {
    const reports: Report[] = [];
    let underWay = 0;
    let mostUnderWay = 0;
    let release = (): void => {};
    const directory = scratchDirectory();
    const run = tool({ allow: ['sh'], directory, outputBytesMax: 390_000 });
    const script = 'head -c 350000 /dev/zero; echo > "$0"';
    const result = run(
      { command: 'sh', args: ['-c', script, 'done'] },
      {
        progress: async (report) => {
          underWay += 1;
          mostUnderWay = Math.max(mostUnderWay, underWay);
          await new Promise<void>((resolve) => {
            release = resolve;
          });
          underWay -= 1;
          reports.push(report);
        },
      },
    );
    await expect.poll(() => underWay).toBe(1);
    // The pipe and Node hold 64 KiB each. In the time that others take from start to end, this one gets no further.
    for (const name of ['first', 'second', 'third']) await run({ command: 'sh', args: ['-c', script, name] });
    expect(readdirSync(directory).sort()).toEqual(['first', 'second', 'third']);
    expect(reports).toEqual([]);
    let settled = false;
    void result.then(() => {
      settled = true;
    });
    await expect
      .poll(() => {
        release();
        return settled;
      })
      .toBe(true);
    expect(mostUnderWay).toBe(1);
    expect(joined(reports, 'stdout')).toBe((await result).stdout);
    expect((await result).stdout.length).toBe(350_000);
  });

  it('fails the attempt and stops the command when its progress is refused', async () => {
    const run = tool({ allow: ['sh'], killGraceMs: 100 });
    const refusal = new PincerError('RESULT_INVALID', 'no such progress');
    const attempt = run(
      { command: 'sh', args: ['-c', 'echo x; exec sleep 600'] },
      {
        progress: () => {
          throw refusal;
        },
      },
    );
    await expect(attempt).rejects.toBe(refusal);
  });
});

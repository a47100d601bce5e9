import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesBelow, roundsOf, sumByNode, sumIn, sumProgram } from '../../src/cli/demo-files.ts';
import { type NumberedLine, openTaskList, readPayload, readTaskLines } from '../../src/cli/input.ts';
import { Window } from '../../src/cli/window.ts';
import { PincerError } from '../../src/index.ts';
import { scratchDirectory } from '../handlers/tool-runner.ts';

async function linesOf(text: string): Promise<NumberedLine[]> {
  const file = path.join(scratchDirectory(), 'tasks.jsonl');
  writeFileSync(file, text);
  const lines: NumberedLine[] = [];
  for await (const line of readTaskLines(await openTaskList(file))) lines.push(line);
  return lines;
}

describe('a task list', () => {
  it('is numbered by its lines, empty ones included', async () => {
    const lines = await linesOf('{"type":"a"}\n\n  \r\n{"type":"b","payload":[1],"priority":1,"timeout":5,"key":"k"}');
    expect(lines).toEqual([
      { index: 0, task: { type: 'a' } },
      { index: 3, task: { type: 'b', payload: [1], priority: 1, timeout: 5, key: 'k' } },
    ]);
  });

  it('may begin with a byte-order mark and end its lines as Windows does', async () => {
    expect(await linesOf('\uFEFF{"type":"a"}\r\n{"type":"b"}\r\n')).toMatchObject([
      { index: 0, task: { type: 'a' } },
      { index: 1, task: { type: 'b' } },
    ]);
  });

  it.each([
    ['not JSON', '{oops', /^line 2: not JSON: /],
    ['no object', '[1]', /^line 2: Invalid input: expected object/],
    ['no type', '{}', /^line 2: type: /],
    ['a priority out of range', '{"type":"a","priority":11}', /^line 2: priority: /],
    ['a timeout that is no number', '{"type":"a","timeout":"5s"}', /^line 2: timeout: /],
    ['a limit out of range', '{"type":"a","limit":{"key":"k","concurrency":0}}', /^line 2: limit.concurrency: .*>=1/],
    [
      'a limit without a number',
      '{"type":"a","limit":{"key":"k"}}',
      /^line 2: limit: must have concurrency, perMinute/,
    ],
    ['too many attempts', '{"type":"a","attempts":101}', /^line 2: attempts: .*<=100/],
    ['a field that there is not', '{"type":"a","prio":1}', /^line 2: .*"prio"/],
  ])('names line and field of %s, and goes on', async (_, line, message) => {
    const [first, bad, last] = await linesOf(`{"type":"a"}\n${line}\n{"type":"z"}`);
    expect([first?.task, last?.task]).toEqual([{ type: 'a' }, { type: 'z' }]);
    expect(bad?.task).toBeInstanceOf(PincerError);
    expect(bad?.task).toMatchObject({ message: expect.stringMatching(message), hint: expect.stringMatching(/\w\.$/) });
  });

  it('lists the fields there are when one is not among them', async () => {
    const [bad] = await linesOf('{"type":"a","prio":1}');
    expect(bad?.task).toMatchObject({ hint: expect.stringContaining('priority, timeout, key') });
  });

  it('may say of a task all that can be submitted', async () => {
    const task = {
      ...{ type: 'a', payload: 1, taskId: 't1', priority: 1, timeout: 5, key: 'k', needs: ['llm'], node: 'n1' },
      ...{ labels: { zone: 'attic' }, resources: { gpu: 0.5 }, prefer: 'n2', affinityKey: 's', attempts: 2, delay: 1 },
      ...{ ttl: 2, deadline: 3, fairKey: 'f', limit: { key: 'l', perMinute: 1 }, after: ['t0'] },
      onDependencyFailure: 'run',
    };
    expect(await linesOf(JSON.stringify(task))).toEqual([{ index: 0, task }]);
  });

  it('that cannot be read is a wrong option, not a crash', async () => {
    for (const file of [path.join(scratchDirectory(), 'none'), scratchDirectory()]) {
      await expect(openTaskList(file)).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        message: expect.stringContaining(file),
      });
    }
  });
});

describe('a payload', () => {
  it('is JSON, a file, or nothing', async () => {
    const file = path.join(scratchDirectory(), 'payload.json');
    writeFileSync(file, '{"from":"a file"}');
    expect(await readPayload('{"x":[1]}')).toEqual({ x: [1] });
    expect(await readPayload(`@${file}`)).toEqual({ from: 'a file' });
    expect(await readPayload(undefined)).toBeNull();
  });

  it('that is neither is refused with the way to write it', async () => {
    await expect(readPayload('{x:1}')).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      hint: expect.stringContaining('@file'),
    });
    await expect(readPayload('@/no/such/file')).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining('/no/such/file cannot be read: ENOENT'),
    });
  });
});

describe('a window', () => {
  it('holds its feeder back while it is full, and no longer', async () => {
    const window = new Window(2);
    const ends: (() => void)[] = [];
    const work = (): Promise<void> => new Promise((resolve) => void ends.push(resolve));
    await window.add(work());
    let isThrough = false;
    const second = window.add(work()).then(() => {
      isThrough = true;
    });
    await new Promise(setImmediate);
    expect([window.taken, isThrough]).toEqual([2, false]);
    ends[0]?.();
    await second;
    let isEmpty = false;
    const empty = window.empty().then(() => {
      isEmpty = true;
    });
    await new Promise(setImmediate);
    expect([window.taken, isEmpty]).toEqual([1, false]);
    ends[1]?.();
    await empty;
    expect(window.taken).toBe(0);
    await window.empty();
  });

  it('makes room for what fails, too', async () => {
    const window = new Window(1);
    await window.add(Promise.reject(new Error('no')));
    expect(window.taken).toBe(0);
  });
});

describe('what the demo works on', () => {
  it('is every readable file but hidden ones and node_modules', async () => {
    const directory = scratchDirectory();
    for (const folder of ['a', '.git', 'node_modules']) mkdirSync(path.join(directory, folder));
    for (const file of ['x', 'a/y', '.env', '.git/z', 'node_modules/z'])
      writeFileSync(path.join(directory, file), file);
    expect(await filesBelow(directory)).toEqual(['x', 'a/y']);
    expect(await filesBelow(directory, ['a', 'not-there'])).toEqual(['a/y']);
    await expect(filesBelow(path.join(directory, 'node_modules', 'none'))).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
  });

  it('is summed as often as it takes to be half-way for a while', () => {
    expect([1, 2, 89, 90, 400].map(roundsOf)).toEqual([90, 45, 2, 1, 1]);
  });

  it('is summed by the first program on PATH', () => {
    const directory = scratchDirectory();
    expect(() => sumProgram(directory)).toThrow('needs sha256sum');
    writeFileSync(path.join(directory, 'shasum'), '');
    expect(() => sumProgram(directory)).toThrow('needs sha256sum');
    chmodSync(path.join(directory, 'shasum'), 0o755);
    expect(sumProgram(directory)).toEqual({ command: 'shasum', args: ['-a', '256', '--'] });
  });

  it('has one sum, whatever the file is called', async () => {
    const file = path.join(scratchDirectory(), 'abc');
    writeFileSync(file, 'abc');
    const sum = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(await sumByNode(file)).toBe(sum);
    expect([sumIn(`${sum}  abc\n`), sumIn(`\\${sum}  a\\nbc\n`)]).toEqual([sum, sum]);
    expect(await sumByNode(`${file}-gone`)).toBeNull();
  });
});

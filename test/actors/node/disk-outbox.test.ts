/** The outbox on disk: the contract, and what only a disk can do: be damaged, full, somebody else’s, or not writable. */
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { diskOutbox } from '../../../src/actors/node/disk-outbox.ts';
import type { Outbox, Result } from '../../../src/actors/node/outbox.ts';
import { createSimulatedClock } from '../../../src/actors/world/simulated-clock.ts';
import { outboxConformance } from '../../conformance/outbox.ts';
import { runAlone } from '../../support/lone-process.ts';
import { anOwner, aResult, keepAll } from '../../support/results.ts';

outboxConformance('the outbox on disk', () => {
  const directory = scratch();
  return () => diskOutbox(directory);
});

function scratch(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'pincer-outbox-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return path.join(directory, 'outbox');
}

/** A directory in which an earlier process has left results. */
async function left(results: readonly Result[]): Promise<{ directory: string; file: string }> {
  const directory = scratch();
  const outbox = diskOutbox(directory);
  await outbox.open(anOwner());
  await keepAll(outbox, results);
  await outbox.close();
  return { directory, file: path.join(directory, 'results.log') };
}

/** A directory that a process had open when it was killed, right after it heard that its result is kept. */
async function killed(): Promise<string> {
  const directory = scratch();
  const { code, stdout } = await runAlone(`
    import process from 'node:process';
    import { diskOutbox } from ${JSON.stringify(moduleUrl('../../../src/actors/node/disk-outbox.ts'))};
    import { aResult, anOwner } from ${JSON.stringify(moduleUrl('../../support/results.ts'))};
    const outbox = diskOutbox(${JSON.stringify(directory)});
    await outbox.open(anOwner());
    outbox.keep('t-1 1', aResult('t-1'), () => process.kill(process.pid, 'SIGKILL'));
  `);
  expect([code, stdout]).toEqual([null, '']);
  return directory;
}

/** Opens it and lets the test close it. */
async function opened(directory: string, owner = anOwner()): Promise<{ outbox: Outbox; left: readonly Result[] }> {
  const outbox = diskOutbox(directory);
  const results = await outbox.open(owner);
  onTestFinished(() => outbox.close());
  return { outbox, left: results };
}

function aLog() {
  return { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
}

const three = [aResult('t-1'), aResult('t-2'), aResult('t-3')];

describe('the file of an outbox', () => {
  it('is for its owner alone, and is as good as empty when nothing is left', async () => {
    const { directory, file } = await left(three);
    expect([statSync(directory).mode & 0o777, statSync(file).mode & 0o777]).toEqual([0o700, 0o600]);
    const { outbox } = await opened(directory);
    for (const { taskId } of three) outbox.forget(`${taskId} 1`);
    await outbox.close();
    expect(readFileSync(file, 'utf8')).toBe('pincer-outbox 1\n');
    expect(readdirSync(directory)).toEqual(['results.log']);
  });

  it('has a result before it says so, whatever becomes of the process', async () => {
    const directory = await killed();
    // Its lock is left behind, and in nobody’s way.
    expect(readdirSync(directory).sort()).toEqual(['lock', 'results.log']);
    expect((await opened(directory)).left).toEqual([aResult('t-1')]);
  });

  it('loses nothing but what was being written if its end is torn off, wherever', async () => {
    const { directory, file } = await left(three);
    const whole = readFileSync(file);
    const ends = [...whole.keys()].filter((at) => whole[at] === 10).map((at) => at + 1);
    for (let length = 0; length <= whole.length; length += 7) {
      writeFileSync(file, whole.subarray(0, length));
      const log = aLog();
      const outbox = diskOutbox(directory);
      const found = await outbox.open(anOwner({ log }));
      const lines = ends.filter((end) => end <= length).length;
      expect(found).toEqual(three.slice(0, Math.max(0, lines - 1)));
      await keepAll(outbox, [aResult('t-9')]);
      await outbox.close();
      expect((await reopened(directory)).at(-1)).toEqual(aResult('t-9'));
      expect(log.error).not.toHaveBeenCalled();
    }
  });

  it('loses nothing but a damaged line, and tells of it with the file, the line and where the old file is', async () => {
    const { directory, file } = await left(three);
    const lines = readFileSync(file, 'utf8').split('\n');
    lines[2] = lines[2]?.replace('+ ', '+ x') ?? '';
    writeFileSync(file, lines.join('\n'));
    const log = aLog();
    const { left: found, outbox } = await opened(directory, anOwner({ log }));
    expect(found).toEqual([three[0], three[2]]);
    expect(log.error.mock.calls).toEqual([
      [
        'outbox.damaged',
        {
          file,
          says: `line 3 is damaged: what they kept is run again, all else is kept; the file is now ${file}.damaged`,
        },
      ],
    ]);
    expect(readFileSync(`${file}.damaged`, 'utf8')).toBe(lines.join('\n'));
    await outbox.close();
    expect(await reopened(directory)).toEqual([three[0], three[2]]);
  });

  it('loses nothing more if it is damaged and cannot be written anew just then', async () => {
    const { directory, file } = await left(three);
    const damaged = readFileSync(file, 'utf8').replace('+ ', '+ x');
    writeFileSync(file, damaged);
    // In the place of what is written first.
    mkdirSync(`${file}.draft`);
    await expect(diskOutbox(directory).open(anOwner({ log: aLog() }))).rejects.toMatchObject({
      code: 'OUTBOX_UNAVAILABLE',
    });
    rmdirSync(`${file}.draft`);
    expect(await reopened(directory)).toEqual([three[1], three[2]]);
    expect(readFileSync(`${file}.damaged`, 'utf8')).toBe(damaged);
  });

  it('that is none of Pincer’s, or of another version, is refused and left as it is', async () => {
    for (const content of ['shopping list: milk\n', 'pincer-outbox 2\nwhatever\n', 'x']) {
      const { directory, file } = await left([]);
      writeFileSync(file, content);
      await expect(diskOutbox(directory).open(anOwner())).rejects.toMatchObject({
        code: 'OUTBOX_UNAVAILABLE',
        message: `${file} is no outbox that this version of Pincer reads`,
      });
      expect(readFileSync(file, 'utf8')).toBe(content);
    }
  });

  it('is written anew when most of it is of no use, and loses nothing by that', async () => {
    const { directory, file } = await left([aResult('first'), aResult('second')]);
    const { outbox } = await opened(directory);
    outbox.forget('second 1');
    const large = new Uint8Array(300_000).fill(1);
    let largest = 0;
    for (let index = 0; index < 40; index += 1) {
      await keepAll(outbox, [aResult(`t-${index}`, { result: large })]);
      if (index > 0) outbox.forget(`t-${index - 1} 1`);
      largest = Math.max(largest, statSync(file).size);
    }
    expect(largest).toBeLessThan(6_000_000);
    await outbox.close();
    expect((await reopened(directory)).map(({ taskId }) => taskId)).toEqual(['first', 't-39']);
  });

  it('keeps thousands of results with one sync for many', async () => {
    const directory = scratch();
    const { outbox } = await opened(directory);
    const many = Array.from({ length: 5_000 }, (_, index) => aResult(`t-${index}`));
    await keepAll(outbox, many);
    await outbox.close();
    expect(await reopened(directory)).toEqual(many);
  });
});

const noSpace = new Error('ENOSPC: no space left on device');

/** What the files of an outbox have their methods from. */
async function filesOf(directory: string): Promise<FileHandle> {
  const handle = await open(path.join(directory, 'results.log'));
  await handle.close();
  return Object.getPrototypeOf(handle) as FileHandle;
}

describe('an outbox whose disk fails', () => {
  // More than is written at once.
  const large = Array.from({ length: 30 }, (_, n) => aResult(`t-${n}`, { result: new Uint8Array(700_000) }));

  it('writes all that waits before it is closed, once it can', async () => {
    const directory = scratch();
    const { outbox } = await opened(directory);
    const full = vi.spyOn(await filesOf(directory), 'datasync').mockRejectedValue(noSpace);
    onTestFinished(() => full.mockRestore());
    await keepAll(outbox, large);
    full.mockRestore();
    await outbox.close();
    expect((await reopened(directory)).map(({ taskId }) => taskId)).toEqual(large.map(({ taskId }) => taskId));
  });

  it('writes all that waits before it is closed, also if it can again just then', async () => {
    const directory = scratch();
    const clock = createSimulatedClock();
    const { outbox } = await opened(directory, anOwner({ clock }));
    const full = vi.spyOn(await filesOf(directory), 'datasync').mockRejectedValue(noSpace);
    onTestFinished(() => full.mockRestore());
    await keepAll(outbox, large);
    full.mockRestore();
    await clock.advance(1_000);
    await outbox.close();
    expect((await reopened(directory)).map(({ taskId }) => taskId)).toEqual(large.map(({ taskId }) => taskId));
  });

  it.skipIf(process.platform !== 'linux')('lets go of its directory though its file cannot be closed', async () => {
    const directory = scratch();
    const outbox = diskOutbox(directory);
    await outbox.open(anOwner());
    const isOurs = (fd: string): boolean => linkOf(`/proc/self/fd/${fd}`) === path.join(directory, 'results.log');
    closeSync(Number(readdirSync('/proc/self/fd').find(isOurs)));
    await expect(outbox.close()).rejects.toThrow('EBADF');
    await opened(directory);
  });

  it('refuses new work, holds nothing up, says what is wrong once, and makes up for it when it can', async () => {
    const directory = scratch();
    const log = aLog();
    const clock = createSimulatedClock();
    let changes = 0;
    const { outbox } = await opened(directory, anOwner({ log, clock, onRefusal: () => (changes += 1) }));
    await keepAll(outbox, [aResult('t-1')]);
    const full = vi.spyOn(await filesOf(directory), 'datasync').mockRejectedValue(noSpace);
    onTestFinished(() => full.mockRestore());
    await keepAll(outbox, [aResult('t-2'), aResult('t-3')]);
    await keepAll(outbox, [aResult('t-4')]);
    outbox.forget('t-3 1');
    outbox.forget('t-1 1');
    expect(outbox.refusal).toMatchObject({
      code: 'OUTBOX_UNAVAILABLE',
      message: `${path.join(directory, 'results.log')} cannot be written: ENOSPC: no space left on device`,
    });
    for (let seconds = 0; seconds < 3; seconds += 1) {
      const tries = full.mock.calls.length;
      await clock.advance(1_000);
      await expect.poll(() => full.mock.calls.length).toBeGreaterThan(tries);
    }
    expect([log.error.mock.calls.length, changes]).toEqual([1, 1]);
    full.mockRestore();
    await expect
      .poll(async () => {
        await clock.advance(1_000);
        return outbox.refusal;
      })
      .toBeNull();
    expect(changes).toBe(2);
    await outbox.close();
    expect(await reopened(directory)).toEqual([aResult('t-2'), aResult('t-4')]);
  });
});

describe('the directory of an outbox', () => {
  it('of another process that lives is refused, and free as soon as that is gone', async () => {
    const directory = scratch();
    const holder = diskOutbox(directory);
    await holder.open(anOwner());
    const script = `
      import { diskOutbox } from ${JSON.stringify(moduleUrl('../../../src/actors/node/disk-outbox.ts'))};
      import { anOwner } from ${JSON.stringify(moduleUrl('../../support/results.ts'))};
      const outbox = diskOutbox(${JSON.stringify(directory)});
      await outbox.open(anOwner()).then(() => console.log('open'), (error) => console.log(error.code, error.message));
      await outbox.close();
    `;
    const refused = await runAlone(script);
    expect(refused.stdout).toMatch(/^OUTBOX_IN_USE another process has the outbox in .* open\n$/);
    await holder.close();
    expect((await runAlone(script)).stdout).toBe('open\n');
  });

  it('whose lock nobody holds goes to one of many that come at once', async () => {
    const directory = await killed();
    const outboxes = Array.from({ length: 8 }, () => diskOutbox(directory));
    const came = await Promise.allSettled(outboxes.map((outbox) => outbox.open(anOwner())));
    expect(came.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const one of came) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'OUTBOX_IN_USE' });
    await Promise.all(outboxes.map((outbox) => outbox.close()));
  });

  it('that has no name is refused at once', () => {
    for (const directory of ['', ' ']) {
      expect(() => diskOutbox(directory)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
    }
  });

  it('that cannot be made is refused, by name', async () => {
    // Not by taking rights away: who runs the tests may have them all.
    const file = scratch();
    writeFileSync(file, '');
    const directory = path.join(file, 'outbox');
    await expect(diskOutbox(directory).open(anOwner())).rejects.toMatchObject({
      code: 'OUTBOX_UNAVAILABLE',
      message: expect.stringContaining(directory),
    });
  });

  it('that is a file, or too deep for a lock, or whose lock is something else, is refused, by name', async () => {
    const directory = scratch();
    writeFileSync(directory, '');
    await expect(diskOutbox(directory).open(anOwner())).rejects.toMatchObject({
      code: 'OUTBOX_UNAVAILABLE',
      message: expect.stringContaining(directory),
    });
    await expect(diskOutbox(path.join(scratch(), 'deep'.repeat(30))).open(anOwner())).rejects.toMatchObject({
      code: 'OUTBOX_UNAVAILABLE',
      message: expect.stringContaining('bytes too long'),
    });
    const { directory: odd } = await left([]);
    writeFileSync(path.join(odd, 'lock'), 'mine');
    await expect(diskOutbox(odd).open(anOwner())).rejects.toMatchObject({
      code: 'OUTBOX_UNAVAILABLE',
      message: `${path.join(odd, 'lock')} cannot be locked: something that is no lock has its name`,
    });
    expect(readFileSync(path.join(odd, 'lock'), 'utf8')).toBe('mine');
  });
});

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return ''; // That of the list itself is gone.
  }
}

function moduleUrl(file: string): string {
  return new URL(file, import.meta.url).href;
}

async function reopened(directory: string): Promise<readonly Result[]> {
  const outbox = diskOutbox(directory);
  const found = await outbox.open(anOwner());
  await outbox.close();
  return found;
}

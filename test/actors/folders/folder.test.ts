import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, describe, expect, it } from 'vitest';
import { makeFolder } from '../../../src/actors/folders/folder.ts';

const root = mkdtempSync(join(tmpdir(), 'pincer-folder-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('a folder', () => {
  it('is made with those that it is in, for its owner alone, and may be there', () => {
    const path = join(root, 'a', 'b', 'c');
    makeFolder(path);
    makeFolder(path);
    expect(statSync(path).isDirectory()).toBe(true);
    if (process.platform !== 'win32') expect(statSync(join(root, 'a')).mode & 0o777).toBe(0o700);
  });

  it('is not made in a file, and is none', () => {
    writeFileSync(join(root, 'file'), '');
    expect(() => makeFolder(join(root, 'file', 'a'))).toThrow(/ENOTDIR|ENOENT/);
    expect(() => makeFolder(join(root, 'file'))).toThrow('file is not a directory');
  });

  it.skipIf(!existsSync('/proc/self'))('is refused at once where there can be none: no looking for it for ever', () => {
    expect(() => makeFolder('/proc/nope/a')).toThrow('ENOENT');
  });
});

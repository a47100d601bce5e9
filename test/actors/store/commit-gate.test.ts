/** Who opens a store and who commits to it keep out of each other’s way. With real processes: test/e2e/store-shared.test.ts. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CommitGate, whileNobodyWrites } from '../../../src/actors/store/lmdb/commit-gate.ts';
import { makeFolderOf, pathOf } from '../../../src/actors/store/lmdb/peer-path.ts';

/** The directory of a store, and a process that writes there and can be seen to live. */
async function aWriter() {
  const dir = mkdtempSync(path.join(tmpdir(), 'pincer-gate-'));
  makeFolderOf(pathOf(dir, 'writer'));
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => {
    server.listen(pathOf(dir, 'writer'), resolve);
  });
  onTestFinished(() => {
    server.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const die = () => new Promise((resolve) => server.close(resolve));
  return { dir, gate: new CommitGate(dir, 'writer'), die };
}

/** A promise that is settled from outside. */
function aDoor() {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

describe('a store that is opened', () => {
  it('waits for a commit that is under way, and no longer', async () => {
    const { dir, gate } = await aWriter();
    const told: string[] = [];
    const commit = aDoor();
    const committed = gate.within(async () => {
      await commit.opened;
      told.push('committed');
    });
    const opened = whileNobodyWrites(dir, async () => {
      told.push('opened');
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual([]);
    commit.open();
    await Promise.all([committed, opened]);
    expect(told).toEqual(['committed', 'opened']);
  });

  it('holds commits up until it is open, all of them', async () => {
    const { dir, gate } = await aWriter();
    const told: string[] = [];
    const door = aDoor();
    const isIn = aDoor();
    const opened = whileNobodyWrites(dir, async () => {
      isIn.open();
      await door.opened;
      told.push('opened');
    });
    await isIn.opened;
    const commits = ['one', 'two'].map((name) => gate.within(async () => told.push(name)));
    door.open();
    await Promise.all([opened, ...commits]);
    expect(told).toEqual(['opened', 'one', 'two']);
    expect(gate.enter()).toBeNull();
    gate.leave();
  });

  it('is opened by one at a time', async () => {
    const { dir } = await aWriter();
    let inside = 0;
    const open = () =>
      whileNobodyWrites(dir, async () => {
        inside += 1;
        expect(inside).toBe(1);
        await new Promise((resolve) => setImmediate(resolve));
        inside -= 1;
      });
    // Many that come again and again let each other in.
    await Promise.all(Array.from({ length: 16 }, open));
  });

  it('does not wait for a process that was killed in the midst of a commit, and clears up after it', async () => {
    const { dir, gate, die } = await aWriter();
    expect(gate.enter()).toBeNull();
    await die();
    await whileNobodyWrites(dir, async () => {});
    expect(readdirSync(path.join(dir, 'writers'))).toEqual([]);
  });

  it('holds nobody up whose process was killed while it opened it', async () => {
    const { dir, gate } = await aWriter();
    mkdirSync(path.dirname(pathOf(dir, 'opening')), { recursive: true });
    writeFileSync(pathOf(dir, 'opening'), '');
    expect(await gate.within(async () => 'done')).toBe('done');
  });
});

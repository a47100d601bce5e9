import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isHeld, lockSocket, type SocketLock } from '../../../src/actors/folders/socket-lock.ts';

function scratch(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'pincer-lock-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Leaves what a process leaves that was killed while it had this name. */
async function leaveBehind(name: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(`${name}0`, resolve);
  });
  renameSync(`${name}0`, name);
  await new Promise((resolve) => server.close(resolve));
}

function isLock(lock: SocketLock | null): lock is SocketLock {
  return lock !== null;
}

describe('a lock', () => {
  it('is held by one at a time, and free when that one lets go', async () => {
    const lock = path.join(scratch(), 'lock');
    const first = await lockSocket(lock);
    expect(await isHeld(lock)).toBe(true);
    expect(await lockSocket(lock)).toBeNull();
    await first?.release();
    expect(await isHeld(lock)).toBe(false);
    const second = await lockSocket(lock);
    expect(second).not.toBeNull();
    await second?.release();
  });

  it.each(['nobody had', 'a process had that is gone'])(
    'that %s goes to exactly one of many, every time',
    async (had) => {
      const folder = scratch();
      const lock = path.join(folder, 'lock');
      for (let round = 0; round < 50; round += 1) {
        if (had !== 'nobody had') await leaveBehind(lock);
        const locks = await Promise.all(Array.from({ length: 8 }, () => lockSocket(lock)));
        const held = locks.filter(isLock);
        expect(held, `round ${round}`).toHaveLength(1);
        await Promise.all(held.map((one) => one.release()));
        expect(readdirSync(folder), `round ${round}`).toEqual([]);
      }
    },
  );

  it('is never held by two, however often many come and go', async () => {
    const folder = scratch();
    const lock = path.join(folder, 'lock');
    await leaveBehind(lock);
    let inside = 0;
    let times = 0;
    const contend = async (): Promise<void> => {
      for (let tries = 0; tries < 100; tries += 1) {
        const held = await lockSocket(lock);
        if (held === null) continue;
        inside += 1;
        times += 1;
        expect(inside).toBe(1);
        await new Promise((resolve) => setImmediate(resolve));
        inside -= 1;
        await held.release();
      }
    };
    await Promise.all([contend(), contend(), contend(), contend()]);
    expect(times).toBeGreaterThan(4);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is in nobody’s way if a process was killed while it contended for it', async () => {
    const folder = scratch();
    const lock = path.join(folder, 'lock');
    await leaveBehind(`${lock}-00000000`);
    await leaveBehind(`${lock}+00000001`);
    const held = await lockSocket(lock);
    expect(held).not.toBeNull();
    expect(readdirSync(folder)).toEqual(['lock']);
    await held?.release();
  });

  it('leaves alone what only looks like a contender', async () => {
    const folder = scratch();
    for (const name of ['lock-notes.txt', 'lock-00000000', 'lock+']) writeFileSync(path.join(folder, name), 'mine');
    const held = await lockSocket(path.join(folder, 'lock'));
    expect(held).not.toBeNull();
    await held?.release();
    expect(readdirSync(folder).sort()).toEqual(['lock+', 'lock-00000000', 'lock-notes.txt']);
  });

  it('is left alone where something else has its name', async () => {
    const lock = path.join(scratch(), 'lock');
    writeFileSync(lock, 'mine');
    await expect(lockSocket(lock)).rejects.toThrow('something that is no lock has its name');
  });
});

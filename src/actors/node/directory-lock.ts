/**
 * A directory for one process at a time: whoever has it listens on a socket in it, which the system closes however that
 * process ends. Holds between processes and containers of one machine, not between machines that share a disk.
 */
import { createHash } from 'node:crypto';
import { lstat, rename, rm } from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { PincerError } from '../../protocol/failure.ts';
import type { Ids } from '../../protocol/ports.ts';

/** The longest path of a socket that every system takes. */
const PATH_BYTES_MAX = 100;
/** How often the lock of a process that is gone is cleared away before we believe that others are at it, too. */
const TRIES_MAX = 5;

export interface DirectoryLock {
  release(): Promise<void>;
}

/**
 * Takes a directory, which must exist, under its real path.
 * @throws PincerError `OUTBOX_IN_USE`, or `OUTBOX_UNAVAILABLE` where it cannot be locked
 */
export async function lockDirectory(directory: string, ids: Ids): Promise<DirectoryLock> {
  const path = pathOf(directory);
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const server = await listen(path);
    if (server !== null) return { release: () => new Promise((resolve) => server.close(() => resolve())) };
    if (await isHeld(path)) break;
    if (await clearAway(path, join(directory, `lock-${ids().slice(0, 8)}`))) break;
  }
  throw new PincerError('OUTBOX_IN_USE', `another process has the outbox in ${directory} open`);
}

/** Null: the name is taken. */
async function listen(path: string): Promise<Server | null> {
  const server = createServer((socket) => socket.destroy()).unref();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen({ path, exclusive: true }, resolve);
    });
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw unlockable(path, (error as Error).message, error);
  }
}

/**
 * Takes away the lock of a process that is gone. True: somebody took it meanwhile, and has it still. By way of another
 * name, because two processes that find a lock without an owner must not clear away each other’s new one.
 */
async function clearAway(path: string, aside: string): Promise<boolean> {
  const found = await lstat(path).catch(() => null);
  if (found === null) return false;
  if (!found.isSocket()) throw unlockable(path, 'something that is no lock has its name');
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw unlockable(path, (error as Error).message, error);
  }
  if (await isHeld(aside)) {
    await rename(aside, path);
    return true;
  }
  await rm(aside, { force: true });
  return false;
}

async function isHeld(path: string): Promise<boolean> {
  const socket = createConnection(path);
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}

function pathOf(directory: string): string {
  if (process.platform === 'win32') {
    return `\\\\.\\pipe\\pincer-outbox-${createHash('sha256').update(directory).digest('hex').slice(0, 16)}`;
  }
  // The longest name that is used in it.
  const length = Buffer.byteLength(join(directory, 'lock-01234567'));
  if (length > PATH_BYTES_MAX) {
    throw unlockable(directory, `its path is ${length - PATH_BYTES_MAX} bytes too long for a socket in it`);
  }
  return join(directory, 'lock');
}

function unlockable(path: string, why: string, cause?: unknown): PincerError {
  return new PincerError('OUTBOX_UNAVAILABLE', `${path} cannot be locked: ${why}`, { cause });
}

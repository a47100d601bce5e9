/**
 * A lock between the processes of one machine, containers included: whoever has it listens on a local socket, which the
 * system closes however that process ends.
 */
import { lstat, rename, rm } from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import type { Ids } from '../protocol/ports.ts';

/** How often the lock of a process that is gone is cleared away before we believe that others are at it, too. */
const TRIES_MAX = 5;

export interface SocketLock {
  release(): Promise<void>;
}

/** What is put behind the path of a lock to clear away that of a process that is gone has so many bytes. */
export const ASIDE_BYTES = 9;

/** Takes the lock at a path; null if somebody has it. Rejects where there can be none. */
export async function lockSocket(path: string, ids: Ids): Promise<SocketLock | null> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const server = await listen(path);
    if (server !== null) return { release: () => new Promise((resolve) => server.close(() => resolve())) };
    if (await isHeld(path)) return null;
    if (await clearAway(path, `${path}-${ids().slice(0, 8)}`)) return null;
  }
  return null;
}

/** Whether a process has the lock. */
export async function isHeld(path: string): Promise<boolean> {
  const socket = createConnection(path);
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
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
    throw error;
  }
}

/**
 * Takes away the lock of a process that is gone. True: somebody took it meanwhile, and has it still. By way of another
 * name, because two processes that find a lock without an owner must not clear away each other’s new one.
 */
async function clearAway(path: string, aside: string): Promise<boolean> {
  const found = await lstat(path).catch(() => null);
  if (found === null) return false;
  if (!found.isSocket()) throw new Error('something that is no lock has its name');
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  if (await isHeld(aside)) {
    await rename(aside, path);
    return true;
  }
  await rm(aside, { force: true });
  return false;
}

/** A directory for one process at a time. Not between machines that share a disk. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import process from 'node:process';
import type { PincerError } from '../../protocol/failure.ts';
import { ASIDE_BYTES, lockSocket, type SocketLock } from './socket-lock.ts';

export type DirectoryLock = SocketLock;

/** The longest path of a socket that every system takes. */
const PATH_BYTES_MAX = 100;

/**
 * Takes a directory, which must exist, under its real path. `what` says what is in it; the rest, in the words of its owner,
 * that another process has it, and that it cannot be locked.
 * @throws what these make
 */
export async function lockDirectory(
  directory: string,
  owner: { what: string; inUse(): PincerError; unlockable(why: string, cause?: unknown): PincerError },
): Promise<DirectoryLock> {
  const path = pathOf(directory, owner.what);
  const excess = Buffer.byteLength(path) + ASIDE_BYTES - PATH_BYTES_MAX;
  if (process.platform !== 'win32' && excess > 0) {
    throw owner.unlockable(`${directory} cannot be locked: its path is ${excess} bytes too long for a socket in it`);
  }
  const lock = await lockSocket(path).catch((error: unknown) => {
    throw owner.unlockable(`${path} cannot be locked`, error);
  });
  if (lock === null) throw owner.inUse();
  return lock;
}

function pathOf(directory: string, what: string): string {
  if (process.platform !== 'win32') return join(directory, 'lock');
  return `\\\\.\\pipe\\pincer-${what}-${createHash('sha256').update(directory).digest('hex').slice(0, 16)}`;
}

/** An outbox directory for one process at a time. Not between machines that share a disk. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import process from 'node:process';
import { PincerError } from '../../protocol/failure.ts';
import { ASIDE_BYTES, lockSocket, type SocketLock } from '../socket-lock.ts';

export type DirectoryLock = SocketLock;

/** The longest path of a socket that every system takes. */
const PATH_BYTES_MAX = 100;

/**
 * Takes a directory, which must exist, under its real path.
 * @throws PincerError `OUTBOX_IN_USE`, or `OUTBOX_UNAVAILABLE` where it cannot be locked
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const path = pathOf(directory);
  const lock = await lockSocket(path).catch((error: unknown) => {
    throw unlockable(path, (error as Error).message, error);
  });
  if (lock === null) throw new PincerError('OUTBOX_IN_USE', `another process has the outbox in ${directory} open`);
  return lock;
}

function pathOf(directory: string): string {
  if (process.platform === 'win32') {
    return `\\\\.\\pipe\\pincer-outbox-${createHash('sha256').update(directory).digest('hex').slice(0, 16)}`;
  }
  const path = join(directory, 'lock');
  const length = Buffer.byteLength(path) + ASIDE_BYTES;
  if (length > PATH_BYTES_MAX) {
    throw unlockable(directory, `its path is ${length - PATH_BYTES_MAX} bytes too long for a socket in it`);
  }
  return path;
}

function unlockable(path: string, why: string, cause?: unknown): PincerError {
  return new PincerError('OUTBOX_UNAVAILABLE', `${path} cannot be locked: ${why}`, { cause });
}

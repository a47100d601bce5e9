/** Where the processes of a store listen. */
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { makeFolder } from '../../folders/folder.ts';
import { ASIDE_BYTES, isPipe } from '../../folders/socket-lock.ts';

/** The longest path of a socket that every system takes. */
const PATH_BYTES_MAX = 100;

/** In the directory, for its owner alone; where that is too deep for a socket, in the folder for temporary files. */
export function pathOf(dir: string, id: string): string {
  const name = createHash('sha256').update(`${dir} ${id}`).digest('hex').slice(0, 16);
  if (process.platform === 'win32') return `\\\\.\\pipe\\pincer-${name}`;
  const path = join(dir, 'peers', name);
  return Buffer.byteLength(path) + ASIDE_BYTES <= PATH_BYTES_MAX ? path : join(tmpdir(), `pincer-${name}`, 'peer');
}

/** Makes the folder that a socket is to be in. */
export function makeFolderOf(path: string): void {
  if (!isPipe(path)) makeFolder(join(path, '..'));
}

/**
 * A lock between the processes of one machine, containers included: whoever has it listens on a local socket, which the
 * system closes however that process ends.
 *
 * The file of a socket outlives its process, and no system call replaces it on condition that it is still the dead one.
 * So each contender first listens under a name of its own. Of those that see each other the first by name goes on, once
 * the others have seen it and gone; it then takes the path by renaming its socket, over the dead one if there is any.
 * Nobody ever takes away what another process may have taken meanwhile.
 * @see Lamport, “A New Solution of Dijkstra’s Concurrent Programming Problem”, 1974, for contenders that order themselves
 */
import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { realPorts } from '../world/real-ports.ts';

/** How often a contender enters that others took for dead before it listened. */
const TRIES_MAX = 5;
/** How often, and how long apart, it is looked whether contenders are gone; one of them may be a stopped process. */
const LOOKS_MAX = 1_000;
const LOOK_MS = 1;

export interface SocketLock {
  release(): Promise<void>;
}

/** What contenders put behind the path of a lock has so many bytes. */
export const ASIDE_BYTES = 9;
/** Before the name of a contender that does not listen yet, and of one that does. */
const UNBORN = '+';
const CONTENDER = '-';

/** Takes the lock at a path; null if somebody has it, or is about to. Rejects where there can be none. */
export async function lockSocket(path: string): Promise<SocketLock | null> {
  if (isPipe(path)) return lockPipe(path);
  const found = await lstat(path).catch(() => null);
  if (found !== null && !found.isSocket()) throw new Error('something that is no lock has its name');
  if (await isHeld(path)) return null;
  const { server, own } = await enter(path);
  let isMine = false;
  try {
    isMine = await wins(path, own);
    if (isMine) await rename(own, path);
  } catch (error) {
    // One that stayed among the contenders would keep out all others as long as this process lives.
    await leave(server, own);
    throw error;
  }
  if (isMine) return { release: () => leave(server, path) };
  await leave(server, own);
  return null;
}

/** Whether a process has the lock. */
export async function isHeld(path: string): Promise<boolean> {
  const socket = createConnection(path);
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', (error) => resolve(!isGone(error)));
    });
  } finally {
    socket.destroy();
  }
}

/** Whether it is a path of Windows, where the name of a socket goes with its process. */
export function isPipe(path: string): boolean {
  return path.startsWith('\\\\.\\pipe\\');
}

async function lockPipe(path: string): Promise<SocketLock | null> {
  try {
    const server = await listen(path);
    return { release: () => close(server) };
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') return null;
    throw error;
  }
}

/** Among the contenders under a name of its own, which others see when it listens and not before. */
async function enter(path: string): Promise<{ server: Server; own: string }> {
  for (let tries = 1; ; tries += 1) {
    const name = realPorts()
      .ids()
      .slice(0, ASIDE_BYTES - 1);
    const server = await listen(`${path}${UNBORN}${name}`);
    const own = `${path}${CONTENDER}${name}`;
    try {
      await rename(`${path}${UNBORN}${name}`, own);
      return { server, own };
    } catch (error) {
      await close(server);
      if (codeOf(error) !== 'ENOENT' || tries === TRIES_MAX) throw error;
    }
  }
}

/** Whether a contender is alone at last, and nobody has the lock. */
async function wins(path: string, own: string): Promise<boolean> {
  const { clock } = realPorts();
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    const rivals = await rivalsOf(path, own);
    if (rivals.some((rival) => rival < own)) return false;
    // Those that are gone may have taken it: that can be seen only now.
    if (rivals.length === 0) return !(await isHeld(path));
    await new Promise<void>((resolve) => clock.schedule(LOOK_MS, resolve));
  }
  return false;
}

/** The other contenders. Those whose processes are gone are cleared away: their names never come again. */
async function rivalsOf(path: string, own: string): Promise<string[]> {
  const folder = dirname(path);
  const prefix = basename(path);
  const rivals: string[] = [];
  for (const name of await readdir(folder)) {
    const mark = name.startsWith(prefix) ? name[prefix.length] : undefined;
    const rival = join(folder, name);
    if ((mark !== UNBORN && mark !== CONTENDER) || name.length !== prefix.length + ASIDE_BYTES || rival === own)
      continue;
    if (await isHeld(rival)) {
      if (mark === CONTENDER) rivals.push(rival);
    } else if ((await lstat(rival).catch(() => null))?.isSocket() === true) await rm(rival, { force: true });
  }
  return rivals;
}

async function listen(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy()).unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen({ path, exclusive: true }, resolve);
  });
  return server;
}

async function leave(server: Server, path: string): Promise<void> {
  await rm(path, { force: true });
  await close(server);
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** One whose queue of connections is full lives, though it may be stopped. */
function isGone(error: Error): boolean {
  return ['ENOENT', 'ECONNREFUSED'].includes(codeOf(error) ?? '');
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

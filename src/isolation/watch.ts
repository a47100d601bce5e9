/**
 * A second thread in a process isolate, which goes on while the handler loops: it ends the process, and its group with it,
 * when its node is gone or when it holds too much memory.
 */
import { Socket } from 'node:net';
import { workerData } from 'node:worker_threads';
import { systemClock } from '../actors/world/system-clock.ts';
import { MEMORY_EXCEEDED, WATCH_DESCRIPTOR } from './watch-words.ts';

const LOOK_MS = 200;

const residentBytesMax = Number(workerData);
const clock = systemClock();
const node = new Socket({ fd: WATCH_DESCRIPTOR, readable: true, writable: true });
node.on('error', () => {});
node.on('close', die);
node.resume();
look();

function look(): void {
  if (process.memoryUsage.rss() > residentBytesMax) node.write(Uint8Array.of(MEMORY_EXCEEDED), die);
  else clock.schedule(LOOK_MS, look);
}

function die(): void {
  process.kill(process.platform === 'win32' ? process.pid : -process.pid, 'SIGKILL');
}

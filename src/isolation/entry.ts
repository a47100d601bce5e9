/** The first file of every isolate, thread and process alike: nothing here is imported, it is run. */
import process from 'node:process';
import { parentPort, Worker } from 'node:worker_threads';
import type { ToIsolate } from './messages.ts';
import { type Post, Resident } from './resident.ts';

let post: Post;
if (parentPort !== null) {
  const port = parentPort;
  post = (message) => port.postMessage(message);
} else {
  post = (message) => {
    if (process.connected) process.send?.(message);
  };
  const residentBytesMax = Number(process.argv[2]);
  // None of our own flags: `--import` would load the application’s set-up a second time.
  const options = { workerData: residentBytesMax, execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 16 } };
  new Worker(new URL('./watch.js', import.meta.url), options).unref();
}
const resident = new Resident(post);
// Also what a promise rejects with that nobody waits for.
process.on('uncaughtException', (error) => resident.crash(error));
const take = (message: ToIsolate): void => resident.take(message);
if (parentPort !== null) parentPort.on('message', take);
else process.on('message', (message) => take(message as ToIsolate));

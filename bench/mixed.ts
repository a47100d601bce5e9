/** An hour’s worth of everyday work: tasks that succeed, report, fail, are cancelled, wait, are submitted twice. */
import type { Client } from 'pincer';
import { PAYLOAD } from './workloads.ts';

/** How many are under way at once. */
const WINDOW = 2_000;

export interface Mixed {
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
}

/** Runs that many tasks, a window at a time. The same seed makes the same tasks. */
export async function mix(client: Client, tasks: number, seed: number): Promise<Mixed> {
  const ended = { completed: 0, failed: 0, cancelled: 0 };
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < tasks) {
      begun += 1;
      const { status } = await one(client, seed * tasks + begun);
      ended[status] += 1;
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, lane));
  return ended;
}

function one(client: Client, number: number): Promise<{ status: keyof Mixed }> {
  const priority = 1 + (number % 10);
  switch (number % 100) {
    case 1:
      return client.submit('fails', PAYLOAD, { priority, attempts: 1 }).outcome();
    case 2: {
      const handle = client.submit('noop', PAYLOAD, { delayMs: 60_000 });
      // Too late is fine too: then it has completed.
      void handle.accepted().then(() => handle.cancel());
      return handle.outcome();
    }
    case 3:
      return client.submit('noop', PAYLOAD, { key: `key-${Math.floor(number / 200)}` }).outcome();
    case 4:
      return client.submit('noop', PAYLOAD, { delayMs: 5, priority }).outcome();
    case 5:
    case 6:
    case 7:
      return client.submit('reports', PAYLOAD, { priority }).outcome();
    case 8:
      return client.submit('noop', PAYLOAD, { fairKey: `tenant-${number % 7}`, ttlMs: 60_000 }).outcome();
    default:
      return client.submit('noop', PAYLOAD, { priority }).outcome();
  }
}

/** What is measured, of a cluster and of the relay: many at once, one at a time, a window of a hundred. */
import { randomBytes, randomUUID } from 'node:crypto';
import { Packr } from 'msgpackr';
import { type Client, createClient } from 'pincer';
import { WebSocket } from 'ws';

/** Runs one task to its end. */
export type RunOne = (count: number) => Promise<void>[];

/** The payload of every task: 200 bytes that do not compress. */
export const PAYLOAD = randomBytes(200);

export async function openClient(url: string): Promise<{ client: Client; run: RunOne }> {
  const client = createClient({ url });
  await client.ready();
  const run: RunOne = (count) =>
    Array.from({ length: count }, async () => {
      await client.submit('noop', PAYLOAD).result();
    });
  return { client, run };
}

/** The relay’s client: gathers a turn’s messages into one frame, as a Pincer client does. */
export async function openRelay(url: string): Promise<{ run: RunOne; close: () => void }> {
  const packr = new Packr({ useRecords: false });
  const socket = new WebSocket(`${url}/client`, { perMessageDeflate: false });
  await new Promise((resolve) => socket.once('open', resolve));
  const waiting = new Map<string, () => void>();
  let batch: object[] = [];
  socket.on('message', (data) => {
    for (const { payload } of packr.unpack(data as Buffer) as { payload: { taskId: string } }[]) {
      const resolve = waiting.get(payload.taskId);
      waiting.delete(payload.taskId);
      resolve?.();
    }
  });
  const flush = (): void => {
    for (let start = 0; start < batch.length; start += 200) socket.send(packr.pack(batch.slice(start, start + 200)));
    batch = [];
  };
  const run: RunOne = (count) =>
    Array.from({ length: count }, () => {
      const taskId = randomUUID();
      if (batch.length === 0) setImmediate(flush);
      batch.push({
        type: 'task_submit',
        id: 1,
        payload: { taskId, type: 'noop', payload: PAYLOAD, priority: 5, timeout: 300_000 },
      });
      return new Promise<void>((resolve) => waiting.set(taskId, resolve));
    });
  return { run, close: () => socket.close() };
}

/** All at once: tasks per second from the first submit to the last result. */
export async function many(run: RunOne, tasks: number): Promise<number> {
  const startedAt = performance.now();
  await Promise.all(run(tasks));
  return (tasks / (performance.now() - startedAt)) * 1_000;
}

/** `window` at a time: tasks per second, and how long each took. */
export async function windowed(
  run: RunOne,
  tasks: number,
  window: number,
): Promise<{ perSecond: number; latencies: number[] }> {
  const latencies: number[] = [];
  let left = tasks;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: window }, async () => {
      while (left > 0) {
        left -= 1;
        const from = performance.now();
        await run(1)[0];
        latencies.push(performance.now() - from);
      }
    }),
  );
  return { perSecond: (tasks / (performance.now() - startedAt)) * 1_000, latencies };
}

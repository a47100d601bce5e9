/** What an HTTP server of ours does with those who read what it answers, or do not. */
import { connect, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { serveHttp } from '../../src/transport/http-server.ts';
import { createHandClock } from '../support/hand-clock.ts';

const CHUNK = new Uint8Array(65_536);

/** A server that answers with bytes without an end, and how many it has been asked for. */
async function anEndlessAnswer(httpStallMs: number) {
  const told = { isCancelled: false, chunks: 0 };
  const body = () =>
    new ReadableStream({
      pull(controller) {
        told.chunks += 1;
        controller.enqueue(CHUNK);
      },
      cancel() {
        told.isCancelled = true;
      },
    });
  const server = await serveHttp({
    fetch: () => new Response(body()),
    listen: '127.0.0.1:0',
    clock: createHandClock(),
    limits: { ...defaultLimits, httpStallMs },
  });
  onTestFinished(() => server.close());
  return { told, url: new URL(server.url) };
}

function ask({ hostname, port }: URL): Socket {
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  socket.write(`GET / HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
  return socket;
}

it('who takes nothing of an answer is cut off, and nothing of it is kept', async () => {
  const { told, url } = await anEndlessAnswer(300);
  ask(url).pause();
  await expect.poll(() => told.isCancelled).toBe(true);
});

it('who reads on may read for as long as it likes', async () => {
  const { told, url } = await anEndlessAnswer(1_500);
  const socket = ask(url);
  const startedAt = performance.now();
  socket.resume();
  await expect.poll(() => performance.now() - startedAt > 3_500).toBe(true);
  expect([told.isCancelled, socket.closed]).toEqual([false, false]);
  socket.destroy();
  await expect.poll(() => told.isCancelled).toBe(true);
});

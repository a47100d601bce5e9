/** Who asks for a stream and then takes nothing of it. */
import { connect } from 'node:net';
import { Hono } from 'hono';
import { expect, it, onTestFinished } from 'vitest';
import type { Turn } from '../../src/channels/turn.ts';
import { createAnswers } from '../../src/channels/webhook/webhook-answers.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { serveHttp } from '../../src/transport/http-server.ts';
import { createHandClock } from '../support/hand-clock.ts';

it('a stream that nobody reads is ended, and reads no more of what its task reports', async () => {
  const clock = createHandClock();
  const limits = { ...defaultLimits, httpStallMs: 300 };
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const answers = createAnswers({ clock, limits, log, random: Math.random, ids: () => 'id' }, () => '/replies/t');
  const seen = { reports: 0, isOver: false };
  const turn = {
    taskId: 't',
    outcome: () => new Promise(() => {}),
    progress: {
      async *[Symbol.asyncIterator]() {
        try {
          for (;;) {
            seen.reports += 1;
            yield 'x'.repeat(500_000);
          }
        } finally {
          seen.isOver = true;
        }
      },
    },
  } as unknown as Turn;
  const app = new Hono().get('/', (context) => answers.to(context, turn, false));
  const server = await serveHttp({
    fetch: (request, env) => app.fetch(request, env as object),
    listen: '127.0.0.1:0',
    clock,
    limits,
  });
  onTestFinished(() => server.close());
  const { port } = new URL(server.url);
  const socket = connect(Number(port), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n');
  socket.pause();
  await expect.poll(() => seen.isOver).toBe(true);
  expect(seen.reports).toBeLessThan(100);
  // Its sign of life has ended with it.
  await expect.poll(() => clock.scheduled).toBe(0);
});

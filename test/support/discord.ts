/** As much of Discord as a bot needs: its gateway (hello, identify, ready, heartbeat, message_create) and its REST side (messages, typing). */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export const DISCORD_TOKEN = 'MTIz.token.for-tests';

const OP = { dispatch: 0, heartbeat: 1, identify: 2, hello: 10, acknowledged: 11 } as const;
/** What Discord closes a gateway connection with whose token it does not know. */
const AUTHENTICATION_FAILED = 4004;

const DIRECT_MESSAGE = 1;

export interface PostedMessage {
  readonly channel: string;
  readonly content: string;
  readonly nonce: string;
  readonly repliesTo: string | undefined;
}

export interface TestDiscord extends AsyncDisposable {
  /** What discord.js calls `rest.api`. */
  readonly api: string;
  /** Somebody writes to the bot, in a conversation of their own. */
  say(id: string, text: string): void;
  /** What the bot has posted; the same nonce twice is one message. */
  readonly posted: readonly PostedMessage[];
  /** Requests, as `METHOD path`. */
  readonly asked: readonly string[];
  /** Ends the session of the bot with a close code. */
  endSession(code: number): void;
  /** The next message is answered with an error; after that was done `isTaken`, where the answer gets lost. */
  failNext(status: number, options?: { isTaken?: boolean; retryAfterS?: number }): void;
}

export async function startDiscord(): Promise<TestDiscord> {
  const posted: PostedMessage[] = [];
  const asked: string[] = [];
  const failures: { status: number; isTaken: boolean; retryAfterS: number | undefined }[] = [];
  const sockets = new Set<WebSocket>();
  let sequence = 0;

  const dispatch = (socket: WebSocket, t: string, d: unknown): void => {
    sequence += 1;
    socket.send(JSON.stringify({ op: OP.dispatch, t, s: sequence, d }));
  };

  const server = createServer((request, response) => void answer(request, response));
  const gateway = new WebSocketServer({ server });
  gateway.on('connection', (socket) => {
    socket.send(JSON.stringify({ op: OP.hello, d: { heartbeat_interval: 1_000 } }));
    socket.on('message', (data) => {
      const { op, d } = JSON.parse(String(data)) as { op: number; d: { token: string } };
      if (op === OP.heartbeat) socket.send(JSON.stringify({ op: OP.acknowledged }));
      if (op !== OP.identify) return;
      if (d.token !== DISCORD_TOKEN) return socket.close(AUTHENTICATION_FAILED, 'Authentication failed.');
      sockets.add(socket);
      dispatch(socket, 'READY', {
        v: 10,
        user: { id: '1', username: 'bot', discriminator: '0', avatar: null, bot: true },
        guilds: [],
        session_id: 'session',
        resume_gateway_url: urlOf('ws'),
        application: { id: '1', flags: 0 },
      });
    });
    socket.on('close', () => sockets.delete(socket));
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const path = (request.url ?? '').replace(/^\/api\/v10/, '');
    asked.push(`${request.method} ${path}`);
    const reply = (status: number, value: unknown): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (request.headers.authorization !== `Bot ${DISCORD_TOKEN}`)
      return reply(401, { message: '401: Unauthorized', code: 0 });
    if (path === '/gateway/bot') {
      const limits = { total: 1_000, remaining: 1_000, reset_after: 0, max_concurrency: 1 };
      return reply(200, { url: urlOf('ws'), shards: 1, session_start_limit: limits });
    }
    const [, channel = '', what] = /^\/channels\/(\d+)\/(messages|typing)$/.exec(path) ?? [];
    if (what === 'typing') return void response.writeHead(204).end();
    if (what !== 'messages') return reply(404, { message: '404: Not Found', code: 0 });
    const failure = failures.shift();
    if (failure?.retryAfterS !== undefined) response.setHeader('retry-after', failure.retryAfterS);
    if (failure?.isTaken === false) return reply(failure.status, { message: 'an error on demand', code: 50_001 });
    const body = JSON.parse(text) as { content: string; nonce: string; message_reference?: { message_id: string } };
    const { content, nonce, message_reference } = body;
    if (!posted.some((message) => message.nonce === nonce)) {
      posted.push({ channel, content, nonce, repliesTo: message_reference?.message_id });
    }
    if (failure !== undefined) return reply(failure.status, { message: 'an error on demand', code: 0 });
    reply(200, { id: String(posted.length), channel_id: channel, content });
  }

  function urlOf(scheme: 'http' | 'ws'): string {
    return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    api: `${urlOf('http')}/api`,
    posted,
    asked,
    failNext: (status, { isTaken = false, retryAfterS } = {}) => void failures.push({ status, isTaken, retryAfterS }),
    endSession(code) {
      for (const socket of sockets) socket.close(code);
    },
    say(id, text) {
      for (const socket of sockets) {
        dispatch(socket, 'MESSAGE_CREATE', {
          id,
          channel_id: '77',
          channel_type: DIRECT_MESSAGE,
          author: { id: '42', username: 'ada', discriminator: '0', avatar: null },
          content: text,
          timestamp: '2026-01-01T00:00:00.000Z',
          edited_timestamp: null,
          tts: false,
          mention_everyone: false,
          mentions: [],
          mention_roles: [],
          attachments: [],
          embeds: [],
          pinned: false,
          type: 0,
        });
      }
    },
    async [Symbol.asyncDispose]() {
      for (const socket of gateway.clients) socket.terminate();
      gateway.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

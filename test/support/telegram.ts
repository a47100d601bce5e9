/**
 * A Bot API server: the package telegram-test-api, and before it what that leaves out: updates that come again until they
 * are acknowledged, one poller at a time (409), and errors on demand.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createNetServer } from 'node:net';
import { TelegramServer } from 'telegram-test-api/lib/telegramServer.js';

export const BOT_TOKEN = '123456:a-token-for-tests';

interface Fault {
  readonly method: string;
  readonly status: number;
  readonly description: string;
  readonly retryAfter?: number;
  /** Calls that are answered before. */
  after: number;
}

interface TestUpdate {
  readonly update_id: number;
}

export interface TestTelegram extends AsyncDisposable {
  readonly apiRoot: string;
  /** A user writes to the bot; the id of the message. */
  say(text: string, from?: { chat?: number; user?: number }): Promise<void>;
  /** Telegram itself tells the bot something. */
  tell(message: object): void;
  /** What the bot has in its chats: the text of each message as it is now. */
  texts(): string[];
  /** Calls that were answered, by method, in order. */
  readonly calls: readonly { readonly method: string; readonly body: Record<string, unknown>; readonly at: number }[];
  /** The next call of a method, or the one `after` so many, is answered with an error. */
  failNext(
    method: string,
    status: number,
    description: string,
    more?: { readonly retryAfter?: number; readonly after?: number },
  ): void;
  /** Fetches updates as another poller would: whoever polls now gets 409. */
  pollElsewhere(): Promise<void>;
}

export async function startTelegram(): Promise<TestTelegram> {
  const inner = new TelegramServer({ port: await freePort(), host: '127.0.0.1', storeTimeout: 600 });
  await inner.start();
  const innerUrl = `http://127.0.0.1:${inner.config.port}`;
  const calls: { method: string; body: Record<string, unknown>; at: number }[] = [];
  const faults: Fault[] = [];
  let unacknowledged: TestUpdate[] = [];
  let told = 0;
  let conflict: (() => void) | null = null;

  const ask = async (path: string, body: unknown): Promise<{ ok: boolean; result: unknown }> => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${innerUrl}${path}`, { method: 'POST', body: JSON.stringify(body), headers });
    return (await answer.json()) as { ok: boolean; result: unknown };
  };

  /** As the real one: waits for updates, gives them until they are acknowledged, lets one poller wait at a time. */
  const poll = async (path: string, body: Record<string, unknown>, response: ServerResponse): Promise<void> => {
    conflict?.();
    let isOver = false;
    const end = (status: number, value: object): void => {
      if (isOver) return;
      isOver = true;
      conflict = null;
      reply(response, status, value);
    };
    const mine = (): void => end(409, failure(CONFLICT));
    conflict = mine;
    response.once('close', () => {
      isOver = true;
      if (conflict === mine) conflict = null;
    });
    const offset = Number(body['offset'] ?? 0);
    unacknowledged = unacknowledged.filter(({ update_id }) => update_id >= offset);
    const waitUntil = Date.now() + Math.min(Number(body['timeout'] ?? 0) * 1_000, 2_000);
    while (!isOver) {
      const { result } = await ask(path, body);
      unacknowledged.push(...(result as TestUpdate[]));
      if (unacknowledged.length > 0 || Date.now() >= waitUntil) end(200, { ok: true, result: unacknowledged });
      else await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };

  const server = createServer((request, response) => {
    void readJson(request).then(async (body) => {
      const path = request.url ?? '';
      const method = path.slice(path.lastIndexOf('/') + 1);
      const fault = faults.find((one) => one.method === method);
      if (fault !== undefined) {
        fault.after -= 1;
        if (fault.after < 0) {
          faults.splice(faults.indexOf(fault), 1);
          return reply(response, fault.status, failure(fault));
        }
      }
      if (!path.startsWith(`/bot${BOT_TOKEN}/`))
        return reply(response, 401, failure({ status: 401, description: 'Unauthorized' }));
      calls.push({ method, body, at: performance.now() });
      if (method === 'getUpdates') return poll(path, body, response);
      reply(response, 200, await ask(path, body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    apiRoot: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    async say(text, { chat = 1, user = chat } = {}) {
      const client = inner.getClient(BOT_TOKEN, { chatId: chat, userId: user });
      await client.sendMessage(client.makeMessage(text));
    },
    tell(message) {
      told += 1;
      unacknowledged.push({ update_id: TOLD_FROM + told, message } as TestUpdate);
    },
    texts: () => inner.storage.botMessages.map(({ message }) => String(message.text)),
    failNext: (method, status, description, { after = 0, ...more } = {}) =>
      void faults.push({ method, status, description, after, ...more }),
    async pollElsewhere() {
      await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/bot${BOT_TOKEN}/getUpdates`, {
        method: 'POST',
        body: '{"timeout":0}',
      });
    },
    async [Symbol.asyncDispose]() {
      await close(server);
      await inner.stop();
    },
  };
}

/** Behind those of the package. */
const TOLD_FROM = 1_000_000;
const CONFLICT = { status: 409, description: 'Conflict: terminated by other getUpdates request' };

function failure({ status, description, retryAfter }: Omit<Fault, 'method' | 'after'>): object {
  return {
    ok: false,
    error_code: status,
    description,
    ...(retryAfter === undefined ? {} : { parameters: { retry_after: retryAfter } }),
  };
}

function reply(response: ServerResponse, status: number, value: object): void {
  if (response.writableEnded || response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** The package wants to be told its port. */
async function freePort(): Promise<number> {
  const probe = createNetServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

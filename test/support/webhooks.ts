/** The other side of webhooks: signs requests with the reference library, and receives callbacks. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export const SECRET = `whsec_${Buffer.from('a secret for tests, 32 bytes lon').toString('base64')}`;
export const OTHER_SECRET = `whsec_${Buffer.from('another secret, also 32 bytes lo').toString('base64')}`;

export interface Signing {
  readonly secret?: string;
  readonly at?: Date;
}

/** The headers of a signed request, as a sender with the reference library makes them. */
export function signedHeaders(id: string, body: string, { secret = SECRET, at = new Date() }: Signing = {}) {
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  };
}

/** Sends a signed webhook. */
export function post(
  url: string,
  id: string,
  message: unknown,
  options: Signing & { headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Response> {
  const body = typeof message === 'string' ? message : JSON.stringify(message);
  const { headers = {}, signal, ...signing } = options;
  return fetch(url, {
    method: 'POST',
    body,
    headers: { ...signedHeaders(id, body, signing), ...headers },
    ...(signal === undefined ? {} : { signal }),
  });
}

export interface Received {
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: a body is looked into, not relied on.
  readonly body: any;
}

/** A receiver of callbacks that verifies each with the reference library; `answers` are the statuses it gives, then 200. */
export async function startReceiver(answers: readonly (number | [number, Record<string, string>])[] = []) {
  const left = [...answers];
  /** What was answered 2xx. */
  const received: Received[] = [];
  /** Every request, by its `webhook-id`. */
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const id = String(request.headers['webhook-id']);
      asked.push(id);
      try {
        new Webhook(SECRET).verify(text, request.headers as Record<string, string>);
      } catch {
        response.writeHead(401).end();
        return;
      }
      const next = left.shift() ?? 200;
      const [status, headers] = typeof next === 'number' ? [next, {}] : next;
      if (status >= 200 && status < 300) received.push({ id, body: JSON.parse(text) });
      response.writeHead(status, headers).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    asked,
    failNext: (status: number) => void left.push(status),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The server-sent events of an answer, as they come. */
export async function* eventsOf(response: Response): AsyncGenerator<{ event: string; data: unknown }> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const field = (name: string): string =>
        lines
          .filter((line) => line.startsWith(`${name}: `))
          .map((line) => line.slice(name.length + 2))
          .join('\n');
      if (field('event') !== '') yield { event: field('event'), data: JSON.parse(field('data')) };
    }
  }
}

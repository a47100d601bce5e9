/** An HTTP server whose every wait and size is bounded: what the registry and the webhook channel listen with. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { PincerError } from '../protocol/failure.ts';
import type { Limits } from '../protocol/limits.ts';
import type { Clock } from '../protocol/ports.ts';
import { joinAddress, splitAddress } from './discovery/address.ts';
import { listening } from './listening.ts';

export interface HttpServer {
  /** `http://127.0.0.1:8443`. */
  readonly url: string;
  /** Takes no more requests, answers what is under way for at most `closeMs`. Idempotent. */
  close(): Promise<void>;
}

/** Listens at `host:port`, port 0 for any free one. Rejects with `OPTION_INVALID` for an address that is wrong or taken. */
export async function serveHttp(options: {
  fetch(request: Request, env: unknown): Response | Promise<Response>;
  listen: string;
  clock: Clock;
  limits: Limits;
  /** Open connections. Default `linksMax`. */
  connectionsMax?: number;
  /** How long a request may wait for the first byte of its answer. Default: no longer than any reader may. */
  holdMs?: number;
}): Promise<HttpServer> {
  const { fetch, listen, clock, limits } = options;
  const { host, port } = hostAndPortOf(listen);
  const server = createServer(
    {
      headersTimeout: limits.httpHeadersMs,
      requestTimeout: limits.httpRequestMs,
      connectionsCheckingInterval: Math.min(1_000, limits.httpHeadersMs),
      maxHeaderSize: limits.httpHeaderBytesMax,
    },
    getRequestListener(fetch as Parameters<typeof getRequestListener>[0], { overrideGlobalObjects: false }),
  );
  // Whoever takes nothing of an answer would have it kept for ever. Node’s own timer knows what of a large one still moves.
  server.setTimeout(limits.httpStallMs + (options.holdMs ?? 0));
  server.maxConnections = options.connectionsMax ?? limits.linksMax;
  await listening(server, { host, port });
  const bound = server.address() as AddressInfo;
  let closed: Promise<void> | null = null;
  return {
    url: `http://${joinAddress(bound.address, bound.port)}`,
    close() {
      closed ??= new Promise<void>((resolve) => {
        const cancel = clock.schedule(limits.closeMs, () => server.closeAllConnections());
        server.close(() => {
          cancel();
          resolve();
        });
        server.closeIdleConnections();
      });
      return closed;
    },
  };
}

/** The address of whoever asks, without its port; of a context of hono. */
export function addressOf({ env }: { readonly env: unknown }): string {
  return (env as { incoming?: IncomingMessage }).incoming?.socket.remoteAddress ?? 'unknown';
}

export function hostAndPortOf(listen: string): { host: string; port: number } {
  const port0 = /^(.*):0$/.exec(listen);
  const address = splitAddress(port0 === null ? listen : `${port0[1]}:1`);
  if (address === null) throw new PincerError('OPTION_INVALID', `listen is '${listen}', must be host:port`);
  return { host: address.host, port: port0 === null ? address.port : 0 };
}

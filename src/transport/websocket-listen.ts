/**
 * The gateway’s side of WebSocket: one HTTP server, which takes upgrades to the subprotocol from those whom the verifier
 * knows, answers GET /livez, and refuses everything else before it costs anything.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { Server as TlsServer } from 'node:tls';
import { WebSocketServer } from 'ws';
import { PincerError } from '../protocol/failure.ts';
import type { Limits } from '../protocol/limits.ts';
import { SUBPROTOCOL } from '../protocol/message.ts';
import type { Clock } from '../protocol/ports.ts';
import { joinAddress } from './discovery/address.ts';
import type { Link, Listen, Listener } from './link.ts';
import { listening } from './listening.ts';
import { refuseUpgrade, type Verifier } from './upgrade.ts';
import { peerAddress, socketOptions, type WebSocketLimits, WebSocketLink } from './websocket-link.ts';

export interface WebSocketListenOptions {
  readonly host: string;
  /** 0 = any free port; the listener’s `url` says which. */
  readonly port: number;
  /** Where WebSockets are taken. Default `/`. */
  readonly path?: string;
  readonly verifier: Verifier;
  readonly limits: WebSocketLimits &
    Pick<Limits, 'linksMax' | 'httpHeadersMs' | 'httpRequestMs' | 'httpHeaderBytesMax' | 'reconnectMaxMs'>;
  readonly clock: Clock;
  /** Told of every upgrade that was refused, for logs and counters. */
  readonly onRefused?: (refusal: PincerError, remoteAddress: string) => void;
  /**
   * An HTTP or HTTPS server that does not listen yet. Its requests stay its owner’s to answer and its time limits its
   * owner’s to set; upgrades, starting and closing are the listener’s. Absent: one is made.
   */
  readonly server?: Server;
}

/**
 * Listens for WebSockets. The listener rejects with `OPTION_INVALID` if the address is taken or not this machine’s.
 */
export function listenWebSocket(options: WebSocketListenOptions): Listen {
  const { host, port, path = '/', verifier, limits, clock, onRefused } = options;
  return async (onLink) => {
    const server = options.server ?? createHttpServer(limits, path);
    const upgrader = new WebSocketServer({ ...socketOptions(limits), noServer: true, clientTracking: false });
    const links = new Set<Link>();

    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const remoteAddress = request.socket.remoteAddress ?? 'unknown';
      const refuse = (refusal: PincerError, status?: number): void => {
        refuseUpgrade(socket, refusal, status);
        onRefused?.(refusal, remoteAddress);
      };
      const { authorization, origin, host: hostHeader } = request.headers;
      const verdict = verifier({ authorization, origin, host: hostHeader, remoteAddress });
      if (verdict instanceof PincerError) return refuse(verdict);
      if (pathOf(request) !== path) return refuse(new PincerError('OPTION_INVALID', `links are at ${path}`), 404);
      if (!offers(request, SUBPROTOCOL)) {
        const message = `the request must offer the subprotocol ${SUBPROTOCOL} (Sec-WebSocket-Protocol)`;
        return refuse(new PincerError('PROTOCOL_VERSION', message));
      }
      if (links.size >= limits.linksMax) {
        const message = `the gateway has ${links.size} links, as many as it takes`;
        return refuse(new PincerError('RATE_EXCEEDED', message, { retryAfterMs: limits.reconnectMaxMs }));
      }
      // ws itself answers 400 to what is not a WebSocket handshake.
      upgrader.handleUpgrade(request, socket, head, (webSocket) => {
        const link = new WebSocketLink(webSocket, {
          remoteAddress: peerAddress(request.socket),
          identity: verdict,
          clock,
          limits,
        });
        links.add(link);
        webSocket.once('close', () => links.delete(link));
        onLink(link);
      });
    });
    upgrader.options.handleProtocols = () => SUBPROTOCOL;

    await listening(server, { host, port }, takenMend(host, port));
    return listenerOf(server, path, links);
  };
}

function listenerOf(server: Server, path: string, links: ReadonlySet<Link>): Listener {
  const { address, port } = server.address() as AddressInfo;
  const scheme = server instanceof TlsServer ? 'wss' : 'ws';
  const host = address.includes(':') ? `[${address}]` : address;
  let closed: Promise<void> | undefined;
  return {
    url: `${scheme}://${host}:${port}${path === '/' ? '' : path}`,
    close() {
      closed ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        for (const link of links) link.terminate();
      });
      return closed;
    },
  };
}

function createHttpServer(limits: WebSocketListenOptions['limits'], path: string): Server {
  const server = createServer(
    {
      headersTimeout: limits.httpHeadersMs,
      requestTimeout: limits.httpRequestMs,
      // Node looks for late requests only this often; its default of 30 s would make the limits above 30 s too.
      connectionsCheckingInterval: Math.min(1_000, limits.httpHeadersMs),
      maxHeaderSize: limits.httpHeaderBytesMax,
    },
    (request, response) => answer(request, response, path),
  );
  // Above the links there is room for requests that are still being read; beyond that, the kernel’s queue is patient.
  server.maxConnections = limits.linksMax + 1_024;
  return server;
}

function answer(request: IncomingMessage, response: ServerResponse, path: string): void {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const asked = pathOf(request);
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  if (isRead && asked === '/livez') {
    response.end('ok\n');
    return;
  }
  response.statusCode = asked === path ? 426 : 404;
  response.setHeader('Connection', asked === path ? 'close, Upgrade' : 'close');
  if (asked === path) response.setHeader('Upgrade', 'websocket');
  response.end(
    asked === path ? `This is a Pincer gateway; it speaks ${SUBPROTOCOL} over WebSocket.\n` : 'Not found.\n',
  );
}

/** Most often it is a gateway that was started before, and all that is wanted is to use it. */
function takenMend(host: string, port: number): string {
  const url = `ws://${joinAddress(['0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host, port)}`;
  return `A gateway may be running there already: \`pincer doctor --url ${url}\` asks it. To run another one, choose another port (\`--listen HOST:PORT\`).`;
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

function offers(request: IncomingMessage, subprotocol: string): boolean {
  const offered = request.headers['sec-websocket-protocol'] ?? '';
  return offered.split(',').some((name) => name.trim() === subprotocol);
}

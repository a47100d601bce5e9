/** The dialling side of WebSocket: one attempt to open a link, and every way it may fail as a failure with a code. */
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { PincerError } from '../protocol/failure.ts';
import { plainText, plainUrl } from '../protocol/identifier.ts';
import type { Limits } from '../protocol/limits.ts';
import { SUBPROTOCOL } from '../protocol/message.ts';
import type { Clock } from '../protocol/ports.ts';
import { readingLimits } from './handshake.ts';
import type { Dial, Link } from './link.ts';
import { checkToken } from './upgrade.ts';
import { peerAddress, socketOptions, type WebSocketLimits, WebSocketLink } from './websocket-link.ts';

export interface WebSocketDialOptions {
  /** Sent as `Authorization: Bearer`, with this URL only: redirects are not followed. */
  readonly token?: string;
  readonly limits: WebSocketLimits & Pick<Limits, 'handshakeMs'>;
  readonly clock: Clock;
}

/** What to do about a failure of TLS, by the words of Node: of itself it says only what is wrong. */
const TLS_MENDS: readonly (readonly [what: RegExp, mend: string])[] = [
  [
    /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT.*)$/,
    'Its certificate is not trusted here: start this process with NODE_EXTRA_CA_CERTS=FILE, its certificate or that of its issuer in PEM.',
  ],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, 'Its certificate is for other names: dial it by one of those.'],
  [/^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/, 'Its certificate holds at another time: renew it, or set the clock.'],
  [
    /wrong version number|packet length too long/,
    'There is no TLS at that port: dial ws://, or the port of the proxy.',
  ],
];

/** What is read of a refusal; the rest of it is not ours. */
const REFUSAL_BYTES_MAX = 8_192;

/**
 * Dials a gateway at a `ws:` or `wss:` URL. The dial rejects with `GATEWAY_UNREACHABLE`, `UNAUTHENTICATED`,
 * `RATE_EXCEEDED`, `PROTOCOL_VERSION`, or `STOPPED` if its signal is aborted.
 * @throws PincerError `OPTION_INVALID` for a URL or token that cannot be one
 */
export function dialWebSocket(url: string, options: WebSocketDialOptions): Dial {
  const { token, limits, clock } = options;
  checkUrl(url);
  if (token !== undefined) checkToken(token);
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };

  return (signal) =>
    new Promise<Link>((resolve, reject) => {
      if (signal.aborted) {
        reject(givenUp(url, signal));
        return;
      }
      const socket = new WebSocket(url, SUBPROTOCOL, { ...socketOptions(readingLimits(limits)), headers });
      let remoteAddress = url;
      let isOtherProtocol = false;
      let isSettled = false;

      const settle = (): boolean => {
        if (isSettled) return false;
        isSettled = true;
        cancelTimeout();
        signal.removeEventListener('abort', onAbort);
        return true;
      };
      const fail = (failure: PincerError): void => {
        if (!settle()) return;
        socket.terminate();
        reject(failure);
      };
      const onAbort = (): void => fail(givenUp(url, signal));
      const cancelTimeout = clock.schedule(limits.handshakeMs, () =>
        fail(new PincerError('GATEWAY_UNREACHABLE', `${url} did not answer within ${limits.handshakeMs} ms`)),
      );
      signal.addEventListener('abort', onAbort, { once: true });

      // Stays for the life of the socket: ws reports here also what goes wrong after it was told to stop.
      socket.on('error', (error: NodeJS.ErrnoException) => {
        const failure = isOtherProtocol
          ? new PincerError('PROTOCOL_VERSION', `${url} does not speak ${SUBPROTOCOL}`, { cause: error })
          : unreachable(url, error);
        fail(failure);
      });
      socket.once('upgrade', (response) => {
        isOtherProtocol = response.headers['sec-websocket-protocol'] !== SUBPROTOCOL;
        remoteAddress = peerAddress(response.socket);
      });
      socket.once('unexpected-response', (_request, response) => {
        readRefusal(response).then(
          (body) => fail(refused(url, response, body)),
          (error: Error) => fail(unreachable(url, error)),
        );
      });
      socket.once('open', () => {
        if (settle()) {
          resolve(new WebSocketLink(socket, { remoteAddress, identity: { name: 'gateway' }, clock, limits }));
        }
      });
    });
}

function checkUrl(url: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^wss?:$/.test(parsed.protocol) || parsed.hash !== '') {
    throw new PincerError(
      'OPTION_INVALID',
      `the gateway’s URL must be ws://HOST:PORT or wss://…, not '${plainUrl(url)}'`,
    );
  }
  // Not printed: it may hold a secret.
  if (parsed.username !== '' || parsed.password !== '') {
    throw new PincerError('OPTION_INVALID', 'the gateway’s URL must not hold a user name or password; pass a token');
  }
}

interface Refusal {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly hint?: unknown;
  readonly retryAfterMs?: unknown;
}

/** The body of a refusal, as far as it is one of ours; empty for anything else. */
async function readRefusal(response: IncomingMessage): Promise<Refusal> {
  let text = '';
  for await (const part of response.setEncoding('utf8')) {
    text += part as string;
    if (text.length > REFUSAL_BYTES_MAX) return {};
  }
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? body : {};
  } catch {
    return {};
  }
}

function refused(url: string, response: IncomingMessage, body: Refusal): PincerError {
  const status = response.statusCode ?? 0;
  const said = typeof body.message === 'string' ? plainText(body.message) : `HTTP ${status}`;
  const hint = typeof body.hint === 'string' && body.hint !== '' ? { hint: plainText(body.hint) } : {};
  if (status === 401 || status === 403) {
    return new PincerError('UNAUTHENTICATED', `${url} refused the link: ${said}`, hint);
  }
  if (status === 503) {
    const seconds = Number(response.headers['retry-after'] ?? Number.NaN);
    const retryAfterMs = typeof body.retryAfterMs === 'number' ? body.retryAfterMs : seconds * 1_000;
    const known = Number.isFinite(retryAfterMs) && retryAfterMs >= 0 ? { retryAfterMs } : {};
    return new PincerError('RATE_EXCEEDED', `${url} takes no links now: ${said}`, { ...hint, ...known });
  }
  if (body.code === 'PROTOCOL_VERSION') {
    return new PincerError('PROTOCOL_VERSION', `${url} refused the link: ${said}`, hint);
  }
  return new PincerError('GATEWAY_UNREACHABLE', `${url} is not a gateway: it answered HTTP ${status}`);
}

function unreachable(url: string, cause: NodeJS.ErrnoException): PincerError {
  // Several addresses of one name fail together, as an AggregateError without a message.
  const why = cause.code ?? (cause.message === '' ? cause.name : cause.message);
  const mend = TLS_MENDS.find(([what]) => what.test(cause.code ?? '') || what.test(cause.message));
  const hint = mend === undefined ? {} : { hint: mend[1] };
  return new PincerError('GATEWAY_UNREACHABLE', `${url} cannot be reached (${plainText(why)})`, { cause, ...hint });
}

function givenUp(url: string, signal: AbortSignal): PincerError {
  const { reason } = signal as { reason: unknown };
  if (reason instanceof PincerError) return reason;
  return new PincerError('STOPPED', `dialling ${url} was given up`, { cause: reason });
}

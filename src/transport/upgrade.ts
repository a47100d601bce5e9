/**
 * Who may open a link. Decided on the HTTP request that asks for a WebSocket, before there is one: whoever is refused
 * here has cost a hash and no more. Refusals are HTTP answers with a short JSON body that says what to do.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type FailureCode, PincerError } from '../protocol/failure.ts';
import type { Identity } from './link.ts';

/** The shortest token that opens a listener to the network. No limit: nobody should be able to lower it. */
const OPEN_TOKEN_LENGTH_MIN = 16;

/** What a verifier may judge by. */
export interface UpgradeRequest {
  readonly authorization: string | undefined;
  readonly origin: string | undefined;
  readonly host: string | undefined;
  /** The address of the peer, without its port. */
  readonly remoteAddress: string;
}

/** Says who is asking for a link, or why there is none: `UNAUTHENTICATED` (HTTP 401) or `FORBIDDEN` (403). */
export type Verifier = (request: UpgradeRequest) => Identity | PincerError;

/** What a secret is called, whose it is, and what whoever lacks it is to do; absent: as the failure says. */
export interface SecretWords {
  readonly what: string;
  readonly owner: string;
  readonly hint?: string;
}

const TOKEN: SecretWords = { what: 'token', owner: 'gateway' };

/**
 * Lets in who sends `Authorization: Bearer TOKEN`. Browsers are refused: a page of any site could use a token it finds.
 * @throws PincerError `OPTION_INVALID` for a token that no header can carry
 */
export function tokenVerifier(token: string, words: SecretWords = TOKEN): Verifier {
  checkToken(token, words.what);
  // Hashes have one length and say nothing about the token, so comparing them takes the same time for every guess.
  const expected = hashOf(token);
  return ({ authorization, origin }) => {
    if (origin !== undefined) return browserRefused();
    const presented = authorization === undefined ? undefined : /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
    const { what, owner, hint } = words;
    if (presented === undefined) return new PincerError('UNAUTHENTICATED', `the ${owner} asks for a ${what}`, { hint });
    if (!timingSafeEqual(hashOf(presented), expected)) {
      return new PincerError('UNAUTHENTICATED', `the ${what} is not the ${owner}’s`, { hint });
    }
    return { name: 'token' };
  };
}

/**
 * Lets in every program on this machine, without a token. A web page is such a program too, in effect: it can reach
 * loopback addresses, also by a name of its own that resolves to one. So whatever a browser marks with an `Origin` is
 * refused, and so is a `Host` that is not a name of loopback.
 */
export function loopbackVerifier(): Verifier {
  return ({ origin, host, remoteAddress }) => {
    if (origin !== undefined) return browserRefused();
    if (!isLoopback(remoteAddress)) {
      return new PincerError('UNAUTHENTICATED', 'the gateway takes links from its own machine only');
    }
    if (host === undefined || !isLoopback(hostnameOf(host))) {
      return new PincerError('FORBIDDEN', 'the Host header does not name this machine', {
        hint: 'Dial 127.0.0.1, [::1] or localhost.',
      });
    }
    return { name: 'loopback' };
  };
}

/** @throws PincerError `OPTION_INVALID`, without the token */
export function checkToken(token: unknown, what = 'token'): void {
  if (typeof token !== 'string' || !/^[\x21-\x7e]{1,4096}$/.test(token)) {
    throw new PincerError('OPTION_INVALID', `the ${what} must be 1–4096 printable ASCII characters without spaces`);
  }
}

/**
 * A token stands between a whole network and the listener, and may be guessed at as fast as the network goes. This
 * machine is left alone: who can dial its loopback runs programs here already.
 * @throws PincerError with that code, without the token, for one that is too short to listen with at that host
 */
export function checkOpenToken(token: string, host: string, { code, what }: { code: FailureCode; what: string }): void {
  if (isLoopback(host) || token.length >= OPEN_TOKEN_LENGTH_MIN) return;
  const message = `listening at ${host} takes a ${what} of at least ${OPEN_TOKEN_LENGTH_MIN} characters, this one has ${token.length}`;
  throw new PincerError(code, message, { hint: 'Make one: `openssl rand -hex 32 > FILE`. Or listen at 127.0.0.1.' });
}

/** Whether an address or host name is one of this machine’s loopback. */
export function isLoopback(name: string): boolean {
  const bare = name.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (bare === 'localhost' || bare.endsWith('.localhost') || bare === '::1') return true;
  return /^(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(bare);
}

const STATUS_OF: Readonly<Record<string, number>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  RATE_EXCEEDED: 503,
  GATEWAY_DRAINING: 503,
};

/** Answers a request for a WebSocket with a refusal, and closes its connection. Without a `status`, by the code. */
export function refuseUpgrade(socket: Duplex, refusal: PincerError, status = STATUS_OF[refusal.code] ?? 400): void {
  const { code, message, hint, retryAfterMs } = refusal;
  const body = JSON.stringify({ code, message, hint, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  if (status === 401) lines.push('WWW-Authenticate: Bearer');
  if (retryAfterMs !== undefined) lines.push(`Retry-After: ${Math.ceil(retryAfterMs / 1_000)}`);
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

function browserRefused(): PincerError {
  return new PincerError('FORBIDDEN', 'links from web pages are not taken', {
    hint: 'Dial from a program, without an Origin header.',
  });
}

function hostnameOf(host: string): string {
  return host.startsWith('[') ? host.slice(0, host.indexOf(']') + 1) : host.replace(/:\d*$/, '');
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

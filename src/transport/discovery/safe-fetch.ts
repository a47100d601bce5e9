/**
 * Asks URLs without being led astray. https, or http to a loopback address that the URL itself names; no redirects; every
 * address that a name resolves to is judged, and the connection goes to one that was judged: a second look-up, which a
 * hostile name server could answer otherwise, does not happen.
 */
import { lookup as lookUp } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, request } from 'undici';
import { PincerError } from '../../protocol/failure.ts';
import { plainText, plainUrl } from '../../protocol/identifier.ts';
import type { Clock } from '../../protocol/ports.ts';
import { underEither } from '../either-signal.ts';
import { type Reach, reachOf } from './address.ts';

/** What of the world a safe fetch may reach, and for how long and how much. */
export interface SafeFetchOptions {
  readonly clock: Clock;
  /** From the name look-up to the last byte of the answer. */
  readonly timeoutMs: number;
  readonly bytesMax: number;
  /** Whether 127.0.0.1, [::1] and localhost may be asked, also over plain http. Not for URLs that a peer supplied. */
  readonly isLoopbackAllowed: boolean;
  /** Whether the private ranges (10/8, 172.16/12, 192.168/16, fc00::/7) may be asked. Not for URLs that a peer supplied. */
  readonly isPrivateAllowed: boolean;
  /** Resolves a name to all its addresses. Default: the system’s resolver. */
  readonly resolve?: ((host: string) => Promise<readonly string[]>) | undefined;
}

export interface SafeRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export interface SafeAnswer {
  readonly status: number;
  readonly text: string;
  /** What `Retry-After` said, if it was a number of seconds. */
  readonly retryAfterMs?: number;
}

export interface SafeFetch {
  /** Rejects with ADDRESS_REFUSED, TIMED_OUT, or DISCOVERY_FAILED for an answer that did not come or is too large. */
  fetch(url: string, request: SafeRequest): Promise<SafeAnswer>;
  /** Cuts what is under way. */
  close(): Promise<void>;
}

/** Requests that reach nothing but what the options allow. */
export function createSafeFetch(options: SafeFetchOptions): SafeFetch {
  const { clock, timeoutMs, bytesMax } = options;
  const agent = new Agent({
    connect: { lookup: judgedLookup(options) },
    maxHeaderSize: 16_384,
    // The deadline below ends a slow answer; what the agent keeps open between requests ends with it.
    keepAliveTimeout: 10_000,
  });

  async function ask(href: string, wanted: SafeRequest, signal: AbortSignal): Promise<SafeAnswer> {
    const { method, headers, body } = wanted;
    const answer = await request(href, {
      method,
      headers: { accept: 'application/json', ...headers },
      body: body ?? null,
      dispatcher: agent,
      signal,
    });
    // A body that is destroyed before its end emits an error of its own; what went wrong is told below.
    answer.body.on('error', () => {});
    if (answer.statusCode >= 300 && answer.statusCode < 400) {
      answer.body.destroy();
      throw new PincerError('ADDRESS_REFUSED', `${originOf(href)} leads elsewhere (${answer.statusCode})`);
    }
    const text = await read(answer.body, bytesMax, originOf(href));
    const { 'retry-after': retryAfter } = answer.headers;
    const isInSeconds = typeof retryAfter === 'string' && /^\d{1,9}$/.test(retryAfter);
    return {
      status: answer.statusCode,
      text,
      ...(isInSeconds ? { retryAfterMs: Number(retryAfter) * 1_000 } : {}),
    };
  }

  return {
    async fetch(url, wanted) {
      const { href } = judgedUrl(url, options);
      const abort = new AbortController();
      const late = new PincerError('TIMED_OUT', `no answer from ${originOf(href)} within ${timeoutMs} ms`);
      const cancel = clock.schedule(timeoutMs, () => abort.abort(late));
      const signals = wanted.signal === undefined ? [abort.signal] : [abort.signal, wanted.signal];
      try {
        return await underEither(signals, (signal) => ask(href, wanted, signal));
      } catch (error) {
        if (abort.signal.aborted) throw late;
        throw refusalIn(error) ?? failure(href, error);
      } finally {
        cancel();
      }
    },
    close: () => agent.destroy(),
  };
}

/**
 * The URL, if it may be asked as far as it says itself. What a name resolves to is judged when it is resolved.
 * @throws PincerError `ADDRESS_REFUSED`
 */
export function judgedUrl(
  text: string,
  allowed: Pick<SafeFetchOptions, 'isLoopbackAllowed' | 'isPrivateAllowed'>,
): URL {
  const refuse = (why: string): never => {
    throw new PincerError('ADDRESS_REFUSED', `${plainUrl(text)}: ${why}`);
  };
  const url = URL.canParse(text) ? new URL(text) : refuse('not a URL');
  if (url.username !== '' || url.password !== '') {
    throw new PincerError('ADDRESS_REFUSED', `a URL to ${url.host} must not carry a user name or password`);
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  // `http://2130706433/` is 127.0.0.1 to the parser. Whoever writes an address so does not want it to be read.
  if (isIP(host) !== 0 && !text.toLowerCase().includes(`//${url.hostname}`)) {
    refuse(`an address must be written in its plain form, ${url.hostname}`);
  }
  const isLoopback = host === 'localhost' || reachOf(host) === 'loopback';
  if (isLoopback && !allowed.isLoopbackAllowed) refuse('it leads back to this machine');
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)) {
    refuse('it must be https, or http to a loopback address');
  }
  if (isIP(host) !== 0 && !isLoopback) judge(host, host, allowed);
  return url;
}

/** How the agent turns a host into addresses: all of them are judged, and none other is connected to. */
function judgedLookup(options: SafeFetchOptions): LookupFunction {
  const resolve = options.resolve ?? resolveAll;
  return (host, { all }, callback) => {
    resolve(host).then(
      (addresses) => {
        const refusal = refusalOf(host, addresses, options);
        const [first] = addresses;
        if (refusal !== null || first === undefined) callback(refusal ?? new Error(`${host} has no address`), '', 0);
        else if (all)
          callback(
            null,
            addresses.map((address) => ({ address, family: isIP(address) })),
          );
        else callback(null, first, isIP(first));
      },
      (error: Error) => callback(error, '', 0),
    );
  };
}

function refusalOf(host: string, addresses: readonly string[], options: SafeFetchOptions): PincerError | null {
  try {
    for (const address of addresses) {
      // `localhost` is of this machine by its name; any other name that leads here is a trick.
      if (host === 'localhost' && options.isLoopbackAllowed && reachOf(address) === 'loopback') continue;
      judge(host, address, options);
    }
    return null;
  } catch (error) {
    return error as PincerError;
  }
}

function judge(host: string, address: string, allowed: Pick<SafeFetchOptions, 'isPrivateAllowed'>): void {
  const reach: Reach = reachOf(address);
  if (reach === 'public' || (reach === 'private' && allowed.isPrivateAllowed)) return;
  const kind = reach === 'forbidden' ? 'an address that is not to be asked' : `a ${reach} address`;
  const leads = host === address ? `${address} is` : `${plainText(host)} leads to ${plainText(address)},`;
  throw new PincerError('ADDRESS_REFUSED', `${leads} ${kind}`);
}

async function resolveAll(host: string): Promise<readonly string[]> {
  const found = await lookUp(host, { all: true, verbatim: true });
  return found.map(({ address }) => address);
}

async function read(body: AsyncIterable<Uint8Array>, bytesMax: number, origin: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop early destroys the body, and with it the connection.
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) {
      throw new PincerError('DISCOVERY_FAILED', `the answer of ${origin} is larger than ${bytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A refusal may come wrapped in the errors of the connection that it prevented. */
function refusalIn(error: unknown): PincerError | null {
  for (let inner: unknown = error; inner instanceof Error; inner = inner.cause) {
    if (inner instanceof PincerError) return inner;
  }
  return null;
}

function failure(href: string, error: unknown): PincerError {
  const message = plainText(error instanceof Error ? error.message || error.name : String(error));
  return new PincerError('DISCOVERY_FAILED', `${originOf(href)} does not answer: ${message}`, { cause: error });
}

function originOf(href: string): string {
  return new URL(href).origin;
}

/**
 * Signatures of webhooks as the Standard Webhooks specification has them: HMAC-SHA256 over `id.timestamp.body`, in the
 * headers `webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature` (`v1,BASE64`, several with spaces between).
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { PincerError } from '../../protocol/failure.ts';

/** The headers of a signed webhook. */
export interface SignatureHeaders {
  readonly id: string;
  /** Seconds since 1970. */
  readonly timestamp: string;
  readonly signature: string;
}

/** Secrets that are tried, and signatures of one request; what is beyond them is not looked at. */
const SECRETS_MAX = 8;
const SIGNATURES_MAX = 8;
const HINT =
  'Write `whsec_` and 24 to 64 random bytes in base64, one secret a line: `echo whsec_$(openssl rand -base64 32)`.';

/**
 * The secrets in a text, one a line; the first is the newest, and the others are still taken while senders move to it.
 * @throws PincerError `OPTION_INVALID`; never with a secret in its message.
 */
export function parseSecrets(text: string): readonly Uint8Array[] {
  if (typeof text !== 'string') {
    throw new PincerError('OPTION_INVALID', 'secrets is not text', { hint: HINT });
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const secrets = lines.flatMap((line, index) => {
    if (line === '' || line.startsWith('#')) return [];
    const base64 = line.replace(/^whsec_/, '');
    const key = /^[A-Za-z0-9+/]+={0,2}$/.test(base64) ? Buffer.from(base64, 'base64') : Buffer.alloc(0);
    if (key.byteLength < 24 || key.byteLength > 64) {
      throw new PincerError('OPTION_INVALID', `secret ${index + 1} is not 24 to 64 bytes in base64`, { hint: HINT });
    }
    return [key];
  });
  if (secrets.length === 0 || secrets.length > SECRETS_MAX) {
    throw new PincerError('OPTION_INVALID', `there are ${secrets.length} secrets, not 1 to ${SECRETS_MAX}`, {
      hint: HINT,
    });
  }
  return secrets;
}

/** The headers for a body that is sent now, signed with every secret, so that a receiver may have any of them. */
export function signed(
  id: string,
  body: string,
  secrets: readonly Uint8Array[],
  wallTimeMs: number,
): Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string> {
  const timestamp = String(Math.floor(wallTimeMs / 1_000));
  const content = contentOf(id, timestamp, Buffer.from(body));
  const signatures = secrets.map((secret) => `v1,${hmac(secret, content).toString('base64')}`);
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}

/**
 * The headers, if they are there and of this time. What does not need the body is decided before it is read.
 * @throws PincerError `SIGNATURE_INVALID` or `SIGNATURE_STALE`.
 */
export function checkHeaders(
  headers: { readonly [Name in keyof SignatureHeaders]: string | undefined },
  wallTimeMs: number,
  windowMs: number,
): SignatureHeaders {
  const { id, timestamp, signature } = headers;
  if (id === undefined || timestamp === undefined || signature === undefined) {
    const missing = 'webhook-id, webhook-timestamp and webhook-signature are needed';
    throw new PincerError('SIGNATURE_INVALID', `the request is not signed: ${missing}`);
  }
  // A dot would let one id and timestamp be read as another.
  if (!/^[^\s.]{1,256}$/.test(id)) {
    throw new PincerError('SIGNATURE_INVALID', 'webhook-id must be 1 to 256 characters without dots and spaces');
  }
  if (!/^\d{1,12}$/.test(timestamp)) {
    throw new PincerError('SIGNATURE_INVALID', 'webhook-timestamp must be seconds since 1970');
  }
  const offMs = wallTimeMs - Number(timestamp) * 1_000;
  if (Math.abs(offMs) > windowMs) {
    const when = `${Math.round(Math.abs(offMs) / 1_000)} s in the ${offMs > 0 ? 'past' : 'future'}`;
    throw new PincerError('SIGNATURE_STALE', `webhook-timestamp is ${when}, more than ${windowMs / 1_000} s`);
  }
  return { id, timestamp, signature };
}

/**
 * Checks a signature; returns what stands for this very request, for a memory of those that were seen.
 * @throws PincerError `SIGNATURE_INVALID`.
 */
export function verify(headers: SignatureHeaders, body: Uint8Array, secrets: readonly Uint8Array[]): string {
  const content = contentOf(headers.id, headers.timestamp, body);
  const given = headers.signature
    .split(' ', SIGNATURES_MAX)
    .filter((one) => one.startsWith('v1,'))
    .map((one) => Buffer.from(one.slice(3), 'base64'));
  // Every pair is compared, whatever the others gave: the time taken tells nothing.
  let matches = 0;
  for (const secret of secrets) {
    const expected = hmac(secret, content);
    for (const one of given) if (one.length === expected.length && timingSafeEqual(one, expected)) matches += 1;
  }
  if (matches === 0) throw new PincerError('SIGNATURE_INVALID', 'no signature is one of a secret of this channel');
  return createHash('sha256').update(content).digest('base64url');
}

/** Proof that an address was handed out by this channel: nobody can make one up, and it needs no memory. */
export function tagOf(what: string, secret: Uint8Array): string {
  return hmac(secret, Buffer.from(`pincer-reply\n${what}`)).toString('base64url');
}

/** Whether a tag is that of `what` under any of the secrets. */
export function isTagOf(tag: string, what: string, secrets: readonly Uint8Array[]): boolean {
  const given = Buffer.from(tag);
  let matches = 0;
  for (const secret of secrets) {
    const expected = Buffer.from(tagOf(what, secret));
    if (given.length === expected.length && timingSafeEqual(given, expected)) matches += 1;
  }
  return matches > 0;
}

function contentOf(id: string, timestamp: string, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
}

function hmac(secret: Uint8Array, content: Uint8Array): Buffer {
  return createHmac('sha256', secret).update(content).digest();
}

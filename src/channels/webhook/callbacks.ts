/** Replies by webhook: signed as what comes in, under the guard against being led to places that are not to be asked. */
import { PincerError } from '../../protocol/failure.ts';
import type { Clock } from '../../protocol/ports.ts';
import { judgedUrl, type SafeFetch, type SafeFetchOptions } from '../../transport/discovery/safe-fetch.ts';
import type { OutboundMessage } from '../platform.ts';
import { signed } from './signature.ts';
import { toJson, WebhookAddress } from './webhook-message.ts';

/** Which callbacks may be asked. */
export type Allowed = Pick<SafeFetchOptions, 'isLoopbackAllowed' | 'isPrivateAllowed'>;

/** Statuses below 500 that may be others another time. */
const RETRYABLE = [408, 409, 425, 429];

export function createCallbacks(options: {
  safe: SafeFetch;
  secrets: readonly Uint8Array[];
  clock: Clock;
  allowed: Allowed;
}) {
  const { safe, secrets, clock, allowed } = options;
  return {
    async deliver({ key, to, text, data, reply }: OutboundMessage, signal: AbortSignal): Promise<void> {
      const address = WebhookAddress.safeParse(to);
      if (!address.success) {
        throw new PincerError('PAYLOAD_INVALID', 'a webhook goes `to` { url, messageId? }');
      }
      const { url, messageId } = address.data;
      const body = toJson({
        type: reply === undefined ? 'message' : 'reply',
        ...(messageId === undefined ? {} : { messageId }),
        ...reply,
        text,
        ...(data === undefined ? {} : { data }),
      });
      // Each attempt is signed for its own time; its id stays.
      const headers = { 'content-type': 'application/json', ...signed(key, body, secrets, clock.wallTime()) };
      const { origin } = judgedUrl(url, allowed);
      const { status, retryAfterMs } = await safe
        .fetch(url, { method: 'POST', headers, body, signal })
        .catch((error: unknown) => {
          throw unavailable(error);
        });
      if (status >= 200 && status < 300) return;
      const isFinal = status < 500 && !RETRYABLE.includes(status);
      throw new PincerError(
        isFinal ? 'DELIVERY_REFUSED' : 'DELIVERY_FAILED',
        `the callback at ${origin} answered ${status}`,
        { retryAfterMs },
      );
    },
  };
}

function unavailable(error: unknown): unknown {
  if (!(error instanceof PincerError) || error.code !== 'DISCOVERY_FAILED') return error;
  return new PincerError('DELIVERY_FAILED', error.message, { cause: error });
}

/**
 * The webhook platform: signed HTTP requests come in, signed HTTP requests go out. Listens only while its channel holds
 * the lease, so that several instances may be told the same address.
 */
import { PincerError } from '../../protocol/failure.ts';
import { checkOptions, type Names } from '../../protocol/options.ts';
import { createSafeFetch } from '../../transport/discovery/safe-fetch.ts';
import { hostAndPortOf, serveHttp } from '../../transport/http-server.ts';
import type { OpenPlatform, Platform } from '../platform.ts';
import { createCallbacks } from './callbacks.ts';
import { parseSecrets } from './signature.ts';
import { createWebhookApp } from './webhook-app.ts';
import type { WebhookMessage } from './webhook-message.ts';

/** What `webhook` takes. Only `secrets` has no default. */
export interface WebhookOptions {
  /** Where to listen: `host:port`, port 0 for any free one. Default `127.0.0.1:0`. Plain HTTP: beyond this machine, put TLS before it. */
  readonly listen?: string;
  /** The text of a file of secrets, one a line, newest first: `whsec_` and 24 to 64 bytes in base64. At most 8. */
  readonly secrets: string;
  /** Makes a message of a body that is not `{ text, conversation?, sender?, data?, callback? }`. What it throws refuses the request. */
  readonly message?: (body: unknown, headers: Headers) => WebhookMessage;
  /** Whether callbacks may lead to this machine, also over plain http. Default false. */
  readonly allowLoopbackCallbacks?: boolean;
  /** Whether callbacks may lead into private networks. Default false. */
  readonly allowPrivateCallbacks?: boolean;
}

const WEBHOOK_OPTIONS: Names<WebhookOptions> = {
  listen: true,
  secrets: true,
  message: true,
  allowLoopbackCallbacks: true,
  allowPrivateCallbacks: true,
};

/**
 * A platform that is reached, and replies, by signed webhooks.
 * @throws PincerError `OPTION_INVALID` for secrets and an address that are none.
 * @see https://www.standardwebhooks.com
 */
export function webhook(options: WebhookOptions): Platform {
  checkOptions(options, 'webhook', 'secrets', WEBHOOK_OPTIONS);
  const secrets = parseSecrets(options.secrets);
  const { listen = '127.0.0.1:0' } = options;
  // Not only when it is opened: one that stands by would take over, and end.
  hostAndPortOf(listen);
  const allowed = {
    isLoopbackAllowed: options.allowLoopbackCallbacks ?? false,
    isPrivateAllowed: options.allowPrivateCallbacks ?? false,
  };
  return {
    kind: 'webhook',
    async open(inlet, world): Promise<OpenPlatform> {
      const { clock, limits } = world;
      const safe = createSafeFetch({
        clock,
        timeoutMs: limits.webhookCallbackMs,
        bytesMax: ANSWER_BYTES_MAX,
        ...allowed,
      });
      const callbacks = createCallbacks({ safe, secrets, clock, allowed });
      const app = createWebhookApp({ inlet, world, secrets, allowed, message: options.message });
      try {
        const server = await serveHttp({
          fetch: app.fetch,
          listen,
          clock,
          limits,
          connectionsMax: limits.webhookConnectionsMax,
          holdMs: limits.channelAcceptMs + limits.webhookHoldMs,
        });
        return {
          url: server.url,
          deliver: (message, signal) => callbacks.deliver(message, signal),
          pause: async () => app.pause(),
          async close() {
            app.close();
            await server.close();
            await safe.close();
          },
        };
      } catch (error) {
        await safe.close();
        // The instance that held the lease before may not be gone yet, and its address with it.
        const isTaken = error instanceof PincerError && error.message.includes('EADDRINUSE');
        throw isTaken ? new PincerError(error.code, error.message, { cause: error, retryable: true }) : error;
      }
    },
  };
}

/** Of an answer to a callback nothing but its status is wanted. */
const ANSWER_BYTES_MAX = 65_536;

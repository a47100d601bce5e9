/**
 * The HTTP side of the webhook channel: who may send, what a request must be, and how it is answered. Cheap refusals come
 * first; nothing is remembered of a request that was refused.
 */
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { PincerError } from '../../protocol/failure.ts';
import { judgedUrl } from '../../transport/discovery/safe-fetch.ts';
import type { Inlet, PlatformWorld } from '../platform.ts';
import { Recent } from '../recent.ts';
import type { Allowed } from './callbacks.ts';
import { checkHeaders, isTagOf, type SignatureHeaders, tagOf, verify } from './signature.ts';
import { createAnswers } from './webhook-answers.ts';
import { WebhookMessage } from './webhook-message.ts';

const STATUS_OF: Readonly<Record<string, ContentfulStatusCode>> = {
  PAYLOAD_INVALID: 400,
  ADDRESS_REFUSED: 400,
  SIGNATURE_INVALID: 401,
  SIGNATURE_STALE: 401,
  TASK_UNKNOWN: 404,
  SIGNATURE_REPLAYED: 409,
  PAYLOAD_TOO_LARGE: 413,
};

export interface WebhookAppOptions {
  readonly inlet: Inlet;
  readonly world: PlatformWorld;
  readonly secrets: readonly Uint8Array[];
  readonly allowed: Allowed;
  readonly message: ((body: unknown, headers: Headers) => WebhookMessage) | undefined;
}

export function createWebhookApp({ inlet, world, secrets, allowed, message: messageOf }: WebhookAppOptions) {
  const { clock, limits, log } = world;
  // A signature is too old for another try once its timestamp is; it may have been ahead by a window.
  const seen = new Recent(clock, { max: limits.webhookReplaysMax, keepMs: 2 * limits.webhookWindowMs });
  const [newest = new Uint8Array()] = secrets;
  const answers = createAnswers(world, (taskId) => `/replies/${taskId}.${tagOf(taskId, newest)}`);
  /** What the inlet has refused, it has counted. */
  const counted = new WeakSet<PincerError>();
  let isPaused = false;
  const app = new Hono();

  app.get('/livez', (context) => context.text('ok\n'));
  app.get('/readyz', (context) => (isPaused ? context.text('draining\n', 503) : context.text('ok\n')));

  app.post(
    '/',
    async (context, next) => {
      if (isPaused) throw standby();
      signatureOf(context);
      await next();
    },
    bodyLimit({
      maxSize: limits.webhookBodyBytesMax,
      onError: () => {
        throw new PincerError('PAYLOAD_TOO_LARGE', `a body has at most ${limits.webhookBodyBytesMax} bytes`);
      },
    }),
    async (context) => {
      const signature = signatureOf(context);
      const body = new Uint8Array(await context.req.arrayBuffer());
      const request = verify(signature, body, secrets);
      const { text, data, callback, ...said } = readMessage(body, context.req.raw.headers);
      if (callback !== undefined) judgedUrl(callback, allowed);
      if (seen.has(request)) throw new PincerError('SIGNATURE_REPLAYED', `${signature.id} was accepted before`);
      if (!seen.hasRoom) throw busy(`${limits.webhookReplaysMax} requests came in within the window`);
      seen.add(request);
      try {
        const turn = await inlet.take({
          id: signature.id,
          conversation: said.conversation ?? signature.id.slice(0, 128),
          sender: said.sender ?? 'webhook',
          text,
          ...(data === undefined ? {} : { data }),
          replyTo: callback === undefined ? null : { url: callback, messageId: signature.id },
        });
        return turn === null
          ? context.json({ status: 'published' }, 202)
          : answers.to(context, turn, callback !== undefined);
      } catch (error) {
        // What was not accepted may be sent again as it is.
        seen.delete(request);
        if (error instanceof PincerError) counted.add(error);
        throw error;
      }
    },
  );

  app.get('/replies/:address', (context) => {
    const [taskId = '', tag = ''] = context.req.param('address').split('.');
    if (!isTagOf(tag, taskId, secrets)) throw new PincerError('TASK_UNKNOWN', 'there is no reply at this address');
    return answers.to(context, inlet.follow(taskId), false);
  });

  app.notFound((context) => refuse(context, new PincerError('MESSAGE_UNEXPECTED', 'there is nothing here'), 404));
  app.onError((thrown, context) => {
    if (thrown instanceof PincerError) {
      if (!counted.has(thrown) && context.req.method === 'POST') inlet.refused();
      return refuse(context, thrown, STATUS_OF[thrown.code] ?? (thrown.retryable ? 503 : 500));
    }
    log.error('webhook.failed', { error: String(thrown) });
    return refuse(context, new PincerError('INTERNAL', 'a fault in the channel'), 500);
  });

  function signatureOf({ req }: Context): SignatureHeaders {
    const [id, timestamp, signature] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) =>
      req.header(name),
    );
    // The one decision by wall-clock time: the sender is another machine, and its clock is all there is to go by.
    return checkHeaders({ id, timestamp, signature }, clock.wallTime(), limits.webhookWindowMs);
  }

  function readMessage(body: Uint8Array, headers: Headers): WebhookMessage {
    let json: unknown;
    try {
      json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    } catch {
      throw new PincerError('PAYLOAD_INVALID', 'the body is not JSON');
    }
    let message: unknown = json;
    if (messageOf !== undefined) {
      try {
        message = messageOf(json, headers);
      } catch (error) {
        if (error instanceof PincerError) throw error;
        throw new PincerError('PAYLOAD_INVALID', `no message can be made of the body: ${String(error)}`);
      }
    }
    const checked = WebhookMessage.safeParse(message);
    if (checked.success) return checked.data;
    const [issue] = checked.error.issues;
    throw new PincerError('PAYLOAD_INVALID', `${['body', ...(issue?.path ?? [])].join('.')}: ${issue?.message}`);
  }

  return {
    fetch: (request: Request, env: unknown) => app.fetch(request, env as object),
    /** Takes no more messages; replies can still be fetched. */
    pause(): void {
      isPaused = true;
    },
    /** Ends what is held: each is told where its reply will be. */
    close(): void {
      isPaused = true;
      answers.close();
    },
  };
}

function refuse(context: Context, { code, message, hint, retryAfterMs }: PincerError, status: number): Response {
  if (status === 503) context.header('Retry-After', String(Math.ceil((retryAfterMs ?? 1_000) / 1_000)));
  // The rest of a body that is not wanted is not read.
  if (status === 401 || status === 413) context.header('Connection', 'close');
  return context.json({ code, message, hint }, status as ContentfulStatusCode);
}

function standby(): PincerError {
  return new PincerError('CHANNEL_STANDBY', 'this channel is about to stop');
}

function busy(why: string): PincerError {
  return new PincerError('RATE_EXCEEDED', why, { retryAfterMs: 1_000 });
}

/**
 * The registry over HTTP: who may ask, how much, and what each request means. The contract is the OpenAPI document it
 * serves; what is acknowledged here is durable.
 */
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { z } from 'zod';
import { PincerError } from '../protocol/failure.ts';
import { Identifier } from '../protocol/identifier.ts';
import type { Limits } from '../protocol/limits.ts';
import type { Clock, Log } from '../protocol/ports.ts';
import { LeaseQuery, NodeQuery, Registration } from '../transport/discovery/registry-messages.ts';
import type { Verifier } from '../transport/upgrade.ts';
import type { LeaseBook } from './lease-book.ts';
import { openApiOf } from './open-api.ts';
import { createTurnstile } from './turnstile.ts';

export interface AppOptions {
  readonly book: LeaseBook;
  readonly verifier: Verifier;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Limits;
  readonly ttlMs: number;
  readonly version: string;
  /** The address of whoever asks, without its port. */
  addressOf(context: Context): string;
}

const STATUS_OF: Readonly<Record<string, ContentfulStatusCode>> = {
  MESSAGE_INVALID: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NODE_UNKNOWN: 404,
  SUPERSEDED: 409,
  FRAME_TOO_LARGE: 413,
  RATE_EXCEEDED: 429,
  STORE_UNAVAILABLE: 503,
};

export function createApp(options: AppOptions): Hono {
  const { book, verifier, clock, log, limits, ttlMs, version, addressOf } = options;
  const turnstile = createTurnstile(clock, limits.registryRequestsPerSecondMax);
  const document = openApiOf(version);
  const app = new Hono();

  app.get('/livez', (context) => context.text('ok\n'));
  app.get('/openapi.json', (context) => {
    if (turnstile.admitStranger(addressOf(context)) > 0) throw tooMany(1_000);
    return context.json(document);
  });

  app.use('/nodes/*', async (context, next) => {
    const address = addressOf(context);
    const { authorization, origin, host } = context.req.header();
    const verdict = verifier({ authorization, origin, host, remoteAddress: address });
    // Whoever guesses is slowed down as a stranger is; who has the key never waits for those who have not.
    const isStranger = verdict instanceof PincerError;
    const waitMs = isStranger ? turnstile.admitStranger(address) : turnstile.admit();
    if (waitMs > 0) throw tooMany(waitMs);
    if (isStranger) throw verdict;
    await next();
  });
  const limitedBody = bodyLimit({
    maxSize: limits.registryBodyBytesMax,
    onError: () => {
      throw new PincerError('FRAME_TOO_LARGE', `a body has at most ${limits.registryBodyBytesMax} bytes`);
    },
  });

  app.post('/nodes', limitedBody, async (context) => {
    const node = check(Registration, await bodyOf(context), 'body');
    const lease = await book.put(node);
    log.info('registry.registered', { nodeId: node.id, type: node.type, region: node.region });
    return context.json({ lease, ttlMs }, 201);
  });

  app.get('/nodes', (context) => {
    const { limit = limits.registryPageMax, ...filter } = check(NodeQuery, context.req.query(), 'query');
    return context.json(book.list({ ...filter, limit: Math.min(limit, limits.registryPageMax) }));
  });

  app.post('/nodes/:id/heartbeat', (context) => {
    const id = check(Identifier, context.req.param('id'), 'id');
    const { lease } = check(LeaseQuery, context.req.query(), 'query');
    const answer = book.beat(id, lease);
    if (typeof answer === 'string') throw lost(id, answer);
    return context.json({ lease: answer.lease, ttlMs });
  });

  app.delete('/nodes/:id', async (context) => {
    const id = check(Identifier, context.req.param('id'), 'id');
    const { lease } = check(LeaseQuery, context.req.query(), 'query');
    const answer = await book.drop(id, lease);
    if (answer !== 'dropped') throw lost(id, answer);
    log.info('registry.deregistered', { nodeId: id });
    return context.body(null, 204);
  });

  app.notFound((context) => refuse(context, new PincerError('MESSAGE_UNEXPECTED', 'there is nothing here'), 404));
  app.onError((error, context) => {
    if (error instanceof HTTPException) {
      return refuse(context, new PincerError('MESSAGE_INVALID', error.message || 'not valid'), error.status);
    }
    if (error instanceof PincerError) return refuse(context, error, STATUS_OF[error.code] ?? 500);
    log.error('registry.failed', { error: String(error) });
    return refuse(context, new PincerError('INTERNAL', 'a fault in the registry'), 500);
  });
  return app;
}

function refuse(context: Context, { code, message, hint, retryAfterMs }: PincerError, status: number): Response {
  if (status === 401) context.header('WWW-Authenticate', 'Bearer');
  if (retryAfterMs !== undefined) context.header('Retry-After', String(Math.ceil(retryAfterMs / 1_000)));
  // The rest of a body that is not wanted is not read.
  if (status === 413) context.header('Connection', 'close');
  return context.json({ code, message, hint }, status as ContentfulStatusCode);
}

async function bodyOf(context: Context): Promise<unknown> {
  const type = context.req.header('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw new HTTPException(415, { message: 'the body must be application/json' });
  try {
    return await context.req.json();
  } catch (error) {
    if (error instanceof PincerError) throw error;
    throw new PincerError('MESSAGE_INVALID', 'the body is not JSON');
  }
}

function check<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.infer<Schema> {
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  throw new PincerError('MESSAGE_INVALID', `${[what, ...(issue?.path ?? [])].join('.')}: ${issue?.message}`);
}

function lost(id: string, answer: 'unknown' | 'foreign'): PincerError {
  return answer === 'unknown'
    ? new PincerError('NODE_UNKNOWN', `${id} has no lease`, { hint: 'Register it again.' })
    : new PincerError('SUPERSEDED', `${id} was registered anew by somebody else`);
}

function tooMany(waitMs: number): PincerError {
  return new PincerError('RATE_EXCEEDED', 'too many requests', { retryAfterMs: Math.ceil(waitMs) });
}

/** What a webhook says, and what is said back. */
import { z } from 'zod';
import type { SettledTask } from '../../actors/client/handle.ts';

/** The body of a webhook that comes in. */
export const WebhookMessage = z.strictObject({
  text: z.string().min(1).max(100_000),
  /** Default: every request is one of its own. */
  conversation: z.string().min(1).max(128).optional(),
  /** Default `webhook`. */
  sender: z.string().min(1).max(128).optional(),
  data: z.unknown().optional(),
  /** Where the reply is sent. Without one, the reply is the answer to the request, or is fetched. */
  callback: z.string().max(2_048).optional(),
});
/** A webhook that came in. */
export type WebhookMessage = z.infer<typeof WebhookMessage>;

/** Where a reply is sent, kept with its delivery. */
export const WebhookAddress = z.strictObject({
  url: z.string().max(2_048),
  messageId: z.string().max(512).optional(),
});

/** A reply, as it is answered, streamed, fetched and sent to a callback. */
export interface WebhookReply {
  readonly type: 'reply';
  readonly taskId: string;
  /** The `webhook-id` of what it replies to, where that is known. */
  readonly messageId?: string;
  readonly status: 'completed' | 'failed' | 'cancelled';
  readonly text: string;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

export function replyOf({ taskId, status, result, error }: SettledTask, text: string): WebhookReply {
  return {
    type: 'reply',
    taskId,
    status,
    text,
    ...(result === undefined ? {} : { result }),
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
  };
}

/** JSON of anything that a task may give: bytes as base64, large integers as text. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, function replace(this: unknown, key, plain: unknown) {
    const original = (this as Record<string, unknown>)[key];
    if (original instanceof Uint8Array) return Buffer.from(original).toString('base64');
    return typeof plain === 'bigint' ? String(plain) : plain;
  });
}

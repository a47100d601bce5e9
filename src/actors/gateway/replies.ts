/** How a refusal is said to a peer. */
import { PincerError } from '../../protocol/failure.ts';
import type { Payload } from '../../protocol/message.ts';

export function errorPayload(error: PincerError): Payload<'error'> {
  return {
    code: error.code,
    message: error.message.slice(0, 2_000),
    retryable: error.retryable,
    hint: error.hint,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  };
}

export function asPincerError(error: unknown): PincerError {
  return error instanceof PincerError ? error : new PincerError('INTERNAL', 'the request failed', { cause: error });
}

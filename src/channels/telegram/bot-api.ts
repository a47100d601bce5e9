/** What of the Bot API is used, and what its errors mean. */
import type { Api } from 'grammy';
import { PincerError } from '../../protocol/failure.ts';
import { plainText } from '../../protocol/identifier.ts';

/** The calls that are made. */
export type BotApi = Pick<Api, 'getMe' | 'getUpdates' | 'sendMessage' | 'editMessageText'>;

/** The code of an error of the Bot API; null if it did not answer. */
export function errorCodeOf(error: unknown): number | null {
  return error instanceof Error && 'error_code' in error ? Number(error.error_code) : null;
}

/** What the API says of an error. Never with the token: of what did not get through, only the reason is told. */
export function describe(error: unknown): string {
  if (error instanceof Error && 'description' in error) return plainText(String(error.description), 500);
  return plainText(error instanceof Error ? error.message : String(error), 500);
}

/** How long the API asks to be left alone. */
export function retryAfterMsOf(error: unknown): number | undefined {
  const parameters = error instanceof Error && 'parameters' in error ? error.parameters : undefined;
  const seconds =
    typeof parameters === 'object' && parameters !== null && 'retry_after' in parameters
      ? Number(parameters.retry_after)
      : Number.NaN;
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : undefined;
}

/** The failure that an error of the API amounts to: what can be mended by waiting is retryable. */
export function explain(error: unknown): PincerError {
  const code = errorCodeOf(error);
  const why = `Telegram: ${describe(error)}`;
  // A token that is unknown is answered 401, one that is malformed 404.
  if (code === 401 || code === 404) {
    return new PincerError('UNAUTHENTICATED', why, { cause: error, hint: 'Check the token of the bot.' });
  }
  if (code === 400 || code === 403) return new PincerError('DELIVERY_REFUSED', why, { cause: error });
  return new PincerError('DELIVERY_FAILED', why, { cause: error, retryAfterMs: retryAfterMsOf(error) });
}

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
  if (!(error instanceof Error)) return plainText(String(error), 500);
  if ('description' in error) return plainText(String(error.description), 500);
  const reason = reasonOf(error);
  return plainText(reason === '' ? error.message : `${error.message} (${reason})`, 500);
}

/** Why a request did not get through, empty if that cannot be told: most that fetch says names the URL, and so the token. */
function reasonOf(error: Error): string {
  const inner = 'error' in error ? error.error : undefined;
  if (!(inner instanceof Error)) return '';
  const { code, type, message } = inner as NodeJS.ErrnoException & { readonly type?: unknown };
  const reason = String(code ?? type ?? message);
  return reason.includes('/bot') ? '' : reason;
}

/** How long the API asks to be left alone. */
export function retryAfterMsOf(error: unknown): number | undefined {
  const seconds = parameterOf(error, 'retry_after');
  return seconds !== undefined && seconds >= 0 ? seconds * 1_000 : undefined;
}

/** The id that a group has since it became a supergroup, if that is why the call failed. */
export function movedToOf(error: unknown): number | undefined {
  return parameterOf(error, 'migrate_to_chat_id');
}

function parameterOf(error: unknown, name: 'retry_after' | 'migrate_to_chat_id'): number | undefined {
  const parameters = error instanceof Error && 'parameters' in error ? error.parameters : undefined;
  if (typeof parameters !== 'object' || parameters === null || !(name in parameters)) return undefined;
  const value = Number((parameters as Record<typeof name, unknown>)[name]);
  return Number.isFinite(value) ? value : undefined;
}

/** The failure that an error of the API amounts to: what can be mended by waiting is retryable. */
export function explain(error: unknown): PincerError {
  const code = errorCodeOf(error);
  // Whoever prints an error prints its cause: that of a request that did not get through has the token in it.
  const cause = code === null ? undefined : error;
  const why = `Telegram: ${describe(error)}`;
  // A token that is unknown is answered 401, one that is malformed 404.
  if (code === 401 || code === 404) {
    return new PincerError('UNAUTHENTICATED', why, { cause, hint: 'Check the token of the bot.' });
  }
  if (code === 400 || code === 403) return new PincerError('DELIVERY_REFUSED', why, { cause });
  return new PincerError('DELIVERY_FAILED', why, { cause, retryAfterMs: retryAfterMsOf(error) });
}

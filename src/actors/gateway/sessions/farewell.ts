/** The last words to a peer: why it is refused, or why its session ends. */
import { type FailureCode, PincerError } from '../../../protocol/failure.ts';
import type { Limits } from '../../../protocol/limits.ts';
import { rejectMessage } from '../../../transport/handshake.ts';
import type { Session } from './session.ts';

/** Says `code` with what is known of it, and closes the link; nothing if there is none. */
export function refuse(session: Session, code: FailureCode, limits: Limits): void {
  const { post, fault, isAttached } = session;
  if (post === null) return;
  const error = fault?.code === code ? fault : new PincerError(code, wordsFor(code, limits));
  const { message, retryAfterMs } = error;
  if (!isAttached) post.send(rejectMessage(error));
  else {
    const payload = { code: error.code, message: message.slice(0, 2_000) };
    post.send({ type: 'goodbye', payload: retryAfterMs === undefined ? payload : { ...payload, retryAfterMs } });
  }
  post.close(error);
}

function wordsFor(code: FailureCode, { handshakeMs }: Limits): string {
  switch (code) {
    case 'HANDSHAKE_TIMEOUT':
      return `no valid register within ${handshakeMs} ms`;
    case 'GATEWAY_DRAINING':
      return 'the gateway is about to stop';
    case 'EVICTED':
      return 'an operator has ended the session';
    default:
      return code;
  }
}

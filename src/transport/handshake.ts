/** The first two messages of every link: what a peer says, what a gateway answers. Which peer may come in is not decided here. */
import { FAILURES, type FailureCode, PincerError } from '../protocol/failure.ts';
import { defaultLimits, type Limits } from '../protocol/limits.ts';
import { type Message, type Payload, PROTOCOL_VERSIONS } from '../protocol/message.ts';

/**
 * The newest protocol version both sides speak.
 * @throws PincerError `PROTOCOL_VERSION`, naming both ranges.
 */
export function agreeOnVersion(theirs: readonly [number, number]): number {
  const [oldest, newest] = PROTOCOL_VERSIONS;
  const version = Math.min(newest, theirs[1]);
  if (version < oldest || version < theirs[0]) {
    throw new PincerError(
      'PROTOCOL_VERSION',
      `this side speaks protocol ${oldest}–${newest}, the other ${theirs[0]}–${theirs[1]}`,
    );
  }
  return version;
}

/**
 * The register that must open a link.
 * @throws PincerError `MESSAGE_UNEXPECTED` for anything else.
 */
export function expectRegister(message: Message): Payload<'register'> {
  if (message.type === 'register') return message.payload;
  throw new PincerError('MESSAGE_UNEXPECTED', `the first message must be register, not ${message.type}`);
}

/**
 * By what a dialled gateway is read. It cannot know what its peer has lowered, and would say what is too large for it over
 * each new link: frames are taken as large as any gateway sends them.
 */
export function readingLimits<Some extends Pick<Limits, 'frameBytesMax'>>(limits: Some): Some {
  return { ...limits, frameBytesMax: Math.max(limits.frameBytesMax, defaultLimits.frameBytesMax) };
}

/** The refusal of a handshake: code, reason, and what the reader can do. */
export function rejectMessage(error: PincerError): Message<'reject'> {
  return {
    type: 'reject',
    payload: {
      code: error.code,
      message: error.message.slice(0, 2_000),
      hint: error.hint,
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    },
  };
}

/** The error that a close code and reason of the other side stand for: the reason begins with a failure code where Pincer closed. */
export function closeError(code: number, reason: string): PincerError {
  const named = /^([A-Z][A-Z0-9_]+): (.*)$/s.exec(reason);
  const failure = named?.[1];
  if (failure !== undefined && Object.hasOwn(FAILURES, failure)) {
    return new PincerError(failure as FailureCode, named?.[2] ?? reason);
  }
  return new PincerError('LINK_CLOSED', `the link closed with code ${code}${reason === '' ? '' : `: ${reason}`}`);
}

/** Failures after which dialling again is pointless: only a person can mend them. */
const FINAL: ReadonlySet<string> = new Set<FailureCode>([
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'IDENTITY_MISMATCH',
  'PROTOCOL_VERSION',
  'SUPERSEDED',
  'EVICTED',
]);

/** Whether a failure of the way to a gateway is final. */
export function isFinal(error: PincerError): boolean {
  return FINAL.has(error.code);
}

/**
 * Every way in which Pincer says no: one table of codes, and the one error class that carries them. docs/failures.md has
 * a row for each code; a test compares both.
 */

interface FailureKind {
  /** Whether the same request, sent again unchanged, may succeed. */
  readonly retryable: boolean;
  readonly means: string;
  /** What the reader can do about it. */
  readonly hint: string;
  /** The WebSocket close code, where the failure ends a link (RFC 6455, private range). */
  readonly close?: number;
}

/** Every failure code: whether the same request may succeed later, what it means, and what to do about it. */
export const FAILURES = {
  // Tasks
  HANDLER_FAILED: kind(true, 'the handler threw', 'Read the message; it is the handler’s own.'),
  HANDLER_REFUSED: kind(
    false,
    'the handler threw an error that says it is not retryable',
    'Read the message; it is the handler’s own.',
  ),
  TASK_TIMED_OUT: kind(
    true,
    'one attempt took longer than the task’s timeout',
    'Give the task more time with `timeoutMs` or `--timeout`.',
  ),
  TASK_EXPIRED: kind(
    false,
    'the task did not start within its time to live',
    'Give it a longer `ttlMs`, or add nodes; `pincer tasks retry` runs it again.',
  ),
  DEADLINE_PASSED: kind(
    false,
    'the task was not done by its total deadline',
    'Give it a longer `deadlineMs`; `pincer tasks retry` runs it again.',
  ),
  DEPENDENCY_FAILED: kind(
    false,
    'a task that this one depends on failed or was cancelled',
    'Look at that task first; `pincer tasks retry` runs both again.',
  ),
  TASK_CANCELLED: kind(false, 'the task was cancelled', 'Submit it again if it is still wanted.'),
  NODE_LOST: kind(
    true,
    'the node of the attempt went away before it reported',
    'Nothing: the task is placed on another node.',
  ),
  UNDELIVERED: kind(
    true,
    'the assignment never reached its node',
    'Nothing: the task is placed again, at no cost to its attempts.',
  ),
  NO_HANDLER: kind(
    true,
    'the node has no handler for the type of the task',
    'Start a node with a handler for the type, or declare the capability it needs.',
  ),
  NODE_FULL: kind(true, 'the node had no free slot for the assignment', 'Nothing: the task is placed again.'),
  NODE_DRAINING: kind(true, 'the node takes no new work', 'Nothing: the task is placed elsewhere.'),
  PAYLOAD_INVALID: kind(
    false,
    'the payload does not fit the task’s input',
    'Correct the payload; the message names the field.',
  ),
  PAYLOAD_TOO_LARGE: kind(
    false,
    'the payload is larger than payloadBytesMax',
    'Send a reference (a path, a URL) instead of the content.',
  ),
  RESULT_INVALID: kind(
    false,
    'the result does not fit the task’s output',
    'Correct the handler, or the output schema.',
  ),
  RESULT_TOO_LARGE: kind(
    false,
    'the result is larger than payloadBytesMax',
    'Return a reference instead of the content.',
  ),
  TASK_UNKNOWN: kind(
    false,
    'no task with that id is known',
    'Check the id with `pincer tasks ls`; finished tasks are forgotten after a while.',
  ),
  KEY_CONFLICT: kind(false, 'the idempotency key belongs to a task of another type', 'Use another key.'),
  QUEUE_FULL: kind(
    true,
    'too many tasks are waiting, or one client has too many that have not settled',
    'Submit again after `retryAfterMs`, or add nodes.',
  ),
  TASK_NOT_FAILED: kind(
    false,
    'only a failed or cancelled task can be retried',
    'Look at it with `pincer tasks get TASK`.',
  ),
  TYPE_DRAINING: kind(
    true,
    'an operator drains the task type: no more of its tasks are taken in',
    'Submit it later, or take the order back with `pincer types resume`.',
  ),
  SCHEDULE_UNKNOWN: kind(false, 'no schedule with that id is known', 'Check the id with `pincer schedules ls`.'),
  SCHEDULE_INVALID: kind(
    false,
    'the times of a schedule cannot be read, or never come',
    'Give five fields, such as `0 3 * * *`, and an IANA time zone, or a span; the message says what is wrong.',
  ),
  NODE_UNKNOWN: kind(false, 'no node with that id is known', 'Check the id with `pincer nodes ls`.'),
  HANDLER_NOT_LOADED: kind(
    true,
    'the isolate of the handler could not be started, or its module has no such handler',
    'Load the module by hand on the node’s machine; the message says what went wrong.',
  ),
  HANDLER_EXITED: kind(
    true,
    'the isolate of the handler ended before the handler did',
    'Look for a `process.exit` or a crash in the handler; the message says how it ended.',
  ),
  HANDLER_OUT_OF_MEMORY: kind(
    true,
    'the handler needed more memory than its isolate has',
    'Give it more with `memoryMbMax` or `--memory-mb`, or the task less to do.',
  ),
  COMMAND_NOT_ALLOWED: kind(
    false,
    'the node does not allow the command of a tool-execution',
    'Use a command that the message names, or start the node with yours allowed.',
  ),
  COMMAND_KILLED: kind(
    true,
    'a signal that Pincer did not send ended the command',
    'Look for a crash of the program, or for a node that is short of memory.',
  ),

  NODE_OFFLINE: kind(
    true,
    'the node is known and has no link now',
    'Send it with `reliable: true`, or come back when it is online.',
  ),
  NO_RECEIVER: kind(false, 'the peer takes no messages', 'Give the other side a message handler.'),

  // Channels
  CHANNEL_STANDBY: kind(
    true,
    'this instance of the channel does not hold its lease, or has lost its platform',
    'Ask the instance that does, or come back later.',
  ),
  SIGNATURE_INVALID: kind(
    false,
    'a webhook is not signed, or not with a secret of the channel',
    'Sign `id.timestamp.body` with the secret, as docs/channels.md shows.',
  ),
  SIGNATURE_STALE: kind(
    false,
    'the timestamp of a webhook is too far from the channel’s clock',
    'Sign it anew when it is sent again; set both clocks.',
  ),
  SIGNATURE_REPLAYED: kind(
    false,
    'the very same signed webhook was accepted before',
    'To send it again, keep `webhook-id` and sign it with a new timestamp.',
  ),
  DELIVERY_FAILED: kind(
    true,
    'the platform did not take a message',
    'Nothing: it is sent again; `pincer tasks retry` after the last attempt.',
  ),
  DELIVERY_REFUSED: kind(
    false,
    'the platform will never take this message',
    'Read the message; it is the platform’s own.',
  ),
  OUTPUT_UNWRITABLE: kind(
    false,
    'what a command has to say cannot be written',
    'Send it to a place with room that can be written to.',
  ),
  PACKAGE_MISSING: kind(false, 'an optional package is not installed', 'Install it: the message has the command.'),

  // Links and sessions
  UNAUTHENTICATED: kind(
    false,
    'no token, or a wrong one',
    'Pass the gateway’s token with `--token-file FILE` or PINCER_TOKEN.',
    4401,
  ),
  FORBIDDEN: kind(false, 'the connection is not allowed to do that', 'Use an identity that is.', 4403),
  IDENTITY_MISMATCH: kind(
    false,
    'a message names another sender than the connection proved',
    'Leave `from` out, or name yourself.',
    4403,
  ),
  PROTOCOL_VERSION: kind(false, 'both sides share no protocol version', 'Upgrade the older side.', 4406),
  FRAME_INVALID: kind(false, 'a frame is not well-formed', 'See docs/protocol.md, “Frames”.', 4400),
  FRAME_TOO_LARGE: kind(false, 'a frame is larger than frameBytesMax', 'Send less at once.', 4413),
  MESSAGE_INVALID: kind(
    false,
    'a message does not fit its schema',
    'See docs/protocol.md; the message names the field.',
    4400,
  ),
  MESSAGE_UNEXPECTED: kind(
    false,
    'a message is not legal in the present state of its session',
    'See docs/protocol.md, “Sessions”.',
    4400,
  ),
  SESSION_GAP: kind(true, 'a sequence number is missing', 'Nothing: the session resumes and replays.', 4409),
  SESSION_UNKNOWN: kind(true, 'the session to resume is over', 'Nothing: a new session starts.'),
  SUPERSEDED: kind(
    false,
    'another process registered with the same id',
    'Give each node an id of its own with `--id`.',
    4410,
  ),
  EVICTED: kind(
    false,
    'an operator has ended the session',
    'Ask who runs the gateway; start the node again if it is welcome.',
    4411,
  ),
  HANDSHAKE_TIMEOUT: kind(
    true,
    'no valid register within handshakeMs',
    'Check that the peer is a Pincer node or client.',
    4408,
  ),
  RATE_EXCEEDED: kind(true, 'too much of something at once', 'Slow down; the message names the limit.', 4429),
  SLOW_CONSUMER: kind(
    true,
    'the peer does not read or acknowledge what it is sent',
    'Check the peer’s event loop and network.',
    4429,
  ),
  LINK_CLOSED: kind(true, 'the link closed before the answer came', 'Nothing: the peer dials again.'),
  GATEWAY_UNREACHABLE: kind(true, 'no gateway answers at the address', 'Check the URL and that `pincer gateway` runs.'),
  GATEWAY_DRAINING: kind(true, 'the gateway is about to stop', 'Use another gateway, or come back later.', 4412),
  TIMED_OUT: kind(true, 'no answer within the time given', 'Ask again with more time.'),
  STOPPED: kind(false, 'the gateway, node or client was stopped', 'Start it again.'),

  // Set-up and everything else
  OPTION_INVALID: kind(false, 'an option has a value it cannot have', 'Correct what the message names.'),
  BIND_REFUSED: kind(
    false,
    'the gateway would be open to the network without a token, or with one that is short',
    'Bind to 127.0.0.1, or set a token of at least 16 characters (`openssl rand -hex 32`) with `--token-file FILE` or PINCER_TOKEN.',
  ),
  NODES_FILE_INVALID: kind(
    false,
    'a list of nodes is not what nodes.json must be',
    'Correct the file; the message names line, column and field.',
  ),
  DISCOVERY_FAILED: kind(
    true,
    'a discovery source has nothing to go by for now',
    'Nothing: it is started again after a backoff; the message says what is wrong.',
  ),
  ADDRESS_REFUSED: kind(
    false,
    'a URL leads to an address that Pincer must not ask',
    'Use https and a public address; the message says what is wrong with this one.',
  ),
  STORE_UNAVAILABLE: kind(true, 'the store cannot be written now', 'Nothing is lost; check its disk or server.'),
  STORE_INCOMPATIBLE: kind(
    false,
    'another version of Pincer wrote the store',
    'Run the version that wrote it, or name another directory with `--store DIR`.',
  ),
  OUTBOX_UNAVAILABLE: kind(
    true,
    'the outbox of a node cannot be opened or written now',
    'The message names the file; make it writable, or name another directory with `--outbox DIR`.',
  ),
  OUTBOX_IN_USE: kind(
    true,
    'another process has the outbox open',
    'Stop that process, or give each node a directory of its own with `--outbox DIR`.',
  ),
  STORE_UNSUPPORTED: kind(
    false,
    'the store on disk has no build for this platform, or it was not installed',
    'Install without `--omit=optional`, on this platform, or use `--store memory`.',
  ),
  FENCED: kind(true, 'the gateway’s claim on its tasks has lapsed', 'Nothing: it joins again.'),
  INTERNAL: kind(true, 'a fault in Pincer itself', 'Please report it with the message.', 4500),
} as const satisfies Record<string, FailureKind>;

/** A failure code; stable, for programs. */
export type FailureCode = keyof typeof FAILURES;

/** What a failure code looks like, those of handlers too. */
export const FAILURE_CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

/** Of a message so much travels. */
const MESSAGE_CHARACTERS_MAX = 2_000;

/** A failure as it travels: plain data. */
export interface Failure {
  readonly code: FailureCode | (string & {});
  readonly message: string;
  readonly retryable: boolean;
}

/**
 * The error that every rejected promise and thrown failure of Pincer is.
 * `code` is for programs, `message` names the thing and the number, `hint` says what to do, `retryable` whether the same
 * call may succeed later, `retryAfterMs` when, if that is known.
 */
export class PincerError extends Error {
  override readonly name = 'PincerError';
  readonly code: string;
  readonly retryable: boolean;
  readonly hint: string;
  readonly retryAfterMs: number | undefined;

  constructor(
    code: FailureCode | (string & {}),
    message: string,
    options: {
      cause?: unknown;
      retryable?: boolean | undefined;
      hint?: string | undefined;
      retryAfterMs?: number | undefined;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const known = Object.hasOwn(FAILURES, code) ? (FAILURES[code as FailureCode] as FailureKind) : undefined;
    this.code = code;
    this.retryable = options.retryable ?? known?.retryable ?? false;
    this.hint = options.hint ?? known?.hint ?? '';
    this.retryAfterMs = options.retryAfterMs;
  }

  /** The failure as plain data, without stack or cause; of its message the first 2 000 characters. */
  toFailure(): Failure {
    return { code: this.code, message: this.message.slice(0, MESSAGE_CHARACTERS_MAX), retryable: this.retryable };
  }

  /** The error for a failure that arrived as data. */
  static from(failure: {
    code: string;
    message: string;
    retryable?: boolean | undefined;
    hint?: string | undefined;
    retryAfterMs?: number | undefined;
  }): PincerError {
    const { code, message, ...options } = failure;
    return new PincerError(code, message, options);
  }
}

/**
 * The failure that any thrown value amounts to; a PincerError keeps its code, anything else gets `fallback`. So does one
 * whose code cannot be sent: the peer would refuse the message together with the link. Never throws, whatever it is given.
 */
export function toFailure(thrown: unknown, fallback: FailureCode): Failure {
  return {
    code: codeOf(thrown) ?? fallback,
    message: messageOf(thrown).slice(0, MESSAGE_CHARACTERS_MAX),
    retryable: retryableOf(thrown) ?? FAILURES[fallback].retryable,
  };
}

/** What a thrown value says of whether it may be tried again; undefined: nothing. */
export function retryableOf(thrown: unknown): boolean | undefined {
  // Of anything that can be thrown, any look may throw in turn.
  try {
    const claim = thrown instanceof Error && 'retryable' in thrown ? thrown.retryable : undefined;
    return typeof claim === 'boolean' ? claim : undefined;
  } catch {
    return undefined;
  }
}

function codeOf(thrown: unknown): string | undefined {
  try {
    const code: unknown = thrown instanceof PincerError ? thrown.code : undefined;
    return typeof code === 'string' && FAILURE_CODE.test(code) ? code : undefined;
  } catch {
    return undefined;
  }
}

function messageOf(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return String(thrown);
    if (thrown.message !== '') return String(thrown.message);
    // As Node says it of a host none of whose addresses answers: the reasons are within.
    if (thrown instanceof AggregateError && thrown.errors.length > 0) return thrown.errors.map(messageOf).join('; ');
    return String(thrown);
  } catch {
    return `a thrown ${typeof thrown} that cannot be read`;
  }
}

/** The close code of a failure that ends a link; 4500 for one that has none of its own. */
export function closeCodeOf(code: string): number {
  const known: FailureKind | undefined = Object.hasOwn(FAILURES, code) ? FAILURES[code as FailureCode] : undefined;
  return known?.close ?? 4500;
}

function kind(retryable: boolean, means: string, hint: string, close?: number): FailureKind {
  return close === undefined ? { retryable, means, hint } : { retryable, means, hint, close };
}

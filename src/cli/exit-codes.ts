/** What the process ends with, by what went wrong. One table; docs/operating.md shows it. */
import type { FailureCode, PincerError } from '../index.ts';

export const EXIT = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  unreachable: 3,
  forbidden: 4,
  notFound: 5,
  taskFailed: 6,
  taskTimedOut: 7,
  taskCancelled: 8,
  conflict: 9,
  /** Something is wrong, says doctor. */
  degraded: 10,
  interrupted: 130,
  terminated: 143,
} as const;

/** Codes that are not named here end with 1, or with 6 where a task failed with them. */
export const BY_CODE = {
  OPTION_INVALID: EXIT.usage,
  BIND_REFUSED: EXIT.usage,
  NODES_FILE_INVALID: EXIT.usage,
  PACKAGE_MISSING: EXIT.usage,
  PAYLOAD_INVALID: EXIT.usage,
  PAYLOAD_TOO_LARGE: EXIT.usage,
  GATEWAY_UNREACHABLE: EXIT.unreachable,
  LINK_CLOSED: EXIT.unreachable,
  TIMED_OUT: EXIT.unreachable,
  UNAUTHENTICATED: EXIT.forbidden,
  FORBIDDEN: EXIT.forbidden,
  IDENTITY_MISMATCH: EXIT.forbidden,
  PROTOCOL_VERSION: EXIT.forbidden,
  EVICTED: EXIT.forbidden,
  TASK_UNKNOWN: EXIT.notFound,
  TASK_NOT_FAILED: EXIT.conflict,
  NODE_UNKNOWN: EXIT.notFound,
  SCHEDULE_UNKNOWN: EXIT.notFound,
  SCHEDULE_INVALID: EXIT.usage,
  TASK_TIMED_OUT: EXIT.taskTimedOut,
  TASK_CANCELLED: EXIT.taskCancelled,
  KEY_CONFLICT: EXIT.conflict,
  SUPERSEDED: EXIT.conflict,
  OUTBOX_IN_USE: EXIT.conflict,
  QUEUE_FULL: EXIT.conflict,
  TYPE_DRAINING: EXIT.conflict,
  GATEWAY_DRAINING: EXIT.conflict,
} as const satisfies Partial<Record<FailureCode, number>>;

const known: Readonly<Record<string, number | undefined>> = { __proto__: null as never, ...BY_CODE };

/** The exit code for a command that could not do what it was asked. */
export function exitCodeOf(error: PincerError): number {
  return known[error.code] ?? EXIT.unexpected;
}

/** The exit code for a task that ended without a result. */
export function exitCodeOfTask(error: PincerError): number {
  const code = known[error.code];
  return code === EXIT.taskTimedOut || code === EXIT.taskCancelled || code === EXIT.notFound ? code : EXIT.taskFailed;
}

/** The exit code for a command that a signal ended. */
export function exitCodeOfSignal(signal: 'SIGINT' | 'SIGTERM'): number {
  return signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated;
}

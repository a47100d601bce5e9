import { describe, expect, it } from 'vitest';
import { BY_CODE, EXIT, exitCodeOf, exitCodeOfSignal, exitCodeOfTask } from '../../src/cli/exit-codes.ts';
import { FAILURES, PincerError } from '../../src/index.ts';

/** Written out by hand: scripts depend on these numbers, so the table may not change them unnoticed. */
const PROMISED: readonly [code: string, exit: number][] = [
  ['INTERNAL', 1],
  ['STOPPED', 1],
  ['OPTION_INVALID', 2],
  ['BIND_REFUSED', 2],
  ['PAYLOAD_INVALID', 2],
  ['PAYLOAD_TOO_LARGE', 2],
  ['GATEWAY_UNREACHABLE', 3],
  ['LINK_CLOSED', 3],
  ['TIMED_OUT', 3],
  ['UNAUTHENTICATED', 4],
  ['FORBIDDEN', 4],
  ['IDENTITY_MISMATCH', 4],
  ['PROTOCOL_VERSION', 4],
  ['EVICTED', 4],
  ['TASK_UNKNOWN', 5],
  ['NODE_UNKNOWN', 5],
  ['TASK_TIMED_OUT', 7],
  ['TASK_CANCELLED', 8],
  ['KEY_CONFLICT', 9],
  ['SUPERSEDED', 9],
  ['QUEUE_FULL', 9],
  ['GATEWAY_DRAINING', 9],
];

describe('the exit code of a command', () => {
  it.each(PROMISED)('is, for %s, %i', (code, exit) => {
    expect(exitCodeOf(new PincerError(code, 'x'))).toBe(exit);
  });

  it('is 1 for a code that nobody knows, whatever it is called', () => {
    for (const code of ['NO_SUCH_CODE', 'constructor', 'toString', '__proto__']) {
      expect(exitCodeOf(new PincerError(code, 'x'))).toBe(1);
    }
  });

  it('is named only for failures that there are', () => {
    expect(Object.keys(BY_CODE).filter((code) => !Object.hasOwn(FAILURES, code))).toEqual([]);
  });

  it('is 130 or 143 after a signal', () => {
    expect([exitCodeOfSignal('SIGINT'), exitCodeOfSignal('SIGTERM')]).toEqual([EXIT.interrupted, EXIT.terminated]);
    expect([EXIT.interrupted, EXIT.terminated]).toEqual([130, 143]);
  });
});

describe('the exit code of a task without a result', () => {
  it('tells time and cancellation apart from all other failures', () => {
    const exits = [
      'HANDLER_FAILED',
      'NODE_LOST',
      'PAYLOAD_INVALID',
      'TASK_TIMED_OUT',
      'TASK_CANCELLED',
      'TASK_UNKNOWN',
    ];
    expect(exits.map((code) => exitCodeOfTask(new PincerError(code, 'x')))).toEqual([6, 6, 6, 7, 8, 5]);
  });
});

import { describe, expect, it } from 'vitest';
import { PincerError, toFailure } from '../../src/protocol/failure.ts';
import { FailureShape } from '../../src/protocol/task.ts';

describe('a thrown value as a failure', () => {
  it.each([
    ['a PincerError', new PincerError('RESULT_INVALID', 'x'.repeat(5_000)), 'RESULT_INVALID'],
    ['one with a code that is no code', new PincerError('not a code', 'x'.repeat(5_000)), 'HANDLER_FAILED'],
    ['any other error', new Error('x'.repeat(5_000)), 'HANDLER_FAILED'],
    ['anything else', 'x'.repeat(5_000), 'HANDLER_FAILED'],
  ])('can be sent, %s too: its message is cut', (_, thrown, code) => {
    const failure = toFailure(thrown, 'HANDLER_FAILED');
    expect(failure).toMatchObject({ code, message: 'x'.repeat(2_000) });
    expect(FailureShape.safeParse(failure).success).toBe(true);
  });

  it('keeps whether it may be tried again, whatever becomes of its code', () => {
    const thrown = new PincerError('no-code', 'no', { retryable: false });
    expect(toFailure(thrown, 'HANDLER_FAILED').retryable).toBe(false);
    expect(new PincerError('TIMED_OUT', 'y'.repeat(3_000)).toFailure().message).toHaveLength(2_000);
  });
});

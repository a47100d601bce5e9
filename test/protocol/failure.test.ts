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

  it.each([
    ['a PincerError whose property throws', failing('retryable'), { code: 'ODD', message: 'is odd' }],
    ['one that cannot be read', failing('message'), { code: 'ODD', message: 'a thrown object that cannot be read' }],
    ['a PincerError whose code throws', failing('code'), { code: 'HANDLER_FAILED', message: 'is odd' }],
    ['a PincerError whose code is no text', odd('code', Symbol('odd')), { code: 'HANDLER_FAILED' }],
    ['a PincerError whose message is no text', odd('message', 5), { code: 'ODD', message: '5' }],
    ['one that says neither yes nor no', odd('retryable', 'yes'), { code: 'ODD', retryable: true }],
    ['a proxy that is of no use any more', revoked(), { code: 'HANDLER_FAILED' }],
  ])('can be sent whatever it is: %s', (_, thrown, expected) => {
    const failure = toFailure(thrown, 'HANDLER_FAILED');
    expect(failure).toMatchObject(expected);
    expect(FailureShape.safeParse(failure).success).toBe(true);
  });

  it('says what is known where the message is empty', () => {
    const refused = ['::1', '127.0.0.1'].map((host) => new Error(`connect ECONNREFUSED ${host}:80`));
    expect(toFailure(new AggregateError(refused), 'HANDLER_FAILED').message).toBe(
      'connect ECONNREFUSED ::1:80; connect ECONNREFUSED 127.0.0.1:80',
    );
    expect(toFailure(new RangeError(), 'HANDLER_FAILED').message).toBe('RangeError');
  });
});

function odd(property: string, value: unknown): Error {
  return Object.defineProperty(new PincerError('ODD', 'is odd'), property, { value });
}

function failing(property: string): Error {
  return Object.defineProperty(new PincerError('ODD', 'is odd'), property, {
    get() {
      throw new Error('cannot be read');
    },
  });
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

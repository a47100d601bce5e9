import { describe, expect, it } from 'vitest';
import { FAILURES, PincerError, toFailure } from '../../src/protocol/failure.ts';
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

describe('an error', () => {
  it('is what the table says of its code, unless it is told otherwise; of another code nothing is known', () => {
    const { retryable, hint } = FAILURES.NODE_LOST;
    expect(new PincerError('NODE_LOST', 'gone')).toMatchObject({ retryable, hint, retryAfterMs: undefined });
    const told = { retryable: !retryable, hint: 'mend it', retryAfterMs: 5 };
    expect(new PincerError('NODE_LOST', 'gone', told)).toMatchObject(told);
    for (const code of ['NO_LUCK', 'constructor']) {
      expect(new PincerError(code, 'no')).toMatchObject({ code, retryable: false, hint: '' });
    }
  });

  it('has a cause if it was given one', () => {
    const cause = new Error('why');
    expect(new PincerError('INTERNAL', 'no', { cause }).cause).toBe(cause);
    expect(new PincerError('INTERNAL', 'no')).not.toHaveProperty('cause');
  });
});

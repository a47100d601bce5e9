/** How one handler is run: what it is called with, how it ends, and what of it is refused. */
import { describe, expect, it } from 'vitest';
import { checkProgress, defineHandler, type Ended, type Run, runHandler } from '../../../src/actors/node/runner.ts';
import { defineTask, type TaskOptions } from '../../../src/actors/task-definition.ts';
import { PincerError } from '../../../src/protocol/failure.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { decodePayload, encodePayload } from '../../../src/transport/payload.ts';

type Standard = NonNullable<TaskOptions['input']>;

/** A schema that doubles numbers and takes nothing else, on the spot or in its own time. */
function doubled(pace: 'now' | 'later'): Standard {
  const validate = (value: unknown) =>
    typeof value === 'number' ? { value: value * 2 } : { issues: [{ message: 'is no number' }] };
  return {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: pace === 'now' ? validate : async (value) => validate(value),
    },
  };
}

interface Ran {
  readonly ended: Ended | Promise<Ended>;
  readonly starts: number[];
  readonly reports: unknown[];
  readonly failures: string[];
}

function run(
  handler: (call: never) => unknown,
  {
    input = 1,
    limits = {},
    schemas = {},
    signal = new AbortController().signal,
    onProgress = async () => {},
  }: {
    input?: unknown;
    limits?: Partial<Run['limits']>;
    schemas?: TaskOptions;
    signal?: AbortSignal;
    onProgress?: () => Promise<void>;
  } = {},
): Ran {
  const starts: number[] = [];
  const reports: unknown[] = [];
  const failures: string[] = [];
  const ended = runHandler(defineHandler(defineTask('job', schemas), handler as never), {
    ...{ taskId: 't-1', attempt: 2, payload: encodePayload(input, defaultLimits), signal },
    limits: { ...defaultLimits, ...limits },
    onStarted: () => void starts.push(1),
    onProgress: (bytes) => {
      reports.push(decodePayload(bytes, defaultLimits));
      return onProgress();
    },
    onProgressFailed: ({ code }) => void failures.push(code),
  });
  return { ended, starts, reports, failures };
}

/** What came of it: the result, or the code and whether it may be tried again. */
async function of({ ended }: Ran): Promise<unknown> {
  const end = await ended;
  if ('result' in end) return decodePayload(end.result, defaultLimits);
  return [end.failure.code, end.failure.retryable];
}

describe('a handler', () => {
  it('ends on the spot if neither it nor a schema takes its time', () => {
    const { ended } = run(({ input }: { input: number }) => input + 1, {
      schemas: { input: doubled('now'), output: doubled('now') },
    });
    expect('result' in ended && decodePayload(ended.result, defaultLimits)).toBe(6);
  });

  it.each([
    ['promise', async (value: unknown) => value],
    // biome-ignore lint/suspicious/noThenProperty: what libraries of their own promises return
    ['thenable', (value: unknown) => ({ then: (done: (value: unknown) => void) => done(value) })],
  ])('may return a %s, and its schemas may take their time', async (_, later) => {
    for (const pace of ['now', 'later'] as const) {
      const schemas = { input: doubled(pace), output: doubled(pace) };
      expect(await of(run(({ input }: { input: number }) => later(input + 1), { schemas }))).toBe(6);
    }
    expect(await of(run(({ input }: { input: number }) => later(input)))).toBe(1);
  });

  it('is not called for an input that does not fit, nor once its attempt was stopped while that was checked', async () => {
    for (const pace of ['now', 'later'] as const) {
      const unfit = run(() => 'ran', { input: 'x', schemas: { input: doubled(pace) } });
      expect([await of(unfit), unfit.starts]).toEqual([['PAYLOAD_INVALID', false], []]);
    }
    const stop = new AbortController();
    const stopped = run(() => 'ran', { signal: stop.signal, schemas: { input: doubled('later') } });
    stop.abort(new PincerError('TASK_CANCELLED', 'no more'));
    expect([await of(stopped), stopped.starts]).toEqual([['TASK_CANCELLED', false], []]);
    const begun = run(() => 'ran', { schemas: { input: doubled('later') } });
    expect([await of(begun), begun.starts]).toEqual(['ran', [1]]);
  });

  it('fails by what it throws or rejects with, and is tried again unless that says otherwise', async () => {
    const refused = Object.assign(new Error('never'), { retryable: false });
    const ends = [new Error('oops'), refused, new PincerError('NO_LUCK', 'no', { retryable: true }), 'a word'].flatMap(
      (thrown) => [
        run(() => {
          throw thrown;
        }),
        run(() => Promise.reject(thrown)),
      ],
    );
    expect(await Promise.all(ends.map(of))).toEqual(
      [
        ['HANDLER_FAILED', true],
        ['HANDLER_REFUSED', false],
        ['NO_LUCK', true],
        ['HANDLER_FAILED', true],
      ].flatMap((end) => [end, end]),
    );
  });

  it('fails by a result that does not fit, cannot be encoded, or is too large by a byte', async () => {
    for (const pace of ['now', 'later'] as const) {
      expect(await of(run(() => 'x', { schemas: { output: doubled(pace) } }))).toEqual(['RESULT_INVALID', false]);
      const unsent = run(() => 4, { schemas: { output: doubled(pace) }, limits: { payloadBytesMax: 0 } });
      expect(await of(unsent)).toEqual(['RESULT_TOO_LARGE', false]);
    }
    expect(await of(run(() => () => 'a function'))).toEqual(['RESULT_INVALID', false]);
    const { byteLength } = encodePayload('x'.repeat(100), defaultLimits);
    const long = (payloadBytesMax: number) => of(run(() => 'x'.repeat(100), { limits: { payloadBytesMax } }));
    expect([await long(byteLength), await long(byteLength - 1)]).toEqual([
      'x'.repeat(100),
      ['RESULT_TOO_LARGE', false],
    ]);
  });

  it('is called with what it may hand on: a copy of its call has all of it, and the same signal', () => {
    const { signal } = new AbortController();
    let copy: object = {};
    run(
      (call: object) => {
        copy = { ...call };
      },
      { signal },
    );
    expect(copy).toMatchObject({ input: 1, taskId: 't-1', attempt: 2, progress: expect.any(Function) });
    expect((copy as { signal: AbortSignal }).signal).toBe(signal);
  });
});

describe('a progress report', () => {
  type Reporting = { progress(report: unknown): Promise<void> };

  it('is checked as the schema says, whether that takes its time or not', async () => {
    for (const pace of ['now', 'later'] as const) {
      const chatty = run(({ progress }: Reporting) => progress(2), { schemas: { progress: doubled(pace) } });
      await chatty.ended;
      expect(chatty.reports).toEqual([4]);
    }
  });

  it('that cannot be sent rejects, is told of once, and ends nothing if nobody waits for it', async () => {
    const awaited = run(({ progress }: Reporting) => progress('x'), { schemas: { progress: doubled('now') } });
    expect([await of(awaited), awaited.failures]).toEqual([['RESULT_INVALID', false], ['RESULT_INVALID']]);
    const careless = run(({ progress }: Reporting) => void progress(1), {
      onProgress: () => Promise.reject(new Error('gone')),
    });
    expect([await of(careless), careless.reports]).toEqual([null, [1]]);
    await expect.poll(() => careless.failures).toEqual(['HANDLER_FAILED']);
  });

  it('is as large as a payload at most', async () => {
    const limits = { ...defaultLimits, payloadBytesMax: 10 };
    expect(() => checkProgress(new Uint8Array(10), limits)).not.toThrow();
    expect(() => checkProgress(new Uint8Array(11), limits)).toThrow('the progress has 11 bytes, more than 10');
    const loud = run(({ progress }: Reporting) => progress('x'.repeat(20)), { limits: { payloadBytesMax: 10 } });
    expect([await of(loud), loud.reports]).toEqual([['PAYLOAD_TOO_LARGE', false], []]);
  });
});

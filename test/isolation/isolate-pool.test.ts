import { describe, expect, it } from 'vitest';
import type { Run } from '../../src/actors/node/runner.ts';
import { createSimulatedClock } from '../../src/actors/world/simulated-clock.ts';
import { IsolatePool } from '../../src/isolation/isolate-pool.ts';
import { PincerError } from '../../src/protocol/failure.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { heldOf } from '../support/garbage.ts';
import { keepingLog, StandIn } from '../support/isolates.ts';

const exited = new PincerError('HANDLER_EXITED', 'it is gone').toFailure();
const graceMs = 2_000;
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

function aPool({ isReused = false } = {}) {
  const clock = createSimulatedClock();
  const isolates: StandIn[] = [];
  const { log, logged } = keepingLog();
  const pool = new IsolatePool(
    {
      module: 'file:///handlers.mjs',
      memoryBytesMax: 1,
      killGraceMs: graceMs,
      isReused,
      start: (options) => {
        const isolate = new StandIn(options);
        isolates.push(isolate);
        return isolate;
      },
    },
    { clock, log, limits: defaultLimits },
  );
  return { pool, clock, isolates, logged };
}

function aRun(taskId: string, over: Partial<Run> = {}): Run {
  const { signal } = new AbortController();
  const nothing = { onStarted() {}, onProgress: async () => {}, onProgressFailed() {} };
  return { taskId, attempt: 1, payload: bytes(1), signal, limits: defaultLimits, ...nothing, ...over };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  await turn();
  const pending = {};
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

describe('the isolates of a module', () => {
  it('run one attempt each: a second one gets another', async () => {
    const { pool, isolates } = aPool();
    const first = pool.run('sum', aRun('a'));
    const second = pool.run('sum', aRun('b'));
    expect(isolates.map(({ posted }) => posted.map(({ type }) => type))).toEqual([
      ['load', 'run'],
      ['load', 'run'],
    ]);
    isolates[1]?.say({ type: 'returned', result: bytes(2) });
    isolates[0]?.say({ type: 'threw', failure: exited });
    expect(await first).toEqual({ failure: exited });
    expect(await second).toEqual({ result: bytes(2) });
  });

  it('end after their attempt, and one that is loaded stands ready for the next', async () => {
    const { pool, isolates } = aPool();
    const first = pool.run('sum', aRun('a'));
    isolates[0]?.say({ type: 'returned', result: bytes(2) });
    await first;
    expect(isolates.map(({ asked }) => asked)).toEqual(['end', null]);
    void pool.run('sum', aRun('b'));
    expect(isolates).toHaveLength(2);
    expect(isolates[1]?.posted).toMatchObject([{ type: 'load' }, { type: 'run', taskId: 'b' }]);
  });

  it('are ended when nothing came for them in a while', async () => {
    const { pool, clock, isolates } = aPool();
    const first = pool.run('sum', aRun('a'));
    isolates[0]?.say({ type: 'returned', result: bytes(2) });
    await first;
    await clock.advance(defaultLimits.isolateIdleMs - 1);
    expect(isolates[1]?.asked).toBeNull();
    await clock.advance(1);
    expect(isolates[1]?.asked).toBe('end');
  });

  it('run further attempts where they are to be reused, but not after one that was told to stop', async () => {
    const { pool, isolates } = aPool({ isReused: true });
    const first = pool.run('sum', aRun('a'));
    isolates[0]?.say({ type: 'returned', result: bytes(2) });
    await first;
    const abort = new AbortController();
    const second = pool.run('sum', aRun('b', { signal: abort.signal }));
    expect(isolates).toHaveLength(1);
    abort.abort(new PincerError('TASK_CANCELLED', 'no longer wanted'));
    isolates[0]?.say({ type: 'threw', failure: exited });
    await second;
    expect(isolates[0]?.asked).toBe('end');
  });

  it('keep nothing of the attempts that a reused one has run', async () => {
    const { pool, isolates } = aPool({ isReused: true });
    const results: WeakRef<object>[] = [];
    const runOne = async (): Promise<void> => {
      const ended = pool.run('sum', aRun('a'));
      const result = bytes(2);
      results.push(new WeakRef(result));
      isolates[0]?.say({ type: 'returned', result });
      expect(await ended).toEqual({ result: bytes(2) });
    };
    for (let n = 0; n < 10; n += 1) await runOne();
    expect(isolates).toHaveLength(1);
    await expect.poll(() => heldOf(results)).toBe(0);
  });

  it('are not reused when they are gone as soon as they have answered', async () => {
    const { pool, isolates } = aPool({ isReused: true });
    const first = pool.run('sum', aRun('a'));
    isolates[0]?.say({ type: 'returned', result: bytes(2) });
    isolates[0]?.finish(exited);
    expect(await first).toEqual({ result: bytes(2) });
    void pool.run('sum', aRun('b'));
    expect(isolates[1]?.posted).toMatchObject([{ type: 'load' }, { type: 'run', taskId: 'b' }]);
  });

  it('hold no progress back from the link, and send no more than it takes', async () => {
    const { pool, isolates } = aPool();
    const taken: Uint8Array[] = [];
    let makeRoom = (): void => {};
    const run = aRun('a', {
      onProgress: (report) => {
        taken.push(report);
        return new Promise((resolve) => {
          makeRoom = resolve;
        });
      },
    });
    void pool.run('sum', run);
    isolates[0]?.say({ type: 'progress', payload: bytes(7) });
    await turn();
    expect(taken).toEqual([bytes(7)]);
    expect(isolates[0]?.posted.at(-1)?.type).toBe('run');
    makeRoom();
    await turn();
    expect(isolates[0]?.posted.at(-1)).toEqual({ type: 'progress.taken', failure: null });
  });

  it('are not told of progress that an earlier attempt has made', async () => {
    const { pool, isolates } = aPool({ isReused: true });
    let makeRoom = (): void => {};
    const onProgress = (): Promise<void> =>
      new Promise((resolve) => {
        makeRoom = resolve;
      });
    const first = pool.run('sum', aRun('a', { onProgress }));
    isolates[0]?.say({ type: 'progress', payload: bytes(7) });
    isolates[0]?.say({ type: 'returned', result: bytes(2) });
    await first;
    void pool.run('sum', aRun('b'));
    makeRoom();
    await turn();
    expect(isolates[0]?.posted.map(({ type }) => type)).toEqual(['load', 'run', 'run']);
  });

  it('say to the handler why its progress could not be taken', async () => {
    const { pool, isolates } = aPool();
    const refusal = new PincerError('PAYLOAD_TOO_LARGE', 'too much');
    void pool.run('sum', aRun('a', { onProgress: () => Promise.reject(refusal) }));
    isolates[0]?.say({ type: 'progress', payload: bytes(7) });
    await turn();
    expect(isolates[0]?.posted.at(-1)).toEqual({ type: 'progress.taken', failure: refusal.toFailure() });
  });

  it('report no more than a progress may have, and what they cannot report', async () => {
    const { pool, isolates } = aPool();
    const taken: Uint8Array[] = [];
    const failed: unknown[] = [];
    const run = aRun('a', {
      limits: { ...defaultLimits, payloadBytesMax: 2 },
      onProgress: async (report) => void taken.push(report),
      onProgressFailed: (failure) => void failed.push(failure),
    });
    void pool.run('sum', run);
    isolates[0]?.say({ type: 'progress', payload: bytes(1, 2, 3) });
    await turn();
    expect(isolates[0]?.posted.at(-1)).toMatchObject({
      type: 'progress.taken',
      failure: { code: 'PAYLOAD_TOO_LARGE', message: 'the progress has 3 bytes, more than 2' },
    });
    expect(taken).toEqual([]);
    isolates[0]?.say({ type: 'progress.failed', failure: exited });
    expect(failed).toEqual([exited]);
  });

  it('return no more than a result may have', async () => {
    const { pool, isolates } = aPool();
    const ended = pool.run('sum', aRun('a', { limits: { ...defaultLimits, payloadBytesMax: 2 } }));
    isolates[0]?.say({ type: 'returned', result: bytes(1, 2, 3) });
    expect(await ended).toMatchObject({ failure: { code: 'RESULT_TOO_LARGE' } });
  });
});

describe('a handler that is told to stop', () => {
  it('is asked first, and its isolate is killed when the grace is over; the attempt ends with the isolate', async () => {
    const { pool, clock, isolates, logged } = aPool();
    const abort = new AbortController();
    const ended = pool.run('sum', aRun('a', { signal: abort.signal }));
    abort.abort(new PincerError('TASK_TIMED_OUT', 'too long'));
    expect(isolates[0]?.posted.at(-1)).toMatchObject({ type: 'abort', failure: { code: 'TASK_TIMED_OUT' } });
    await clock.advance(graceMs - 1);
    expect(isolates[0]?.asked).toBeNull();
    await clock.advance(1);
    expect(isolates[0]?.asked).toBe('kill');
    expect(logged).toContainEqual({ event: 'handler.terminated', fields: { taskId: 'a', attempt: 1, graceMs } });
    expect(await isSettled(ended)).toBe(false);
    isolates[0]?.finish(exited);
    expect(await ended).toEqual({ failure: exited });
  });

  it('is not killed for what it was asked long ago, once it has ended by itself', async () => {
    const { pool, clock, isolates, logged } = aPool();
    const abort = new AbortController();
    const ended = pool.run('sum', aRun('a', { signal: abort.signal }));
    abort.abort(new PincerError('TASK_CANCELLED', 'no longer wanted'));
    isolates[0]?.say({ type: 'threw', failure: exited });
    await ended;
    await clock.advance(graceMs * 2);
    expect(isolates[0]?.asked).toBe('end');
    expect(logged).toEqual([]);
  });
});

describe('an isolate that fails', () => {
  it('costs its attempt alone, and the next attempt gets another', async () => {
    const { pool, isolates } = aPool({ isReused: true });
    const other = pool.run('sum', aRun('other'));
    const hit = pool.run('sum', aRun('hit'));
    isolates[1]?.finish(exited);
    expect(await hit).toEqual({ failure: exited });
    void pool.run('sum', aRun('next'));
    expect(isolates[2]?.posted).toMatchObject([{ type: 'load' }, { type: 'run', taskId: 'next' }]);
    expect(await isSettled(other)).toBe(false);
    isolates[0]?.say({ type: 'returned', result: bytes(2) });
    expect(await other).toEqual({ result: bytes(2) });
  });

  it('fails the attempt with what it said last, and only when it is really gone', async () => {
    const { pool, isolates } = aPool();
    const failure = new PincerError('HANDLER_FAILED', 'not caught: oh').toFailure();
    const ended = pool.run('sum', aRun('a'));
    isolates[0]?.say({ type: 'crashed', failure });
    expect(await isSettled(ended)).toBe(false);
    expect(isolates[0]?.asked).toBe('kill');
    isolates[0]?.finish(exited);
    expect(await ended).toEqual({ failure });
  });

  it('while it stands ready is not given to anyone', async () => {
    const { pool, isolates } = aPool();
    const first = pool.run('sum', aRun('a'));
    isolates[0]?.say({ type: 'returned', result: bytes(2) });
    await first;
    isolates[1]?.say({ type: 'crashed', failure: exited });
    expect(isolates[1]?.asked).toBe('kill');
    void pool.run('sum', aRun('b'));
    expect(isolates[2]?.posted).toMatchObject([{ type: 'load' }, { type: 'run', taskId: 'b' }]);
  });
});

describe('a pool that stops', () => {
  it('ends what stands ready, gives what runs its grace, and takes nothing new', async () => {
    const { pool, clock, isolates } = aPool();
    const first = pool.run('sum', aRun('a'));
    isolates[0]?.say({ type: 'returned', result: bytes(2) });
    await first;
    isolates[0]?.finish(exited);
    void pool.run('sum', aRun('b'));
    const stopped = pool.stop();
    expect(await pool.run('sum', aRun('c'))).toMatchObject({ failure: { code: 'STOPPED' } });
    expect(isolates[1]?.asked).toBeNull();
    await clock.advance(graceMs);
    expect(isolates[1]?.asked).toBe('kill');
    expect(await isSettled(stopped)).toBe(false);
    isolates[1]?.finish(exited);
    await stopped;
  });
});

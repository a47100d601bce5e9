/** What a handle says to whoever asks it, whatever the gateway does. */
import { describe, expect, it } from 'vitest';
import { Submission } from '../../../src/actors/client/handle.ts';
import { PincerError } from '../../../src/protocol/failure.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { encodePayload } from '../../../src/transport/payload.ts';

const aHandle = (isWatched = true) =>
  new Submission<unknown, number>('task-1', { limits: defaultLimits, isWatched, cancel: async () => 'cancelled' });

const COMPLETED = { taskId: 'task-1', status: 'completed', attempts: 1, queuedMs: 0, runMs: 0 } as const;

describe('the progress of a task', () => {
  it('answers who asks again before it was answered, in order', async () => {
    const handle = aHandle();
    const reports = handle.progress[Symbol.asyncIterator]();
    const asked = [reports.next(), reports.next(), reports.next(), reports.next()];
    for (const report of [1, 2]) handle.report(encodePayload(report));
    handle.settle(COMPLETED);
    expect(await Promise.all(asked)).toEqual([
      { value: 1, done: false },
      { value: 2, done: false },
      { value: undefined, done: true },
      { value: undefined, done: true },
    ]);
  });
});

describe('progress that waits for a reader', () => {
  const readAll = async (reports: AsyncIterator<unknown>): Promise<unknown[]> => {
    const read: unknown[] = [];
    for (let next = await reports.next(); next.done !== true; next = await reports.next()) read.push(next.value);
    return read;
  };

  it.each([
    [100, [3, 4, 5, 6]],
    // Each has one byte.
    [3, [4, 5, 6]],
    // The newest is kept, however large it is.
    [0, [6]],
  ])('is the newest, in number and within %i bytes, of the first reader and of a slow one', async (bytes, expected) => {
    const limits = { ...defaultLimits, progressWaitingMax: 4, progressWaitingBytesMax: bytes };
    const handle = new Submission('task-1', { limits, isWatched: true, cancel: async () => 'cancelled' });
    for (const report of [1, 2, 3, 4, 5, 6]) handle.report(encodePayload(report));
    const first = handle.progress[Symbol.asyncIterator]();
    const slow = handle.progress[Symbol.asyncIterator]();
    expect((await first.next()).value).toBe(expected[0]);
    for (const report of [1, 2, 3, 4, 5, 6]) handle.report(encodePayload(report));
    handle.settle(COMPLETED);
    expect(await readAll(slow)).toEqual(expected);
    expect(await readAll(first)).toEqual(expected);
  });
});

describe('the handle of a task that is not followed', () => {
  const useFollow = { code: 'OPTION_INVALID', message: expect.stringMatching(/watch: false.*follow\('task-1'\)/) };

  it.each(['before', 'after'])('says at once what to do instead of waiting, %s the task is accepted', async (when) => {
    const handle = aHandle(false);
    if (when === 'after') handle.accept('task-1', true);
    await expect(handle.result()).rejects.toMatchObject(useFollow);
    await expect(handle.outcome()).rejects.toMatchObject(useFollow);
    await expect((async () => await handle)()).rejects.toMatchObject(useFollow);
    expect(() => handle.progress[Symbol.asyncIterator]()).toThrow(expect.objectContaining(useFollow));
    expect(await handle.cancel()).toBe('cancelled');
  });

  it('says why the task was refused', async () => {
    const handle = aHandle(false);
    handle.refuse(new PincerError('QUEUE_FULL', 'no room'));
    await expect(handle.accepted()).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    await expect(handle.result()).rejects.toMatchObject({ code: 'QUEUE_FULL' });
  });
});

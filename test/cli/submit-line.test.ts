import { describe, expect, it } from 'vitest';
import { Submission } from '../../src/actors/client/handle.ts';
import type { SubmitOptions } from '../../src/actors/client/submit-spec.ts';
import { runLine } from '../../src/cli/submit.ts';
import type { Client } from '../../src/client.ts';
import { PincerError } from '../../src/protocol/failure.ts';
import { defaultLimits as limits } from '../../src/protocol/limits.ts';

describe('a line of `pincer submit`', () => {
  it('that is refused for want of room is tried again as the same task, which may be there after all', async () => {
    const tried: (string | undefined)[] = [];
    const submit = (_type: unknown, _input: unknown, options: SubmitOptions = {}) => {
      tried.push(options.taskId);
      const handle = new Submission(options.taskId ?? 'made-here', {
        ...{ limits, isWatched: true },
        cancel: () => Promise.reject(new Error('nobody cancels it')),
      });
      if (tried.length < 3) handle.refuse(new PincerError('QUEUE_FULL', 'full', { retryAfterMs: 1 }));
      else handle.settle({ taskId: handle.taskId, status: 'completed', attempts: 1, queuedMs: 0, runMs: 0 });
      return handle;
    };
    const client = { submit: submit as unknown as Client['submit'] };
    const row = await runLine(client, 0, { type: 'x' } as never, new AbortController().signal);
    expect(row).toMatchObject({ taskId: 'made-here', status: 'completed' });
    expect(tried).toEqual([undefined, 'made-here', 'made-here']);
  });
});

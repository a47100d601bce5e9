/** Reading what a newer version says more of. */
import { describe, expect, it } from 'vitest';
import { ZodError, z } from 'zod';
import { parseLeniently } from '../../src/protocol/lenient.ts';
import { ANSWERS } from '../../src/protocol/query.ts';

const entry = { n: 1, at: 5, event: 'task.submitted', attempt: 0 };
const task = {
  ...{ taskId: 't1', type: 'echo', priority: 5, status: 'completed', needs: [], attempts: 1, failures: 0, crashes: 0 },
  ...{ timeout: 1_000, createdAt: 5 },
};
const answer = { task, timeouts: 0, result: new Uint8Array([0xc0]), history: [entry, { ...entry, n: 2 }] };

describe('a lenient reader', () => {
  it('leaves out what the schema does not know, at any depth, and changes nothing of what it was given', () => {
    const newer = {
      ...{ ...answer, cost: { cents: 3 } },
      ...{ task: { ...task, region: 'north', error: { code: 'X', message: '', retryable: true, hint: 'mend it' } } },
      history: [entry, { ...entry, n: 2, by: 'somebody', tags: ['a'] }],
    };
    const before = structuredClone(newer);
    const error = { code: 'X', message: '', retryable: true };
    expect(parseLeniently(ANSWERS.task, newer)).toEqual({ ...answer, task: { ...task, error } });
    expect(newer).toEqual(before);
    expect(() => ANSWERS.task.parse(newer)).toThrow(ZodError);
  });

  it('hands bytes on as they are', () => {
    expect(parseLeniently(ANSWERS.task, { ...answer, more: 1 }).result).toBe(answer.result);
  });

  it('is strict with all else, also beside a field that it does not know', () => {
    expect(() => parseLeniently(z.strictObject({ n: z.number() }), { n: 'one', more: 1 })).toThrow(ZodError);
    expect(() => parseLeniently(z.strictObject({ n: z.number() }), { more: 1 })).toThrow(ZodError);
  });
});

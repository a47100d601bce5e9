/** Ids of new tasks are in the order of time, and as unique as those they are made of. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { newTaskId } from '../../src/actors/task-id.ts';

const random = '9f1c2d3e-4a5b-4c6d-8e7f-0123456789ab';

describe('the id of a new task', () => {
  it('is a UUID of version 7, with the time in front and what was random behind', () => {
    // The example of RFC 9562, appendix A.6: 2022-02-22 19:22:22 UTC.
    expect(newTaskId(() => random, 0x017f22e279b0)).toBe('017f22e2-79b0-7c6d-8e7f-0123456789ab');
  });

  it('sorts by time, whatever the random part is', () => {
    const times = [0, 1, 999, 1_645_557_742_000, 1_645_557_742_001, 1_800_000_000_000, 2 ** 48 - 1];
    const ids = times.map((wallMs) => newTaskId(randomUUID, wallMs + 0.7));
    expect(ids.toSorted()).toEqual(ids);
  });

  it('is unique within one millisecond', () => {
    expect(new Set(Array.from({ length: 10_000 }, () => newTaskId(randomUUID, 1_645_557_742_000))).size).toBe(10_000);
  });

  it('is taken as it comes where the embedder’s ids are no random UUIDs', () => {
    for (const id of ['task-1', '017f22e2-79b0-7c6d-8e7f-0123456789ab', random.toUpperCase()]) {
      expect(newTaskId(() => id, 1)).toBe(id);
    }
  });
});

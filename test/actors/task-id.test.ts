/** Ids of new tasks are in the order of time, and as unique as those they are made of. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { newTaskId } from '../../src/actors/task-id.ts';
import { orderedIds } from '../../src/actors/world/ordered-ids.ts';

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

  it('is what the port makes in the order of time, if it can', () => {
    const ids = Object.assign(() => random, { inOrder: (wallMs: number) => `at-${wallMs}` });
    expect(newTaskId(ids, 7)).toBe('at-7');
  });

  it('is taken as it comes where the embedder’s ids are no random UUIDs', () => {
    for (const id of ['task-1', '017f22e2-79b0-7c6d-8e7f-0123456789ab', random.toUpperCase()]) {
      expect(newTaskId(() => id, 1)).toBe(id);
    }
  });
});

describe('ids in the order of time', () => {
  it('are UUIDs of version 7 with the time in front', () => {
    const next = orderedIds();
    for (const wallMs of [0x017f22e279b0, 0x017f22e279b0 + 0.9, 0x017f22e279b0]) {
      expect(next(wallMs)).toMatch(/^017f22e2-79b0-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
    expect(next(-5)).toMatch(/^00000000-0000-7/);
    expect(next(2 ** 48 - 1)).toMatch(/^ffffffff-ffff-7/);
  });

  it('are random in each of 74 bits, and none comes twice, also of two makers', () => {
    const [one, other] = [orderedIds(), orderedIds()];
    const ids = Array.from({ length: 3_000 }, () => [one(1), other(1)]).flat();
    expect(new Set(ids).size).toBe(6_000);
    const bits = ids.map((id) => BigInt(`0x${id.replaceAll('-', '').slice(13)}`));
    for (let bit = 0n; bit < 76n; bit += 1n) {
      const share = bits.filter((value) => (value >> bit) & 1n).length / bits.length;
      const isVariant = bit === 62n || bit === 63n;
      if (isVariant) expect(share).toBe(bit === 63n ? 1 : 0);
      else expect(Math.abs(share - 0.5)).toBeLessThan(0.05);
    }
  });
});

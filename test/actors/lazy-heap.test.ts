import { describe, expect, it } from 'vitest';
import { LazyHeap } from '../../src/actors/lazy-heap.ts';
import { seededRandom } from '../../src/actors/world/seeded-random.ts';

interface Item {
  readonly key: number;
  isLive: boolean;
}

const heapOf = (...keys: number[]): { heap: LazyHeap<Item>; items: Item[] } => {
  const heap = new LazyHeap<Item>(
    (a, b) => a.key - b.key,
    (item) => item.isLive,
  );
  const items = keys.map((key) => ({ key, isLive: true }));
  for (const item of items) heap.push(item);
  return { heap, items };
};

const withdraw = (heap: LazyHeap<Item>, item: Item): void => {
  item.isLive = false;
  heap.drop();
};

describe('a lazy heap', () => {
  it('gives its items in order, and skips what was withdrawn', () => {
    const { heap, items } = heapOf(3, 1, 2, 4);
    for (const item of items) if (item.key === 1 || item.key === 3) withdraw(heap, item);
    expect(heap.size).toBe(2);
    expect([...heap].map(({ key }) => key).sort()).toEqual([2, 4]);
    expect(heap.first()?.key).toBe(2);
    expect([heap.take()?.key, heap.take()?.key, heap.take()?.key]).toEqual([2, 4, undefined]);
    expect(heap.size).toBe(0);
  });

  it('never holds more than twice what is live, and 64 more', () => {
    const { heap, items } = heapOf(...Array.from({ length: 10_000 }, (_, key) => key));
    for (const item of items.slice(1).reverse()) {
      withdraw(heap, item);
      expect(heap.held).toBeLessThanOrEqual(2 * heap.size + 64);
    }
    expect(heap.take()?.key).toBe(0);
  });

  it('agrees with a sorted array under random pushes, takes and withdrawals', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const random = seededRandom(seed);
      const { heap } = heapOf();
      let live: Item[] = [];
      for (let step = 0; step < 500; step += 1) {
        const choice = random();
        if (choice < 0.5) {
          const item = { key: random(), isLive: true };
          heap.push(item);
          live.push(item);
        } else {
          live.sort((a, b) => a.key - b.key);
          const item = live[choice < 0.75 ? 0 : Math.floor(random() * live.length)];
          if (choice < 0.75) expect(heap.take(), `seed ${seed}, step ${step}`).toBe(item);
          else if (item !== undefined) withdraw(heap, item);
          live = live.filter((other) => other !== item);
        }
        expect(heap.size, `seed ${seed}, step ${step}`).toBe(live.length);
      }
    }
  });
});

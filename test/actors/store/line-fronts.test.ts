/** How much of its index an LMDB store reads to know who comes first. That it is right: the suites of the store. */
import { expect, it } from 'vitest';
import { LineFronts } from '../../../src/actors/store/lmdb/line-fronts.ts';

function fronts() {
  const asked: [queue: string, limit: number][] = [];
  const made = new LineFronts({
    line(queue, limit) {
      asked.push([queue, limit]);
      return Array.from({ length: limit }, (_, seq) => ({ rank: 0, seq, taskId: `${queue}${seq}` }));
    },
  });
  return { made, asked };
}

it('reads one more than is wanted, and twice as many whenever it goes on, up to 256', () => {
  const { made, asked } = fronts();
  const front = made.of('a', 4);
  for (let taken = 0; taken < 1_000; taken += 1) {
    expect(front.first()).toBeDefined();
    front.take();
  }
  expect(asked.map(([, limit]) => limit)).toEqual([5, 10, 20, 40, 80, 160, 256, 256, 256]);
  made.reset();
  made.of('a', 1_000).first();
  expect(asked.at(-1)).toEqual(['a', 256]);
});

it('forgets one class for each that is one too many, and not all of them', () => {
  const { made, asked } = fronts();
  const classes = Array.from({ length: 16_385 }, (_, n) => `class-${n}`);
  for (const queue of classes) made.of(queue, 1).first();
  asked.length = 0;
  for (const queue of classes.slice(1)) made.of(queue, 1).first();
  expect(asked).toEqual([]);
});

it('reads and keeps fewer places of each class where there are many', () => {
  const { made, asked } = fronts();
  for (let n = 0; n < 4_096; n += 1) made.of(`class-${n}`, 1).first();
  made.of('long', 1_000).first();
  expect(asked.at(-1)).toEqual(['long', 64]);
});

/** How many rows are looked at to take from many lines. That the right ones are taken: the suites of the store. */
import { expect, it } from 'vitest';
import { type Line, takeMerged } from '../../../src/actors/store/merged-lines.ts';

interface Row {
  readonly rank: number;
  readonly seq: number;
}

it('looks at the rows that it takes, or may not take, and at no others, however many lines there are', () => {
  const looked: number[] = [];
  const taken: number[] = [];
  const lineOf = (queue: string): Line<Row> => {
    const rows = [1_000, 2_000].map((rank) => ({ rank: rank + Number(queue), seq: 0 }));
    return {
      first: () => rows[0],
      row() {
        if (rows[0] !== undefined) looked.push(rows[0].rank);
        return rows[0];
      },
      take: () => void rows.shift(),
    };
  };
  const wants = Array.from({ length: 500 }, (_, n) => ({ queue: String(n), limit: 2 }));
  const taker = { mayTake: ({ rank }: Row) => rank !== 1_001, take: ({ rank }: Row) => void taken.push(rank) };
  takeMerged(wants, 3, { lineOf, taker });
  expect(taken).toEqual([1_000, 1_002, 1_003]);
  expect(looked).toEqual([1_000, 1_001, 1_002, 1_003]);
});

/** The table of defects.ts against the titles of the tests, in both directions. */
import { describe, expect, it } from 'vitest';
import { DEFECTS } from './defects.ts';
import { numbersOf } from './numbers.ts';
import { exists, sources, testsOf } from './tree.ts';

const DEFECTS_MAX = 82;
const SUMMARY_MAX = 90;
/** The only ones that may still say `later`. A number that has left this list does not come back. */
const OPEN: readonly number[] = [13, 18, 28, 30, 40, 44, 50];
const entries = Object.entries(DEFECTS).map(([number, defect]) => ({ number: Number(number), ...defect }));

describe('the table of defects', () => {
  it(`has an entry for each of 1 to ${DEFECTS_MAX}`, () => {
    expect(entries.map(({ number }) => number)).toEqual(Array.from({ length: DEFECTS_MAX }, (_, index) => index + 1));
  });

  it('says each in a line of its own words', () => {
    expect(entries.filter(({ summary }) => summary.length === 0 || summary.length > SUMMARY_MAX)).toEqual([]);
    expect(new Set(entries.map(({ summary }) => summary)).size).toBe(entries.length);
  });

  it('names a test that exists, but for those that are still open', () => {
    const wrong = entries.flatMap(({ number, test }) => {
      if (/^later: \S/.test(test) && OPEN.includes(number)) return [];
      const [file = '', title = ''] = test.split(' › ');
      const isFound =
        file.startsWith('test/') &&
        exists(file) &&
        testsOf(file).some((found) => found.title.includes(title) && numbersOf(found.title).includes(number));
      return isFound && title !== '' ? [] : [`${number}: ${test}`];
    });
    expect(wrong, 'run `npm run defects` after renaming a test').toEqual([]);
  });

  it('knows every number that a title claims', () => {
    const claims = sources('test')
      .flatMap((file) => testsOf(file).map(({ title }) => ({ file, title })))
      .flatMap(({ file, title }) => numbersOf(title).map((number) => ({ file, title, number })));
    const unknown = claims.filter(({ number }) => DEFECTS[number]?.test.startsWith('later: ') !== false);
    expect(
      unknown.map(({ file, title, number }) => `${number}: ${file} › ${title}`),
      'run `npm run defects` to enter them',
    ).toEqual([]);
  });
});

describe('a title', () => {
  it('claims the numbers that it gives with a hash, at the start of a word', () => {
    expect(numbersOf('#33 stops the attempt (#34, #35)')).toEqual([33, 34, 35]);
    expect(numbersOf('openclaw#78351, frame#2 and 33')).toEqual([]);
  });
});

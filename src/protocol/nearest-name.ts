/** The name that may have been meant by one that there is not. */

/** Of so many characters of a name one may be wrong. */
const CHARACTERS_PER_MISTAKE = 3;
/** What is longer is no name, and would take long to compare. */
const CHARACTERS_MAX = 64;

/** The nearest of the names, or null if none is near enough to be worth a guess. */
export function nearestOf(name: string, names: readonly string[]): string | null {
  let nearest: string | null = null;
  let least = Math.floor(name.length / CHARACTERS_PER_MISTAKE) + 1;
  for (const each of name.length > CHARACTERS_MAX ? [] : names) {
    const mistakes = isBeginning(name, each) ? 1 : mistakesIn(name.toLowerCase(), each.toLowerCase());
    if (mistakes < least) [nearest, least] = [each, mistakes];
  }
  return nearest;
}

/** What is mostly left out is a unit: `ttl` is meant for `ttlMs`. */
function isBeginning(name: string, of: string): boolean {
  return name.length >= CHARACTERS_PER_MISTAKE && of.startsWith(name);
}

/** How many characters must be put in, left out, replaced, or changed with their neighbour. */
function mistakesIn(given: string, meant: string): number {
  let before: number[] = [];
  let last = Array.from({ length: meant.length + 1 }, (_, index) => index);
  for (let row = 1; row <= given.length; row += 1) {
    const next = [row];
    for (let column = 1; column <= meant.length; column += 1) {
      const isSame = given[row - 1] === meant[column - 1];
      const isSwapped = given[row - 1] === meant[column - 2] && given[row - 2] === meant[column - 1];
      next[column] = Math.min(
        at(last, column) + 1,
        at(next, column - 1) + 1,
        at(last, column - 1) + (isSame ? 0 : 1),
        isSwapped ? at(before, column - 2) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [before, last] = [last, next];
  }
  return at(last, meant.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}

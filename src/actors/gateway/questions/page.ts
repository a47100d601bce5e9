/** Pages of what is listed by id: what comes or goes between two of them moves nothing from one to the other. */
import { PincerError } from '../../../protocol/failure.ts';
import { Identifier, plainText } from '../../../protocol/identifier.ts';

/** Some of a list, and where to go on if there is more. */
export interface Page<Item> {
  readonly items: Item[];
  readonly cursor?: string;
}

/** What is asked for: so many at most (default all), behind the last of the page before. */
export interface PageAsked {
  /** What there is a list of, such as `nodes`. */
  readonly of: string;
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

/**
 * A page of a list that is sorted by id.
 * @throws PincerError `MESSAGE_INVALID` for a cursor that is no id
 */
export function pageOf<Item>(
  sorted: readonly Item[],
  idOf: (item: Item) => string,
  { of, limit = Number.POSITIVE_INFINITY, cursor }: PageAsked,
): Page<Item> {
  if (cursor !== undefined && !Identifier.safeParse(cursor).success) {
    throw new PincerError('MESSAGE_INVALID', `cursor '${plainText(cursor)}' is not one that a list of ${of} gave`);
  }
  const rest = cursor === undefined ? sorted : sorted.filter((item) => idOf(item) > cursor);
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  return { items, ...(items.length < rest.length && last !== undefined ? { cursor: idOf(last) } : {}) };
}

/**
 * The id of a new task: unique as every id is, and in the order of time, so that tasks that were submitted together stand
 * together in a store. On disk they share pages then, where random ids have a page written for each.
 */
import type { Ids } from '../protocol/ports.ts';

/** A UUID as `crypto.randomUUID` makes them. */
const RANDOM_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Where the port does not know the order of time, a random UUID becomes one of version 7 (RFC 9562), 74 bits of it still random; an id of any other kind is taken as it is. */
export function newTaskId(ids: Ids, wallMs: number): string {
  if (ids.inOrder !== undefined) return ids.inOrder(wallMs);
  const id = ids();
  if (!RANDOM_UUID.test(id)) return id;
  const ms = Math.max(0, Math.floor(wallMs));
  if (ms !== latest.ms) latest = { ms, prefix: prefixOf(ms) };
  return latest.prefix + id.slice(15);
}

/** Many are made within one millisecond. */
let latest = { ms: 0, prefix: prefixOf(0) };

function prefixOf(ms: number): string {
  const time = ms.toString(16).padStart(12, '0').slice(-12);
  return `${time.slice(0, 8)}-${time.slice(8)}-7`;
}

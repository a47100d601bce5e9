/** What a checkup asks of a cluster or a store, and what it finds. */
import { z } from 'zod';
import { Text } from './identifier.ts';

/** Every question of a checkup, by the name that its findings carry. */
export const CHECKS = {
  'gateways.lease': 'every gateway renews its lease',
  'nodes.health': 'every node is heard and does what it is told',
  'tasks.history': 'every task is where its history says',
  'tasks.line': 'every waiting task stands in a line',
  'tasks.owner': 'every attempt belongs to a gateway that is there',
  'tasks.overdue': 'no attempt runs longer than it may',
  'tasks.starved': 'somebody can run every task that waits',
  clock: 'the clocks agree',
  version: 'everyone runs the same version',
  disk: 'there is room on the disk',
  store: 'the store is whole',
} as const;
/** The name of a question of a checkup. */
export type CheckName = keyof typeof CHECKS;

/** One thing that is wrong. */
export const Finding = z.strictObject({
  /** Which question it answers with no: one of the names of CHECKS; names may be added. */
  check: z.string(),
  /** `warn`: it may mend itself, or only waits for somebody; `bad`: it does not. */
  severity: z.enum(['warn', 'bad']),
  /** The task, node or gateway. */
  about: z.string().max(128).optional(),
  says: Text,
  /** What to do about it. */
  mend: Text,
});
/** One thing that a checkup found to be wrong, and what to do about it. */
export type Finding = z.infer<typeof Finding> & { readonly check: CheckName | (string & {}) };

/** What the registry keeps, and what it writes down of it. */
import { z } from 'zod';
import { Identifier } from '../protocol/identifier.ts';
import { Registration } from '../transport/discovery/registry-messages.ts';

/** A registration that holds. When it ends is not written down: after a restart each holds for a whole TTL again. */
export const LeaseRecord = z.strictObject({ lease: Identifier, node: Registration });
export type LeaseRecord = z.infer<typeof LeaseRecord>;

/** One line of the journal. Applying a line twice changes nothing. */
export const JournalEntry = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('put'), lease: Identifier, node: Registration }),
  z.strictObject({ op: z.literal('drop'), lease: Identifier, id: Identifier }),
]);
export type JournalEntry = z.infer<typeof JournalEntry>;

/** Where leases outlive the process; a journal on disk, or nothing at all. */
export interface LeaseStore {
  /** Everything that was acknowledged before. Called once, first. */
  open(): Promise<readonly LeaseRecord[]>;
  /** Resolves when the entry is durable, in the order of the calls. Rejects with STORE_UNAVAILABLE; the entry may then hold or not. */
  append(entry: JournalEntry): Promise<void>;
  /** Waits for what is under way. Idempotent. */
  close(): Promise<void>;
}

export function applyEntry(leases: Map<string, LeaseRecord>, entry: JournalEntry): void {
  if (entry.op === 'put') leases.set(entry.node.id, { lease: entry.lease, node: entry.node });
  else if (leases.get(entry.id)?.lease === entry.lease) leases.delete(entry.id);
}

/** A store that forgets with the process. */
export function memoryLeases(): LeaseStore {
  return {
    async open() {
      return [];
    },
    async append() {},
    async close() {},
  };
}

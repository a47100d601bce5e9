/** The shapes of names that travel: ids, capabilities, task types. ASCII only, so that they print and compare the same everywhere. */
import { z } from 'zod';
import { defaultLimits } from './limits.ts';

/** A task, node, session or client id: 1–64 of `A-Z a-z 0-9 . _ : -`. */
export const Identifier = z.string().regex(/^[A-Za-z0-9._:-]{1,64}$/, 'must be 1–64 of A-Z a-z 0-9 . _ : -');

/** A task type: 1–128 of `A-Z a-z 0-9 . _ : / -`. */
export const TaskType = z.string().regex(/^[A-Za-z0-9._:/-]{1,128}$/, 'must be 1–128 of A-Z a-z 0-9 . _ : / -');

/** A list of capabilities, each an identifier. */
export const Capabilities = z.array(Identifier).max(defaultLimits.capabilitiesMax);

/** Text for people: bounded, and free of control and bidirectional characters once through `plainText`. */
export const Text = z.string().max(2_000);

/** One attempt of one task. */
export const AttemptRef = z.strictObject({
  taskId: Identifier,
  attempt: z
    .int()
    .min(1)
    .max(2 ** 31),
});
export type AttemptRef = z.infer<typeof AttemptRef>;

// C0 and C1 controls, bidirectional marks and isolates, line and paragraph separators: what could move a cursor, forge a
// log line or reorder what a person reads.
// biome-ignore lint/suspicious/noControlCharactersInRegex: naming the control characters is the point.
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Peer text made safe for a terminal or a log line: control and bidirectional characters become `\uFFFD`, the rest is kept up to `charactersMax`. */
export function plainText(text: string, charactersMax = 256): string {
  const safe = text.normalize('NFC').replace(UNPRINTABLE, '\uFFFD');
  return safe.length > charactersMax ? `${safe.slice(0, charactersMax - 1)}…` : safe;
}

/** A URL, or what was meant as one, made safe like `plainText`, and without the user name and password that it may hold. */
export function plainUrl(text: string): string {
  return plainText(text.replace(/^([A-Za-z][A-Za-z0-9+.-]*:)?(\/*).*@/s, '$1$2…@'));
}

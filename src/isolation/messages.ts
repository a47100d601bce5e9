/**
 * What a node and an isolate say to each other. The isolate holds the application’s code, so what comes from there is
 * checked like anything from outside.
 */
import { z } from 'zod';
import { FAILURE_CODE, type Failure } from '../protocol/failure.ts';
import type { Limits } from '../protocol/limits.ts';

/** From the node to the isolate. */
export type ToIsolate =
  /** Always the first: the URL of the module with the handlers. */
  | { readonly type: 'load'; readonly module: string }
  | {
      readonly type: 'run';
      readonly taskType: string;
      readonly taskId: string;
      readonly attempt: number;
      readonly payload: Uint8Array;
      readonly limits: Limits;
    }
  | { readonly type: 'abort'; readonly failure: Failure }
  /** The last progress was taken, or could not be; only then does the isolate send another. */
  | { readonly type: 'progress.taken'; readonly failure: Failure | null };

const Bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
/** What the node can pass on: its gateway would hang up on any other. */
const Said = z.object({ code: z.string().regex(FAILURE_CODE), message: z.string().max(2_000), retryable: z.boolean() });

const FromIsolate = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), payload: Bytes }),
  /** A report could not be made or sent: told once for each attempt. */
  z.object({ type: z.literal('progress.failed'), failure: Said }),
  z.object({ type: z.literal('returned'), result: Bytes }),
  z.object({ type: z.literal('threw'), failure: Said }),
  /** Something was thrown that nobody caught, or the module did not load: no more can be expected from this isolate. */
  z.object({ type: z.literal('crashed'), failure: Said }),
]);

/** From the isolate to the node. */
export type FromIsolate = z.infer<typeof FromIsolate>;

/** What an isolate said, or null for what is none of ours: a module may post messages of its own. */
export function parseFromIsolate(said: unknown): FromIsolate | null {
  const parsed = FromIsolate.safeParse(said);
  return parsed.success ? parsed.data : null;
}

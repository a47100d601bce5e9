/**
 * What a node and an isolate say to each other. The isolate holds the application’s code, so what comes from there is
 * checked like anything from outside.
 */
import { z } from 'zod';
import type { Failure } from '../protocol/failure.ts';
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
const Said = z.object({ code: z.string().max(64), message: z.string().max(4_000), retryable: z.boolean() });

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

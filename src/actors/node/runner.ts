/** Runs one handler: payload in, result out, every value checked by the task’s schemas. Never throws. */
import { type Failure, PincerError, toFailure } from '../../protocol/failure.ts';
import type { Limits } from '../../protocol/limits.ts';
import { decodePayload, encodePayload } from '../../transport/payload.ts';
import { type Call, checked, type Handler, type TaskDefinition } from '../task-definition.ts';
import type { World } from '../world.ts';

/** A task type and what runs it on this node: a function, or an isolate that has the function. */
export type Registration = InlineRegistration | IsolatedRegistration;

export interface InlineRegistration {
  readonly definition: TaskDefinition;
  readonly handler: (call: Call<never, never>) => unknown;
}

export interface IsolatedRegistration {
  readonly definition: TaskDefinition;
  readonly isolation: IsolationPlan;
}

/** How handlers are isolated. A node opens each plan once, by its key, when it first needs it. */
export interface IsolationPlan {
  readonly key: string;
  open(world: Pick<World, 'clock' | 'log' | 'limits'>): Isolation;
}

/** Runs handlers where their loops, leaks and exits cannot harm the node. */
export interface Isolation {
  /** Runs the handler of a task type. Settles only when that has really ended; never rejects. */
  run(type: string, run: Run): Promise<Ended>;
  /** Ends what is idle now, and what runs as soon as it has ended. Resolves when nothing is left. */
  stop(): Promise<void>;
}

/** How a handler ended. */
export type Ended = { readonly result: Uint8Array } | { readonly failure: Failure };

/**
 * Binds a handler to its task definition, for `createNode({ handlers })` or a module given to `pincer node`.
 * The handler’s input, progress and result are typed by the definition.
 */
export function defineHandler<Definition extends TaskDefinition>(
  definition: Definition,
  handler: Handler<Definition>,
): InlineRegistration {
  return Object.freeze({ definition, handler: handler as InlineRegistration['handler'] });
}

export interface Run {
  readonly taskId: string;
  readonly attempt: number;
  readonly payload: Uint8Array;
  readonly signal: AbortSignal;
  readonly limits: Limits;
  onStarted(): void;
  onProgress(payload: Uint8Array): Promise<void>;
}

/** Nothing waits here for what is there at once: most handlers have no schema, or one that answers on the spot. */
export async function runHandler({ definition, handler }: InlineRegistration, run: Run): Promise<Ended> {
  const { taskId, attempt, limits } = run;
  try {
    let input = checked(definition.input, decodePayload(run.payload, limits), 'PAYLOAD_INVALID', 'input');
    if (input instanceof Promise) {
      input = await input;
      if (run.signal.aborted) throw run.signal.reason;
    }
    run.onStarted();
    const call: Call = {
      input,
      get signal() {
        return run.signal;
      },
      taskId,
      attempt,
      async progress(report) {
        const value = await checked(definition.progress, report, 'RESULT_INVALID', 'progress');
        await run.onProgress(encodePayload(value, limits));
      },
    };
    let returned = handler(call as Call<never, never>);
    if (isThenable(returned)) returned = await returned;
    let output = checked(definition.output, returned, 'RESULT_INVALID', 'result');
    if (output instanceof Promise) output = await output;
    return { result: encodeResult(output, limits) };
  } catch (error) {
    const isFinal = error instanceof Error && 'retryable' in error && error.retryable === false;
    return { failure: toFailure(error, isFinal ? 'HANDLER_REFUSED' : 'HANDLER_FAILED') };
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function encodeResult(output: unknown, limits: Limits): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = encodePayload(output, limits);
  } catch (error) {
    throw new PincerError('RESULT_INVALID', `result: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  if (bytes.byteLength > limits.payloadBytesMax) {
    throw new PincerError(
      'RESULT_TOO_LARGE',
      `the result has ${bytes.byteLength} bytes, more than ${limits.payloadBytesMax}`,
    );
  }
  return bytes;
}

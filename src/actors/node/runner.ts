/** Runs one handler: payload in, result out, every value checked by the task’s schemas. Never throws. */
import { type Failure, PincerError, retryableOf, toFailure } from '../../protocol/failure.ts';
import type { Limits } from '../../protocol/limits.ts';
import { decodePayload, encodePayload } from '../../transport/payload.ts';
import { type Call, checked, type Handler, type TaskDefinition } from '../task-definition.ts';
import type { World } from '../world/world.ts';

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
 * @throws PincerError `OPTION_INVALID` without a definition or a function.
 */
export function defineHandler<Definition extends TaskDefinition>(
  definition: Definition,
  handler: Handler<Definition>,
): InlineRegistration {
  if (typeof definition?.type !== 'string') {
    throw new PincerError('OPTION_INVALID', 'defineHandler: there is no task definition; make one with defineTask');
  }
  if (typeof handler !== 'function') {
    throw new PincerError('OPTION_INVALID', `defineHandler: the handler of '${definition.type}' must be a function`);
  }
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
  /** A report could not be sent, and perhaps nobody waits for it. Who is told keeps to the first. */
  onProgressFailed(failure: Failure): void;
}

/**
 * How a handler ended: at once, if nothing on the way takes its time. Most handlers have no schema, or one that answers on
 * the spot, and what need not wait costs no promise.
 */
export function runHandler(registration: InlineRegistration, run: Run): Ended | Promise<Ended> {
  try {
    const input = checked(
      registration.definition.input,
      decodePayload(run.payload, run.limits),
      'PAYLOAD_INVALID',
      'input',
    );
    if (input instanceof Promise) return runLater(registration, run, input);
    const returned = begin(registration, run, input);
    return isThenable(returned) ? endLater(registration, run, returned) : end(registration, run, returned);
  } catch (error) {
    return failed(error);
  }
}

async function runLater(registration: InlineRegistration, run: Run, input: Promise<unknown>): Promise<Ended> {
  try {
    const checkedInput = await input;
    if (run.signal.aborted) throw run.signal.reason;
    return await end(registration, run, await begin(registration, run, checkedInput));
  } catch (error) {
    return failed(error);
  }
}

async function endLater(registration: InlineRegistration, run: Run, returned: PromiseLike<unknown>): Promise<Ended> {
  try {
    return await end(registration, run, await returned);
  } catch (error) {
    return failed(error);
  }
}

function begin({ definition, handler }: InlineRegistration, run: Run, input: unknown): unknown {
  run.onStarted();
  return handler(new HandlerCall(definition, run, input) as Call as Call<never, never>);
}

function end({ definition }: InlineRegistration, { limits }: Run, returned: unknown): Ended | Promise<Ended> {
  const output = checked(definition.output, returned, 'RESULT_INVALID', 'result');
  if (!(output instanceof Promise)) return { result: encodeResult(output, limits) };
  return output.then((later) => ({ result: encodeResult(later, limits) })).catch(failed);
}

function failed(error: unknown): Ended {
  return { failure: toFailure(error, retryableOf(error) === false ? 'HANDLER_REFUSED' : 'HANDLER_FAILED') };
}

const RUN = Symbol('run');

/**
 * What a handler is called with. All of it is its own, since handlers spread it into calls of others, and `signal` is made
 * when it is looked at; one descriptor for all calls takes a quarter of the time of a getter written into each.
 */
class HandlerCall implements Call {
  readonly input: unknown;
  readonly taskId: string;
  readonly attempt: number;
  declare readonly signal: AbortSignal;
  readonly progress: (report: unknown) => Promise<void>;
  readonly [RUN]: Run;

  constructor(definition: TaskDefinition, run: Run, input: unknown) {
    this[RUN] = run;
    this.input = input;
    this.taskId = run.taskId;
    this.attempt = run.attempt;
    this.progress = (report) => {
      const taken = sendProgress(definition, run, report);
      // Many handlers do not wait for their reports: what nobody takes would end the process, and all that runs in it.
      taken.catch(() => {});
      return taken;
    };
    Object.defineProperty(this, 'signal', HandlerCall.#signal);
  }

  static readonly #signal = {
    enumerable: true,
    configurable: true,
    get(this: HandlerCall): AbortSignal {
      return this[RUN].signal;
    },
  };
}

async function sendProgress({ progress }: TaskDefinition, run: Run, report: unknown): Promise<void> {
  try {
    const value = checked(progress, report, 'RESULT_INVALID', 'progress');
    const bytes = encodePayload(isThenable(value) ? await value : value, run.limits);
    checkProgress(bytes, run.limits);
    await run.onProgress(bytes);
  } catch (error) {
    run.onProgressFailed(toFailure(error, 'HANDLER_FAILED'));
    throw error;
  }
}

/**
 * A larger report would be refused by the gateway together with the link, and cost the node all that it runs.
 * @throws PincerError `PAYLOAD_TOO_LARGE`
 */
export function checkProgress({ byteLength }: Uint8Array, { payloadBytesMax }: Limits): void {
  if (byteLength <= payloadBytesMax) return;
  throw new PincerError('PAYLOAD_TOO_LARGE', `the progress has ${byteLength} bytes, more than ${payloadBytesMax}`);
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

/** Typed tasks: one definition types submit, handler, progress and result, with any Standard Schema library. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { PincerError } from '../protocol/failure.ts';
import { Capabilities, plainText, TaskType } from '../protocol/identifier.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { checkOptions, type Names } from '../protocol/options.ts';

const ISSUE_CHARACTERS_MAX = 500;

/** Any schema of a library that speaks Standard Schema 1 (zod, valibot, arktype …). See https://standardschema.dev */
type Schema = StandardSchemaV1;

/** What `defineTask` takes beside the name. */
export interface TaskOptions<
  Input extends Schema | undefined = Schema | undefined,
  Output extends Schema | undefined = Schema | undefined,
  Progress extends Schema | undefined = Schema | undefined,
> {
  /** Checked at submit, and again where the handler runs, which sees the schema’s output (defaults filled in). Absent: unknown. */
  readonly input?: Input;
  /** Checks the handler’s result on the node. Absent: unknown. */
  readonly output?: Output;
  /** Checks each progress report on the node. Absent: unknown. */
  readonly progress?: Progress;
  /** Capabilities a node must have. Default: what the type needs by the specification (`tool-execution` needs `tools` …). */
  readonly needs?: readonly string[];
  /** How long one attempt may run, in milliseconds, 1 to 30 days. Default 300 000. */
  readonly timeoutMs?: number;
  /** How many failures the task may have before it is failed, 1–100. Default 3. */
  readonly retry?: { readonly attempts: number };
}

const SCHEMAS = ['input', 'output', 'progress'] as const;
/** A definition is taken as well, to make another one like it; its type is that which is named. */
const TASK_OPTIONS: Names<TaskOptions & Pick<TaskDefinition, 'type'>> = {
  input: true,
  output: true,
  progress: true,
  needs: true,
  timeoutMs: true,
  retry: true,
  type: true,
};

/** A task type with its schemas: what `submit` and `handle` take. Make one with `defineTask`. */
export interface TaskDefinition<
  Input extends Schema | undefined = Schema | undefined,
  Output extends Schema | undefined = Schema | undefined,
  Progress extends Schema | undefined = Schema | undefined,
> extends TaskOptions<Input, Output, Progress> {
  readonly type: string;
}

/** What a caller passes: the schema’s input, where defaults are optional. */
export type InputOf<Definition extends TaskDefinition> =
  Definition extends TaskDefinition<infer Input, infer _O, infer _P>
    ? Input extends Schema
      ? StandardSchemaV1.InferInput<Input>
      : unknown
    : never;

/** What the handler sees: the schema’s output. */
export type ParsedInputOf<Definition extends TaskDefinition> =
  Definition extends TaskDefinition<infer Input, infer _O, infer _P>
    ? Input extends Schema
      ? StandardSchemaV1.InferOutput<Input>
      : unknown
    : never;

/** What the handler returns. */
export type ReturnOf<Definition extends TaskDefinition> =
  Definition extends TaskDefinition<infer _I, infer Output, infer _P>
    ? Output extends Schema
      ? StandardSchemaV1.InferInput<Output>
      : unknown
    : never;

/** What awaiting the handle gives. */
export type ResultOf<Definition extends TaskDefinition> =
  Definition extends TaskDefinition<infer _I, infer Output, infer _P>
    ? Output extends Schema
      ? StandardSchemaV1.InferOutput<Output>
      : unknown
    : never;

/** What the handler reports as progress. */
export type ProgressOf<Definition extends TaskDefinition> =
  Definition extends TaskDefinition<infer _I, infer _O, infer Progress>
    ? Progress extends Schema
      ? StandardSchemaV1.InferInput<Progress>
      : unknown
    : never;

/** What a handler is called with. */
export interface Call<Input = unknown, Progress = unknown> {
  readonly input: Input;
  /**
   * Aborted when the task is cancelled (`TASK_CANCELLED`), the time of the attempt is up (`TASK_TIMED_OUT`), another node has the
   * task by now (`NODE_LOST`), or the node stops (`STOPPED`): the code of its `reason`, which is a PincerError.
   */
  readonly signal: AbortSignal;
  readonly taskId: string;
  /** The number of this attempt, from 1. `taskId` is the idempotency key for side effects; `taskId:attempt` tells reruns apart. */
  readonly attempt: number;
  /** Reports progress. Resolves when the link can take more; reports may be conflated while it cannot. */
  progress(report: Progress): Promise<void>;
}

/** Runs one attempt. What it returns is the result; what it throws fails the attempt, retryably unless the error says `retryable: false`. */
export type Handler<Definition extends TaskDefinition = TaskDefinition> = (
  call: Call<ParsedInputOf<Definition>, ProgressOf<Definition>>,
) => Promise<ReturnOf<Definition>> | ReturnOf<Definition>;

/**
 * Defines a task type once, for its submitter and its handler alike.
 * @throws PincerError `OPTION_INVALID` when the name, needs, timeout or attempts are out of range.
 */
export function defineTask<
  const Input extends Schema | undefined = undefined,
  const Output extends Schema | undefined = undefined,
  const Progress extends Schema | undefined = undefined,
>(type: string, options: TaskOptions<Input, Output, Progress> = {}): TaskDefinition<Input, Output, Progress> {
  const check = (holds: boolean, what: string): void => {
    if (!holds) throw new PincerError('OPTION_INVALID', `defineTask('${type}'): ${what}`);
  };
  check(TaskType.safeParse(type).success, 'the type must be 1–128 of A-Z a-z 0-9 . _ : / -');
  checkOptions(options, `defineTask('${type}')`, 'options, or nothing', TASK_OPTIONS);
  for (const name of SCHEMAS) {
    check(
      options[name] === undefined || typeof options[name]?.['~standard']?.validate === 'function',
      `${name} must be a schema of a Standard Schema library, such as zod or valibot`,
    );
  }
  check(Capabilities.safeParse(options.needs ?? []).success, 'needs must be at most 64 capability names');
  const { timeoutMs = 1, retry = { attempts: 1 } } = options;
  check(
    Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= defaultLimits.taskTimeoutMsMax,
    `timeoutMs is ${timeoutMs}, must be a whole number from 1 to ${defaultLimits.taskTimeoutMsMax}`,
  );
  checkOptions(retry, `defineTask('${type}'): retry`, 'attempts', { attempts: true });
  check(
    Number.isInteger(retry.attempts) && retry.attempts >= 1 && retry.attempts <= defaultLimits.attemptsMax,
    `retry.attempts is ${retry.attempts}, must be a whole number from 1 to ${defaultLimits.attemptsMax}`,
  );
  return Object.freeze({ ...options, type });
}

/**
 * A value checked by a schema, or a promise of it from a schema that takes its time; without a schema, the value as it is.
 * @throws PincerError with `code`, naming the first field that does not fit; never the value. Or rejects with it.
 */
export function checked(
  schema: Schema | undefined,
  value: unknown,
  code: 'PAYLOAD_INVALID' | 'RESULT_INVALID',
  what: string,
): unknown {
  if (schema === undefined) return value;
  const outcome = schema['~standard'].validate(value);
  // By its shape: a library may bring promises of its own.
  return 'then' in outcome
    ? Promise.resolve(outcome).then((settled) => passedBy(settled, code, what))
    : passedBy(outcome, code, what);
}

function passedBy(
  outcome: StandardSchemaV1.Result<unknown>,
  code: 'PAYLOAD_INVALID' | 'RESULT_INVALID',
  what: string,
): unknown {
  if (outcome.issues === undefined) return outcome.value;
  const issue = outcome.issues[0];
  const path = (issue?.path ?? []).map((step) => String(typeof step === 'object' ? step.key : step));
  const reason = issue === undefined ? 'is invalid' : withoutValue(issue);
  throw new PincerError(code, plainText(`${[what, ...path].join('.')}: ${reason}`, ISSUE_CHARACTERS_MAX));
}

// valibot says what it received, word for word: "Expected number but received "hunter2"". That is the payload, which must
// not reach a log; the names of types (`Object`, `undefined`) may stay.
function withoutValue(issue: StandardSchemaV1.Issue): string {
  const received = 'received' in issue && typeof issue.received === 'string' ? issue.received : '';
  const at = /^["\d-]/.test(received) ? issue.message.lastIndexOf(received) : -1;
  return at < 0 ? issue.message : `${issue.message.slice(0, at)}…${issue.message.slice(at + received.length)}`;
}

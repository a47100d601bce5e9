/** What commands read: a JSON argument, a file, or stdin; and task lists, one JSON object a line. */
import { open } from 'node:fs/promises';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { LIMITS, PincerError } from '../client.ts';
import { textIn } from './text-file.ts';

/**
 * The value of a JSON argument: literal, `@file`, or `-` for stdin. Absent: null.
 * @throws PincerError `OPTION_INVALID`.
 */
export async function readPayload(argument: string | undefined): Promise<unknown> {
  if (argument === undefined) return null;
  let text = argument;
  if (argument === '-') {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Buffer));
    text = Buffer.concat(chunks).toString('utf8');
  } else if (argument.startsWith('@')) {
    text = textIn(argument.slice(1), `the file ${argument.slice(1)}`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new PincerError('OPTION_INVALID', `the payload is not JSON: ${error instanceof Error ? error.message : ''}`, {
      cause: error,
      hint: 'Quote it for the shell: \'{"x":1}\', or use @file or - for stdin.',
    });
  }
}

const Milliseconds = z.int().min(1).max(LIMITS.taskTimeoutMsMax.value);
const Key = z.string().min(1).max(128);
const Amount = z.int().min(1).max(1_000_000);

/** A task on a line of a list. Fields are named as on the wire; times are milliseconds. */
const TaskLine = z.strictObject({
  type: z.string(),
  payload: z.unknown().optional(),
  /** For lines below that name it in `after`. */
  taskId: z.string().optional(),
  priority: z.int().min(1).max(10).optional(),
  timeout: Milliseconds.optional(),
  key: Key.optional(),
  needs: z.array(z.string()).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  resources: z.record(z.string(), z.number().min(0)).optional(),
  node: z.string().optional(),
  prefer: z.string().optional(),
  affinityKey: Key.optional(),
  attempts: z.int().min(1).max(LIMITS.attemptsMax.value).optional(),
  delay: Milliseconds.optional(),
  ttl: Milliseconds.optional(),
  deadline: Milliseconds.optional(),
  fairKey: Key.optional(),
  limit: z
    .strictObject({ key: Key, concurrency: Amount.optional(), perMinute: Amount.optional() })
    .refine(({ concurrency, perMinute }) => concurrency !== undefined || perMinute !== undefined, {
      message: 'must have concurrency, perMinute or both',
    })
    .optional(),
  after: z.array(z.string()).min(1).max(LIMITS.dependenciesMax.value).optional(),
  onDependencyFailure: z.enum(['fail', 'ignore', 'run']).optional(),
});
export type TaskLine = z.infer<typeof TaskLine>;

/** What a line may say. */
export const FIELDS = Object.keys(TaskLine.shape);

/** One line of a task list, numbered from 0; an error names line and field. */
export interface NumberedLine {
  readonly index: number;
  readonly task: TaskLine | PincerError;
}

/**
 * A task list, opened; `-` is stdin.
 * @throws PincerError `OPTION_INVALID` when there is no such file, or it is none.
 */
export async function openTaskList(file: string): Promise<TaskList> {
  if (file === '-') return { name: file, input: process.stdin };
  try {
    const handle = await open(file);
    // A directory can be opened, and only fails when it is read.
    if ((await handle.stat()).isDirectory()) {
      await handle.close();
      throw new Error('it is a directory');
    }
    return { name: file, input: handle.createReadStream({ encoding: 'utf8' }) };
  } catch (error) {
    throw unreadable(file, error);
  }
}

export interface TaskList {
  readonly name: string;
  readonly input: NodeJS.ReadableStream;
}

/**
 * The lines of a task list, one at a time; empty ones are passed over but counted. Ends early when `signal` is aborted,
 * even while it waits for a line of stdin.
 * @throws PincerError `OPTION_INVALID` when the list cannot be read.
 */
export async function* readTaskLines({ name, input }: TaskList, signal?: AbortSignal): AsyncIterable<NumberedLine> {
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  const end = (): void => lines.close();
  signal?.addEventListener('abort', end, { once: true });
  if (signal?.aborted === true) end();
  let index = -1;
  try {
    for await (const line of lines) {
      index += 1;
      // Editors on Windows begin a file with a byte-order mark.
      const text = (index === 0 ? line.replace(/^\uFEFF/, '') : line).trim();
      if (text !== '') yield { index, task: parseLine(text, index) };
    }
  } catch (error) {
    throw unreadable(name, error);
  } finally {
    signal?.removeEventListener('abort', end);
    lines.close();
  }
}

function unreadable(file: string, error: unknown): PincerError {
  const reason = error instanceof Error ? error.message : String(error);
  return new PincerError('OPTION_INVALID', `the list ${file} cannot be read: ${reason}`, {
    cause: error,
    hint: 'Name a file with one JSON object a line, or - for stdin.',
  });
}

function parseLine(line: string, index: number): TaskLine | PincerError {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return refusal(index, `not JSON: ${error instanceof Error ? error.message : ''}`, 'Write one JSON object a line.');
  }
  const parsed = TaskLine.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  const mend =
    issue?.code === 'unrecognized_keys'
      ? `A task has the fields ${FIELDS.join(', ')}.`
      : 'Correct that field and submit the line again; the other lines went on.';
  return refusal(index, `${field}${issue?.message ?? 'is invalid'}`, mend);
}

function refusal(index: number, what: string, hint: string): PincerError {
  return new PincerError('PAYLOAD_INVALID', `line ${index + 1}: ${what}`, { hint });
}

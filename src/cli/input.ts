/** What commands read: a JSON argument, a file, or stdin; and task lists, one JSON object a line. */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { PincerError } from '../index.ts';

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
    try {
      text = await readFile(argument.slice(1), 'utf8');
    } catch (error) {
      throw new PincerError('OPTION_INVALID', `the file ${argument.slice(1)} cannot be read`, { cause: error });
    }
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

const TaskLine = z.strictObject({
  type: z.string(),
  payload: z.unknown().optional(),
  priority: z.int().min(1).max(10).optional(),
  /** Milliseconds. */
  timeout: z.int().min(1).optional(),
  key: z.string().optional(),
});
export type TaskLine = z.infer<typeof TaskLine>;

/** One line of a task list, numbered from 0; an error names line and field. */
export interface NumberedLine {
  readonly index: number;
  readonly task: TaskLine | PincerError;
}

/** The lines of a task list, one at a time; empty ones are passed over but counted. */
export async function* readTaskLines(file: string): AsyncIterable<NumberedLine> {
  const input = file === '-' ? process.stdin : createReadStream(file, 'utf8');
  let failure: unknown = null;
  input.on('error', (error: Error) => {
    failure = error;
    lines.close();
  });
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  let index = -1;
  for await (const line of lines) {
    index += 1;
    if (line.trim() !== '') yield { index, task: parseLine(line, index) };
  }
  if (failure !== null)
    throw new PincerError('OPTION_INVALID', `${file} cannot be read: ${String(failure)}`, { cause: failure });
}

function parseLine(line: string, index: number): TaskLine | PincerError {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return new PincerError(
      'PAYLOAD_INVALID',
      `line ${index + 1}: not JSON: ${error instanceof Error ? error.message : ''}`,
    );
  }
  const parsed = TaskLine.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  return new PincerError(
    'PAYLOAD_INVALID',
    `line ${index + 1}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is invalid'}`,
  );
}

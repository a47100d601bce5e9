/**
 * The `tool-execution` task: one program with its arguments, run on a node that allows it. What is said here is only the
 * shape; which programs, variables and directories a node permits is for tool-handler.ts.
 */
import { z } from 'zod';
import { defineTask } from '../actors/task-definition.ts';
import { defaultLimits } from '../protocol/limits.ts';

const { toolArgumentsMax, toolStdinBytesMax } = defaultLimits;

const WithoutNul = z.string().refine((text) => !text.includes('\0'), { error: 'must not contain a NUL character' });

const Stdin = z
  .union([z.string(), z.custom<Uint8Array>((value) => value instanceof Uint8Array)], {
    error: 'must be a string or bytes',
  })
  .refine((stdin) => Buffer.byteLength(stdin) <= toolStdinBytesMax, {
    error: `must be at most ${toolStdinBytesMax} bytes`,
  });

/**
 * Runs one program. `command` is the bare name of a program that the node allows, never a shell line; `args` reach it
 * as they are. `cwd` is relative to the node’s directory. `stdin` is text (as UTF-8) or bytes; absent: nothing to read.
 *
 * The result is what the program said, whatever it said: a non-zero `exitCode` is a result, not a failure, because only
 * the submitter knows what it means (`grep` says 1 for "not found"). The attempt fails when there is no exit code to
 * report: the program may not or cannot be started, a signal ended it (COMMAND_KILLED), or it was told to stop.
 *
 * `stdout` and `stderr` are UTF-8 with U+FFFD for what is not; `truncated` says that one of them was longer than the node
 * keeps. Progress carries them while they appear; the chunks of a stream, joined, are its text in the result.
 */
export const toolExecution = defineTask('tool-execution', {
  input: z.strictObject({
    command: WithoutNul.min(1).max(128),
    args: z.array(WithoutNul).max(toolArgumentsMax).default([]),
    cwd: WithoutNul.max(4_096).optional(),
    env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/), WithoutNul).default({}),
    stdin: Stdin.optional(),
  }),
  output: z.strictObject({
    exitCode: z.int(),
    stdout: z.string(),
    stderr: z.string(),
    truncated: z.boolean(),
  }),
  progress: z.strictObject({ stream: z.enum(['stdout', 'stderr']), chunk: z.string() }),
});

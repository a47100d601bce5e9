/** What one definition promises its submitter and its handler, with zod, with valibot, and without any schema. */
import * as v from 'valibot';
import { describe, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import {
  type Call,
  defineTask,
  type Handler,
  type InputOf,
  type ParsedInputOf,
  type ProgressOf,
  type ResultOf,
  type ReturnOf,
  type TaskDefinition,
} from '../../src/actors/task-definition.ts';
import { toolExecution, toolHandler } from '../../src/handlers.ts';
import type { createClient, Dial } from '../../src/index.ts';

// What the client and the node take, as far as types are concerned.
declare function submit<Definition extends TaskDefinition>(
  definition: Definition,
  input: InputOf<Definition>,
): { result: Promise<ResultOf<Definition>>; progress: AsyncIterable<ProgressOf<Definition>> };
declare function handle<Definition extends TaskDefinition>(definition: Definition, handler: Handler<Definition>): void;

const withZod = defineTask('summarize', {
  input: z.object({
    text: z.string(),
    sentences: z.number().default(3),
    when: z.string().transform((text) => text.length),
    tone: z.enum(['dry', 'warm']).optional(),
  }),
  output: z.object({
    summary: z.string(),
    words: z.number().default(0),
    lines: z.string().transform((text) => text.split('\n')),
  }),
  progress: z.object({ step: z.enum(['reading', 'writing']), done: z.number().default(0) }),
  needs: ['llm'],
  timeoutMs: 1_000,
});

const withValibot = defineTask('summarize', {
  input: v.object({
    text: v.string(),
    sentences: v.optional(v.number(), 3),
    when: v.pipe(
      v.string(),
      v.transform((text) => text.length),
    ),
    tone: v.optional(v.picklist(['dry', 'warm'])),
  }),
  output: v.object({
    summary: v.string(),
    words: v.optional(v.number(), 0),
    lines: v.pipe(
      v.string(),
      v.transform((text) => text.split('\n')),
    ),
  }),
  progress: v.object({ step: v.picklist(['reading', 'writing']), done: v.optional(v.number(), 0) }),
});

const withNothing = defineTask('anything');
const withInputOnly = defineTask('input-only', { input: z.object({ n: z.number() }) });

type Zod = typeof withZod;
type Valibot = typeof withValibot;

interface Input {
  text: string;
  sentences?: number | undefined;
  when: string;
  tone?: 'dry' | 'warm' | undefined;
}
interface Parsed {
  text: string;
  sentences: number;
  when: number;
  tone?: 'dry' | 'warm' | undefined;
}
interface Returned {
  summary: string;
  words?: number | undefined;
  lines: string;
}
interface Result {
  summary: string;
  words: number;
  lines: string[];
}
interface Progress {
  step: 'reading' | 'writing';
  done?: number | undefined;
}

describe('a definition with schemas', () => {
  it('has the types of its zod schemas, before and after parsing', () => {
    expectTypeOf<InputOf<Zod>>().toEqualTypeOf<Input>();
    expectTypeOf<ParsedInputOf<Zod>>().toEqualTypeOf<Parsed>();
    expectTypeOf<ReturnOf<Zod>>().toEqualTypeOf<Returned>();
    expectTypeOf<ResultOf<Zod>>().toEqualTypeOf<Result>();
    expectTypeOf<ProgressOf<Zod>>().toEqualTypeOf<Progress>();
  });

  it('has the types of its valibot schemas, before and after parsing', () => {
    expectTypeOf<InputOf<Valibot>>().toEqualTypeOf<Input>();
    expectTypeOf<ParsedInputOf<Valibot>>().toEqualTypeOf<Parsed>();
    expectTypeOf<ReturnOf<Valibot>>().toEqualTypeOf<Returned>();
    expectTypeOf<ResultOf<Valibot>>().toEqualTypeOf<Result>();
    expectTypeOf<ProgressOf<Valibot>>().toEqualTypeOf<Progress>();
  });

  it('types its handler', () => {
    expectTypeOf<Parameters<Handler<Zod>>>().toEqualTypeOf<[call: Call<Parsed, Progress>]>();
    expectTypeOf<ReturnType<Handler<Zod>>>().toEqualTypeOf<Promise<Returned> | Returned>();
  });

  it('is a definition like any other', () => {
    expectTypeOf(withZod).toExtend<TaskDefinition>();
    expectTypeOf(withValibot).toExtend<TaskDefinition>();
    expectTypeOf([withZod, withValibot, withNothing, withInputOnly, toolExecution]).toExtend<
      readonly TaskDefinition[]
    >();
    expectTypeOf(withZod.needs).toEqualTypeOf<readonly string[] | undefined>();
  });

  it('cannot be changed', () => {
    // @ts-expect-error read-only
    withZod.timeoutMs = 5;
  });
});

describe('a definition without schemas', () => {
  it('knows nothing of its values', () => {
    expectTypeOf<InputOf<typeof withNothing>>().toBeUnknown();
    expectTypeOf<ParsedInputOf<typeof withNothing>>().toBeUnknown();
    expectTypeOf<ReturnOf<typeof withNothing>>().toBeUnknown();
    expectTypeOf<ResultOf<typeof withNothing>>().toBeUnknown();
    expectTypeOf<ProgressOf<typeof withNothing>>().toBeUnknown();
    expectTypeOf<InputOf<TaskDefinition>>().toBeUnknown();
    expectTypeOf<ResultOf<TaskDefinition>>().toBeUnknown();
  });

  it('may have one schema of the three', () => {
    expectTypeOf<InputOf<typeof withInputOnly>>().toEqualTypeOf<{ n: number }>();
    expectTypeOf<ResultOf<typeof withInputOnly>>().toBeUnknown();
    expectTypeOf<ProgressOf<typeof withInputOnly>>().toBeUnknown();
  });
});

describe('submit', () => {
  it('takes what the schema takes and gives what it makes (#70)', () => {
    const handle = submit(withZod, { text: 'x', when: 'now' });
    expectTypeOf(handle.result).toEqualTypeOf<Promise<Result>>();
    expectTypeOf(handle.progress).toEqualTypeOf<AsyncIterable<Progress>>();
    expectTypeOf(submit(withValibot, { text: 'x', when: 'now', tone: 'dry' }).result).toEqualTypeOf<Promise<Result>>();
    expectTypeOf(submit(withNothing, 5).result).toEqualTypeOf<Promise<unknown>>();
  });

  it('refuses what the schema refuses', () => {
    // @ts-expect-error `when` is missing
    submit(withZod, { text: 'x' });
    // @ts-expect-error `text` is no number
    submit(withZod, { text: 5, when: 'now' });
    // @ts-expect-error there is no such tone
    submit(withZod, { text: 'x', when: 'now', tone: 'loud' });
    // @ts-expect-error there is no field `txt`
    submit(withZod, { text: 'x', when: 'now', txt: 'y' });
    // @ts-expect-error `when` is missing
    submit(withValibot, { text: 'x' });
    // @ts-expect-error `text` is no number
    submit(withValibot, { text: 5, when: 'now' });
    // @ts-expect-error a string is no definition
    submit('summarize', {});
  });
});

describe('handle', () => {
  it('types the call without annotations', () => {
    handle(withZod, async (call) => {
      expectTypeOf(call).toEqualTypeOf<Call<Parsed, Progress>>();
      await call.progress({ step: 'reading' });
      return { summary: call.input.text.slice(0, call.input.when), lines: '' };
    });
    handle(withValibot, ({ input, progress, signal, taskId, attempt }) => {
      expectTypeOf(input).toEqualTypeOf<Parsed>();
      expectTypeOf(progress).toEqualTypeOf<(report: Progress) => Promise<void>>();
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
      expectTypeOf(taskId).toBeString();
      expectTypeOf(attempt).toBeNumber();
      return { summary: '', words: 1, lines: '' };
    });
    handle(withNothing, (call) => {
      expectTypeOf(call).toEqualTypeOf<Call<unknown, unknown>>();
      return 'anything';
    });
    handle(withInputOnly, async ({ input }) => input.n + 1);
  });

  it('refuses a wrong result, in a promise or not', () => {
    // @ts-expect-error `lines` is missing
    handle(withZod, async () => ({ summary: '' }));
    // @ts-expect-error `summary` is no number
    handle(withZod, () => ({ summary: 5, lines: '' }));
    // @ts-expect-error the handler returns what the schema takes, a string, not what it makes
    handle(withZod, () => ({ summary: '', lines: [''] }));
    // @ts-expect-error nothing is returned
    handle(withValibot, async () => {});
  });

  it('refuses wrong progress and wrong use of the input', () => {
    handle(withZod, async ({ input, progress }) => {
      // @ts-expect-error there is no such step
      await progress({ step: 'thinking' });
      // @ts-expect-error `step` is missing
      await progress({ done: 5 });
      // @ts-expect-error there is no such field
      input.txt;
      // @ts-expect-error `when` is a number once it is parsed
      input.when.slice(0);
      return { summary: '', lines: '' };
    });
    handle(withNothing, ({ input }) => {
      // @ts-expect-error what is unknown has no fields
      input.text;
      return null;
    });
  });

  it('refuses the handler of another definition', () => {
    const other = toolHandler({
      allow: ['wc'],
      clock: { now: () => 0, wallTime: () => 0, schedule: () => () => {}, soon: () => {} },
    });
    handle(toolExecution, other);
    // @ts-expect-error it is for tool-execution
    handle(withZod, other);
  });
});

describe('tool-execution', () => {
  it('takes a command, and the rest if there is something to say', () => {
    submit(toolExecution, { command: 'wc' });
    submit(toolExecution, { command: 'wc', args: ['-c'], cwd: 'src', env: { TZ: 'UTC' }, stdin: 'text' });
    submit(toolExecution, { command: 'wc', stdin: new Uint8Array(3) });
    submit(toolExecution, { command: 'wc', stdin: Buffer.from('x') });
    // @ts-expect-error the command is missing
    submit(toolExecution, { args: [] });
    // @ts-expect-error there is no shell
    submit(toolExecution, { command: 'wc', shell: true });
    expectTypeOf<ResultOf<typeof toolExecution>>().toEqualTypeOf<{
      exitCode: number;
      stdout: string;
      stderr: string;
      truncated: boolean;
    }>();
    expectTypeOf<ProgressOf<typeof toolExecution>>().toEqualTypeOf<{ stream: 'stdout' | 'stderr'; chunk: string }>();
    expectTypeOf<ParsedInputOf<typeof toolExecution>['args']>().toEqualTypeOf<string[]>();
  });
});

describe('createClient', () => {
  it('takes a gateway by its URL or by a dial, and not nothing', () => {
    type Options = Parameters<typeof createClient>[0];
    expectTypeOf<{ url: string; token: string }>().toExtend<Options>();
    expectTypeOf<{ dial: Dial }>().toExtend<Options>();
    expectTypeOf<{ token: string }>().not.toExtend<Options>();
    expectTypeOf<{ url: undefined }>().not.toExtend<Options>();
  });
});

describe('defineTask', () => {
  it('takes schemas and options of the right kind only', () => {
    // @ts-expect-error no schema
    defineTask('x', { input: { text: 'string' } });
    // @ts-expect-error no number
    defineTask('x', { timeoutMs: '5 s' });
    // @ts-expect-error attempts is missing
    defineTask('x', { retry: {} });
    // @ts-expect-error there is no such option
    defineTask('x', { timeout: 5 });
  });
});

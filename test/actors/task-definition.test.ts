import type { StandardSchemaV1 } from '@standard-schema/spec';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checked, defineTask, type TaskOptions } from '../../src/actors/task-definition.ts';
import { PincerError } from '../../src/protocol/failure.ts';

const define =
  (type: string, options: TaskOptions = {}) =>
  () =>
    defineTask(type, options);
const refused = (message: string) =>
  expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining(message) });

describe('defineTask', () => {
  it('keeps what it is given, and cannot be changed afterwards', () => {
    const input = z.string();
    const definition = defineTask('chat/answer:v2', { input, needs: ['llm'], timeoutMs: 5, retry: { attempts: 1 } });
    expect(definition).toEqual({ type: 'chat/answer:v2', input, needs: ['llm'], timeoutMs: 5, retry: { attempts: 1 } });
    expect(Object.isFrozen(definition)).toBe(true);
    expect(defineTask('plain')).toEqual({ type: 'plain' });
  });

  it('refuses a type that is not a name, naming it', () => {
    for (const type of ['', 'a b', 'é', 'x'.repeat(129), 'a\n'])
      expect(define(type)).toThrow(refused('the type must be'));
    expect(define('a b')).toThrow(refused("defineTask('a b')"));
    expect(define('x'.repeat(128))).not.toThrow();
  });

  it('refuses needs that are not capabilities', () => {
    expect(define('x', { needs: ['a b'] })).toThrow(refused('needs must be'));
    expect(define('x', { needs: Array(65).fill('a') })).toThrow(refused('needs must be'));
    expect(define('x', { needs: Array(64).fill('a') })).not.toThrow();
  });

  it('refuses a timeout and attempts out of their range, with the number', () => {
    for (const timeoutMs of [0, -1, 1.5, Number.NaN, 2_592_000_001, Number.POSITIVE_INFINITY]) {
      expect(define('x', { timeoutMs })).toThrow(refused(`timeoutMs is ${timeoutMs}`));
    }
    for (const attempts of [0, 1.5, 101]) {
      expect(define('x', { retry: { attempts } })).toThrow(refused(`retry.attempts is ${attempts}`));
    }
    expect(define('x', { timeoutMs: 2_592_000_000, retry: { attempts: 100 } })).not.toThrow();
  });
});

describe('a checked value', () => {
  const check = async (schema: StandardSchemaV1 | undefined, value: unknown) =>
    checked(schema, value, 'PAYLOAD_INVALID', 'input');
  const failureOf = async (schema: StandardSchemaV1, value: unknown): Promise<unknown> =>
    check(schema, value).then(
      () => 'no failure',
      (error: unknown) => error,
    );

  it('is there at once, unless its schema takes its time', async () => {
    expect(checked(z.string(), 'now', 'PAYLOAD_INVALID', 'input')).toBe('now');
    const slow: StandardSchemaV1 = {
      '~standard': { version: 1, vendor: 'test', validate: async (value) => ({ value: `${String(value)}, checked` }) },
    };
    await expect(checked(slow, 'later', 'PAYLOAD_INVALID', 'input')).resolves.toBe('later, checked');
  });

  it('is the value itself without a schema', async () => {
    const value = { any: 'thing' };
    expect(await check(undefined, value)).toBe(value);
  });

  it('is what the schema makes of it, of whichever library, at once or later', async () => {
    const wanted = { text: 'x', sentences: 3 };
    expect(await check(z.object({ text: z.string(), sentences: z.number().default(3) }), { text: 'x' })).toEqual(
      wanted,
    );
    expect(await check(v.object({ text: v.string(), sentences: v.optional(v.number(), 3) }), { text: 'x' })).toEqual(
      wanted,
    );
    expect(
      await check(
        z.string().transform(async (text) => text.length),
        'abc',
      ),
    ).toBe(3);
    expect(
      await check(
        v.pipeAsync(
          v.string(),
          v.transformAsync(async (text) => text.length),
        ),
        'abc',
      ),
    ).toBe(3);
  });

  it('is refused with the code and the field that does not fit', async () => {
    const withZod = z.object({ list: z.array(z.object({ name: z.string() })) });
    const withValibot = v.object({ list: v.array(v.object({ name: v.string() })) });
    const value = { list: [{ name: 'x' }, { name: 5 }] };
    for (const schema of [withZod, withValibot]) {
      const failure = await failureOf(schema, value);
      expect(failure).toBeInstanceOf(PincerError);
      expect(failure).toMatchObject({
        code: 'PAYLOAD_INVALID',
        retryable: false,
        message: expect.stringMatching(/^input\.list\.1\.name: /),
      });
    }
    expect(() => checked(z.string(), 5, 'RESULT_INVALID', 'result')).toThrow(
      expect.objectContaining({
        code: 'RESULT_INVALID',
        message: 'result: Invalid input: expected string, received number',
      }),
    );
  });

  it('never appears in the message, whatever the library would say', async () => {
    const schemas: StandardSchemaV1[] = [
      z.number(),
      z.enum(['a']),
      z.email(),
      v.number(),
      v.picklist(['a']),
      v.literal('a'),
      v.pipe(v.string(), v.email()),
      v.pipe(v.string(), v.regex(/^a$/)),
      v.array(v.string()),
    ];
    for (const schema of schemas) expect(String(await failureOf(schema, 'hunter2'))).not.toMatch(/hunter|no failure/);
    expect(String(await failureOf(v.pipe(v.number(), v.maxValue(2)), 31_337))).toMatch(/Expected <=2 but received …/);
    expect(String(await failureOf(v.object({ a: v.string() }), {}))).toMatch(/input\.a: .*"a" but received undefined/);
  });

  it('gives a message that is short and safe to print, whatever its keys are', async () => {
    const key = `\u001b[2J${'k'.repeat(5_000)}`;
    for (const schema of [z.record(z.string(), z.number()), v.record(v.string(), v.number()), z.strictObject({})]) {
      const { message } = (await failureOf(schema, { [key]: 'x' })) as PincerError;
      expect(message.length).toBeLessThanOrEqual(500);
      expect(message).not.toContain('\u001b');
    }
  });
});

/** The quick check against the schemas: what it lets pass, they let pass, for messages that are right, nearly right, and wild. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { MESSAGES, type MessageType, parseMessage } from '../../src/protocol/message.ts';
import { isSurelySpec, surelyFits } from '../../src/protocol/quick-check.ts';
import { TaskSpec } from '../../src/protocol/task.ts';

const id = fc.stringMatching(/^[A-Za-z0-9._:-]{1,64}$/);
const type = fc.stringMatching(/^[A-Za-z0-9._:/-]{1,128}$/);
const bytes = fc.uint8Array({ maxLength: 40 });
const attempt = fc.integer({ min: 1, max: 2 ** 31 });
const span = fc.double({ min: 0, max: Number.MAX_SAFE_INTEGER, noNaN: true });
const spec = {
  taskId: id,
  type,
  payload: bytes,
  priority: fc.integer({ min: 1, max: 10 }),
  timeout: fc.integer({ min: 1, max: defaultLimits.taskTimeoutMsMax }),
};
const specMore = {
  needs: fc.array(id, { maxLength: 4 }),
  attempts: fc.integer({ min: 1, max: defaultLimits.attemptsMax }),
  delay: fc.integer({ min: 1, max: defaultLimits.taskTimeoutMsMax }),
};

/** The usual form of each message: with nothing else in it, it must not need the schema. */
const USUAL: Readonly<Partial<Record<MessageType, fc.Arbitrary<object>>>> = {
  task_submit: record(spec, { ...specMore, watch: fc.boolean() }),
  task_accepted: record({ taskId: id, created: fc.boolean(), status: fc.constantFrom('pending', 'delayed') }),
  task_assign: record({ ...spec, attempt }),
  task_started: record({ taskId: id, attempt }),
  task_result: record({ taskId: id, attempt, status: fc.constant('success'), result: bytes, duration: span }),
  task_settled: record({
    taskId: id,
    status: fc.constant('completed'),
    result: bytes,
    node: id,
    attempts: fc.integer({ min: 0, max: 9 }),
    queuedMs: span,
    runMs: span,
  }),
  ack: record({ received: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }) }),
};

/** What a field may hold instead: near misses first, then anything at all. */
const wrong = fc.oneof(
  fc.constantFrom(undefined, null, '', 'ü', 'a b', 'a\n', 'x'.repeat(65), 'y'.repeat(129), 'failed', 'completed'),
  fc.constantFrom(0, -0, -1, 0.5, 11, 2 ** 31 + 1, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, 1e300, 5n),
  fc.constantFrom<unknown>([], {}, [''], ['a b'], Array(65).fill('a'), new Date(0), new Uint8Array(786_433)),
  fc.anything(),
);

describe.each(Object.entries(USUAL))('%s', (name, usual) => {
  const { payload: schema } = MESSAGES[name as MessageType];

  it('in its usual form fits without its schema, and its schema agrees', () => {
    fc.assert(
      fc.property(usual, (payload) => {
        expect(surelyFits(name, payload)).toBe(true);
        expect(schema.safeParse(payload).data).toEqual(payload);
      }),
    );
  });

  it('passes with no field changed, added or taken away but where its schema lets it pass unchanged', () => {
    const change = fc.record({ at: fc.nat(), name: fc.constantFrom('extra', 'watch', 'result'), value: wrong });
    const how = fc.constantFrom('replace', 'add', 'remove');
    fc.assert(
      fc.property(usual, change, how, (right, { at, name: added, value }, what) => {
        const payload: Record<string, unknown> = { ...right };
        const field = Object.keys(payload)[at % Object.keys(payload).length] ?? '';
        if (what === 'remove') delete payload[field];
        else payload[what === 'add' ? added : field] = value;
        if (!surelyFits(name, payload)) return;
        const parsed = schema.safeParse(payload);
        expect(parsed.success, `${name}.${what === 'add' ? added : field}`).toBe(true);
        expect(parsed.data).toEqual(payload);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is nothing that is no map', () => {
    for (const value of [null, undefined, 7, 'text', [], [1], new Uint8Array(3), new Date(0), new Map()]) {
      expect(surelyFits(name, value)).toBe(false);
    }
  });
});

describe('a specification', () => {
  it('that surely fits fits its schema, and has no field of a submit', () => {
    fc.assert(
      fc.property(record(spec, specMore), (task) => {
        expect(isSurelySpec({ ...task })).toBe(true);
        expect(TaskSpec.safeParse(task).data).toEqual(task);
        expect(isSurelySpec({ ...task, watch: true })).toBe(false);
      }),
    );
  });
});

it('leaves a limit to the schema, which wants a number of it', () => {
  const task = {
    taskId: 't',
    type: 'job',
    payload: new Uint8Array(1),
    priority: 5,
    timeout: 1_000,
    limit: { key: 'k' },
  };
  expect(surelyFits('task_submit', task)).toBe(false);
  expect(() => parseMessage({ type: 'task_submit', id: 1, payload: task })).toThrow('limit must have concurrency');
  const payload = { ...task, limit: { key: 'k', perMinute: 1 } };
  expect(parseMessage({ type: 'task_submit', id: 1, payload }).payload).toEqual(payload);
});

it('knows nothing of types that are not sent once for each task, nor of those that objects have by birth', () => {
  for (const name of ['register', 'heartbeat', 'toString', '__proto__', 'constructor']) {
    expect(surelyFits(name, {})).toBe(false);
  }
});

function record(needed: Record<string, fc.Arbitrary<unknown>>, more: Record<string, fc.Arbitrary<unknown>> = {}) {
  return fc.record({ ...needed, ...more }, { requiredKeys: Object.keys(needed), noNullPrototype: true });
}

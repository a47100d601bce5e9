import { describe, expect, it } from 'vitest';
import { type IsolationOptions, isolatedHandler } from '../../src/isolation/isolated-handler.ts';
import { parseFromIsolate } from '../../src/isolation/messages.ts';
import { defineTask } from '../../src/node.ts';
import { fixture } from '../support/isolates.ts';

const job = defineTask('job');
const module = fixture('handlers');

describe('the registration of an isolated handler', () => {
  it('names one pool for all task types of a module that are isolated alike', () => {
    const key = (options: Partial<IsolationOptions>, type = 'job'): string =>
      isolatedHandler(defineTask(type), { module, isolate: 'thread', ...options }).isolation.key;
    expect(key({}, 'another')).toBe(key({}));
    expect(key({ module: module.href })).toBe(key({}));
    expect(key({ module: decodeURI(module.pathname) })).toBe(key({}));
    const others = [{ isolate: 'process' as const }, { memoryMbMax: 32 }, { killGraceMs: 1 }, { reuse: true }];
    expect(new Set([key({}), ...others.map((options) => key(options))]).size).toBe(5);
  });

  it.each<[string, Partial<IsolationOptions>]>([
    ['a module that depends on where the process was started', { module: './handlers.js' }],
    ['memory that Node itself could not live in', { memoryMbMax: 8 }],
    ['a grace that is no time', { killGraceMs: -1 }],
    ['an isolate that there is not', { isolate: 'container' as never }],
  ])('refuses %s', (_, options) => {
    const make = () => isolatedHandler(job, { module, isolate: 'thread', ...options });
    expect(make).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });
});

describe('what an isolate says', () => {
  it.each([
    null,
    'returned',
    { type: 'load' },
    { type: 'returned', result: [1, 2] },
    { type: 'threw', failure: { code: 7 } },
    { type: 'threw', failure: { code: 'X', message: 'y'.repeat(2_001), retryable: true } },
    { type: 'threw', failure: { code: 'my-code', message: 'y', retryable: true } },
  ])('is heard only if it is one of our messages: %j', (said) => {
    expect(parseFromIsolate(said)).toBeNull();
  });
});

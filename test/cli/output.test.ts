import process from 'node:process';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { coloursFor } from '../../src/cli/colours.ts';
import { createOutput, duration, printable, table, toJson, toPrettyJson } from '../../src/cli/output.ts';
import { PincerError } from '../../src/index.ts';

/** What a peer may try: a colour, a window title, a C1 sequence, a reversed line, a forged line, a carriage return. */
const HOSTILE = '\u001b[31m \u001b]0;owned\u0007 \u009b2J \u202egnp \u2028 \r\b \u007f';
// biome-ignore lint/suspicious/noControlCharactersInRegex: naming the control characters is the point.
const DANGEROUS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

afterEach(() => vi.restoreAllMocks());

function listen(stream: 'stdout' | 'stderr'): () => string {
  let said = '';
  vi.spyOn(process[stream], 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  return () => said;
}

describe('JSON for a terminal', () => {
  it('escapes what could move a cursor, and still means the same', () => {
    for (const print of [toJson, toPrettyJson]) {
      const printed = print({ name: HOSTILE, [HOSTILE]: [HOSTILE] });
      expect(printed).not.toMatch(DANGEROUS);
      expect(JSON.parse(printed)).toEqual({ name: HOSTILE, [HOSTILE]: [HOSTILE] });
    }
  });

  it('shows bytes as base64, and errors without their stacks', () => {
    expect(toJson({ bytes: new Uint8Array([1, 2, 255]) })).toBe('{"bytes":"AQL/"}');
    const { error } = JSON.parse(toJson({ error: new PincerError('NODE_LOST', 'gone') })) as { error: object };
    expect(error).toEqual({ code: 'NODE_LOST', message: 'gone', retryable: true });
  });

  it('has a word for nothing', () => {
    expect([toJson(undefined), toPrettyJson(undefined)]).toEqual(['null', 'null']);
  });
});

describe('text of a peer', () => {
  it('keeps its lines and tabs, and nothing else that is not a character', () => {
    expect(printable('one\n\ttwo\r\nthree\rfour')).toBe('one\n\ttwo\nthree\nfour');
    expect(printable(HOSTILE)).not.toMatch(DANGEROUS);
  });

  it('is not shortened while it streams', () => {
    expect(printable('x'.repeat(10_000))).toHaveLength(10_000);
  });

  it('is harmless in a table', () => {
    expect(table(['node'], [[HOSTILE]])).not.toMatch(DANGEROUS);
  });

  it('is harmless in an error', () => {
    const said = listen('stderr');
    createOutput({}).fail(new PincerError('HANDLER_FAILED', HOSTILE));
    createOutput({ json: true }).fail(new PincerError('HANDLER_FAILED', HOSTILE));
    expect(said()).not.toMatch(DANGEROUS);
  });
});

describe('an output', () => {
  it('puts results on stdout, and words and errors on stderr', () => {
    const [out, err] = [listen('stdout'), listen('stderr')];
    const output = createOutput({});
    output.result({ a: 1 }, () => 'a result');
    output.say('a word');
    output.pass('a chunk\n');
    output.fail(new PincerError('TASK_UNKNOWN', 'no task t'));
    expect(out()).toBe('a result\n');
    expect(err()).toContain('a word\na chunk\nerror no task t (TASK_UNKNOWN)\n→ Check the id with');
  });

  it('says nothing but results and errors with --quiet or --json', () => {
    const err = listen('stderr');
    for (const output of [createOutput({ quiet: true }), createOutput({ json: true })]) {
      output.say('a word');
      output.pass('a chunk');
    }
    expect(err()).toBe('');
  });
});

describe('a table', () => {
  it('gives way in its widest column until it fits the terminal, unless it shall be wide', () => {
    const before = [process.stdout.isTTY, process.stdout.columns] as const;
    Object.assign(process.stdout, { isTTY: true, columns: 40 });
    try {
      const rows = [['t-1', 'x'.repeat(100), 'end']];
      const narrow = table(['task', 'reason', 'z'], rows);
      expect(Math.max(...narrow.split('\n').map((line) => line.length))).toBeLessThanOrEqual(40);
      expect(narrow).toContain('…');
      expect(table(['task', 'reason', 'z'], rows, true)).toContain('x'.repeat(100));
    } finally {
      Object.assign(process.stdout, { isTTY: before[0], columns: before[1] });
    }
  });
});

describe('colours', () => {
  it('are for terminals, and never against NO_COLOR', () => {
    const isColoured = (isTTY: boolean, environment: Record<string, string>): boolean =>
      coloursFor({ isTTY }, environment).isColorSupported;
    expect(isColoured(true, {})).toBe(true);
    expect(isColoured(false, {})).toBe(false);
    expect(isColoured(false, { CI: 'true' })).toBe(false);
    expect(isColoured(true, { NO_COLOR: '1' })).toBe(false);
    expect(isColoured(true, { NO_COLOR: '' })).toBe(true);
    expect(isColoured(true, { TERM: 'dumb' })).toBe(false);
    expect(isColoured(false, { FORCE_COLOR: '1' })).toBe(true);
    expect(isColoured(false, { FORCE_COLOR: '1', NO_COLOR: '1' })).toBe(false);
  });
});

it('a duration is shown in the unit that people would use', () => {
  expect([0, 999, 1_000, 59_900, 120_000, 7_200_000].map(duration)).toEqual([
    '0 ms',
    '999 ms',
    '1.0 s',
    '59.9 s',
    '2 min',
    '2 h',
  ]);
});

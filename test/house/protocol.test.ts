/**
 * docs/protocol.md against the source, both ways: whoever writes a node from that page alone must not be told less, more
 * or other than what the gateway checks.
 */
import { describe, expect, it } from 'vitest';
import { FAILURES, type FailureCode, PincerError } from '../../src/protocol/failure.ts';
import { LIMITS, type LimitName } from '../../src/protocol/limits.ts';
import { MESSAGES, PROTOCOL_VERSIONS, parseMessage, SUBPROTOCOL } from '../../src/protocol/message.ts';
import { NODE_STATUSES } from '../../src/protocol/node.ts';
import { ANSWERS, Order, Query } from '../../src/protocol/query.ts';
import { NEEDS_OF_TYPE } from '../../src/protocol/task.ts';
import { TASK_STATUSES } from '../../src/protocol/task-status.ts';
import { isFinal } from '../../src/transport/handshake.ts';
import { read } from './tree.ts';
import { alternativesOf, type Field, fieldsOf, SHAPES } from './wire-words.ts';

/** The limits that a peer of any language meets. */
const LIMITS_OF_THE_WIRE: readonly LimitName[] = [
  ...(['frameBytesMax', 'payloadBytesMax', 'frameDepthMax', 'frameItemsMax', 'keyBytesMax'] as const),
  ...(['messagesPerFrameMax', 'frameFragmentsMax', 'framesPerSecondMax', 'bytesPerSecondMax'] as const),
  ...(['unacknowledgedMax', 'unacknowledgedBytesMax', 'handshakeMs', 'heartbeatMs'] as const),
  ...(['suspectAfterMs', 'offlineAfterMs'] as const),
  ...(['removeAfterMs', 'resumeWindowMs', 'lagBusyMs', 'reconnectMinMs', 'reconnectMaxMs', 'assignMs'] as const),
  ...(['cancelGraceMs', 'timeoutSlackMs', 'taskTimeoutMsMax', 'attemptsMax', 'maxTasksMax'] as const),
  ...(['capabilitiesMax', 'listMax', 'watchMax', 'clientTasksMax', 'submitsPerSecondMax'] as const),
  ...(['notesPerSecondMax', 'topicsMax'] as const),
];

const page = read('docs/protocol.md');

describe('the messages in docs/protocol.md', () => {
  it('are all there are: who sends each, whether it is reliable, in which lane', () => {
    const expected = Object.entries(MESSAGES).map(([type, { from, reliable, lane }]) => [
      `[\`${type}\`](#${type})`,
      from.join(', '),
      reliable ? 'yes' : 'no',
      lane,
    ]);
    expect(rowsUnder('Messages', 'Message').sort()).toEqual(expected.sort());
  });

  it.each(Object.entries(MESSAGES))(
    'say of %s every field, its kind, and whether it is needed',
    (type, { payload }) => {
      expect(fieldsUnder(type)).toEqual(fieldsOf(payload).map(asRow));
    },
  );

  it.each(Object.entries(SHAPES))('say what a %s is', (name, schema) => {
    expect(fieldsUnder(name)).toEqual(fieldsOf(schema).map(asRow));
  });

  it('explain no other', () => {
    const headings = [...page.matchAll(/^#### (.+)$/gm)].map(([, title]) => title);
    const answers = Object.keys(ANSWERS).map((what) => `answer to ${what}`);
    expect(headings.sort()).toEqual([...Object.keys(MESSAGES), ...Object.keys(SHAPES), ...answers].sort());
  });

  it('mean something: no field is left without a word', () => {
    const tables = page.split('\n').filter((line) => line.startsWith('|'));
    expect(tables.filter((line) => /\|\s*\|/.test(line))).toEqual([]);
  });

  it('have the envelope that is checked', () => {
    const fields = rowsUnder('Messages', 'Field').map(([name = '']) => name.replaceAll('`', ''));
    const values: Record<string, unknown> = { type: 'task_started', id: 1, re: 1, to: 'b', from: 'a', timestamp: 0 };
    const message = { ...values, payload: { taskId: 't', attempt: 1 } };
    expect(fields.sort()).toEqual(Object.keys(message).sort());
    expect(parseMessage(message)).toEqual(message);
    expect(() => parseMessage({ ...message, note: 1 })).toThrow(/unknown field 'note'/);
    expect(() => parseMessage({ ...message, payload: { ...message.payload, note: 1 } })).toThrow(/task_started/);
  });
});

describe('the questions and orders in docs/protocol.md', () => {
  it('are all there are', () => {
    const rows = rowsUnder('Questions and orders', '`what`');
    const expected = [...alternativesOf(Query), ...alternativesOf(Order)].map(([what, fields]) => [
      `\`${what}\``,
      fields.map(({ name, kind, isNeeded }) => `\`${name}${isNeeded ? '' : '?'}\` ${kind}`).join(', ') || '–',
    ]);
    expect(rows.map(([what, fields]) => [what, fields])).toEqual(expected);
  });

  it.each(Object.entries(ANSWERS))('are answered, to %s, as it says', (what, schema) => {
    expect(fieldsUnder(`answer to ${what}`)).toEqual(fieldsOf(schema).map(asRow));
  });
});

describe('the close codes in docs/protocol.md', () => {
  const rows = rowsUnder('How links end', 'Close code');

  it('are all there are, each with the failures that it stands for', () => {
    const byCode = new Map<number, FailureCode[]>();
    for (const [code, failure] of Object.entries(FAILURES) as [FailureCode, { close?: number }][]) {
      if (failure.close !== undefined) byCode.set(failure.close, [...(byCode.get(failure.close) ?? []), code]);
    }
    const expected = [...byCode].sort(([one], [other]) => one - other);
    const said = rows.map(([code, failures = '']) => [Number(code), namesIn(failures)]);
    expect(said.map(([code, names]) => [code, [...(names as string[])].sort()])).toEqual(
      expected.map(([code, names]) => [code, names.sort()]),
    );
  });

  it('say of each whether to dial again, as our own peers do', () => {
    for (const [code, failures = '', , again] of rows) {
      const verdicts = namesIn(failures).map((name) => (isFinal(new PincerError(name, '')) ? 'no' : 'yes'));
      expect([code, [...new Set(verdicts)]]).toEqual([code, [again]]);
    }
  });

  it('are those that the small node gives up at', () => {
    const final = rows.filter(([, , , again]) => again === 'no').map(([code]) => Number(code));
    expect(page).toContain(`const NOT_AGAIN = [${final.join(', ')}];`);
  });
});

describe('the numbers in docs/protocol.md', () => {
  it('are the limits that a peer meets, with their values', () => {
    const rows = rowsUnder('Limits', 'Limit');
    expect(rows.map(([name = '']) => name.replaceAll('`', '')).sort()).toEqual([...LIMITS_OF_THE_WIRE].sort());
    for (const [name = '', value = ''] of rows) {
      const limit = LIMITS[name.replaceAll('`', '') as LimitName];
      const number = Number(/^[\d ]+/.exec(value)?.[0].replaceAll(' ', ''));
      expect([name, number, value.replace(/^[\d ]+/, '') || 'count']).toEqual([name, limit.value, limit.unit]);
    }
  });

  it('are right in the prose, too', () => {
    const { frameDepthMax, frameItemsMax, keyBytesMax, messagesPerFrameMax, frameFragmentsMax } = LIMITS;
    for (const phrase of [
      `nesting deeper than ${frameDepthMax.value}`,
      `more than ${spaced(frameItemsMax.value)} values`,
      `a key longer than ${keyBytesMax.value} bytes`,
      `1 to ${spaced(messagesPerFrameMax.value)} **messages**`,
      `up to ${frameFragmentsMax.value} fragments`,
      `At most ${spaced(LIMITS.unacknowledgedMax.value)}**`,
      `silent for ${LIMITS.suspectAfterMs.value / 1_000} s`,
      `at ${LIMITS.offlineAfterMs.value / 1_000} s (\`offlineAfterMs\`)`,
      `${LIMITS.cancelGraceMs.value / 1_000} s (\`cancelGraceMs\`)`,
      `${LIMITS.timeoutSlackMs.value / 1_000} s (\`timeoutSlackMs\`)`,
      `1 to ${LIMITS.dependenciesMax.value} tasks that must have settled`,
    ]) {
      expect(page.replace(/\s+/g, ' ')).toContain(phrase);
    }
  });

  it('name the protocol that is spoken', () => {
    expect(page).toContain(`\`${SUBPROTOCOL}\``);
    expect(PROTOCOL_VERSIONS).toEqual([1, 1]);
    expect(page).toContain('Version 1.');
  });
});

describe('the words in docs/protocol.md', () => {
  it('name every status, and the capability that each type needs', () => {
    const prose = page.replace(/\s+/g, ' ');
    expect(prose).toContain(`one of ${TASK_STATUSES.map((status) => `\`${status}\``).join(', ')}`);
    expect(prose).toContain(`one of ${NODE_STATUSES.map((status) => `\`${status}\``).join(', ')}`);
    for (const [type, need] of Object.entries(NEEDS_OF_TYPE)) expect(prose).toContain(`\`${type}\` \`${need}\``);
  });

  it('spell the example frame as it is in the fixtures', () => {
    const section = page.slice(page.indexOf('\n## Byte by byte'));
    const block = /```text\n([\s\S]*?)```/.exec(section)?.[1] ?? '';
    const hex = block.split('\n').flatMap((line) => /^[0-9a-f ]+?(?= {2}|$)/.exec(line) ?? []);
    const { hex: expected } = JSON.parse(read('test/fixtures/frames/v1/task-result.json')) as { hex: string };
    expect(hex.join('').replaceAll(' ', '')).toBe(expected);
  });
});

function asRow({ name, kind, isNeeded }: Field): string[] {
  return [`\`${name}\``, kind, isNeeded ? 'yes' : 'no'];
}

/** The first three cells of the table under a heading of the lowest level. */
function fieldsUnder(title: string): string[][] {
  const section = page.split(/^#{1,4} /m).find((text) => text.startsWith(`${title}\n`)) ?? '';
  return rowsOf(section, 'Field').map((row) => row.slice(0, 3));
}

/** The rows of the tables of a chapter whose first column has that head. */
function rowsUnder(chapter: string, head: string): string[][] {
  const text = page.split(/^## /m).find((candidate) => candidate.startsWith(`${chapter}\n`)) ?? '';
  return rowsOf(text, head);
}

function rowsOf(text: string, head: string): string[][] {
  const rows: string[][] = [];
  let isInside = false;
  for (const line of text.split('\n')) {
    const cells = line.startsWith('|')
      ? line
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim())
      : [];
    if (cells.length === 0) isInside = false;
    else if (cells[0] === head) isInside = true;
    else if (isInside && cells[0]?.startsWith('---') !== true) rows.push(cells);
  }
  return rows;
}

function namesIn(cell: string): string[] {
  return [...cell.matchAll(/`([A-Z_]+)`/g)].map(([, name = '']) => name);
}

function spaced(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ' ');
}

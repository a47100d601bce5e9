/** The lines of an outbox on disk: what one says, and what is in a file of them, whole or damaged. */

import { crc32 } from 'node:zlib';
import { defaultLimits } from '../../protocol/limits.ts';
import { MESSAGES } from '../../protocol/message.ts';
import { decodeFrame, encodeFrame } from '../../transport/codec.ts';
import { keyOf, type Result } from './outbox.ts';

/** The first line: another version with another layout has another. */
export const HEADER = 'pincer-outbox 1\n';

/** What was kept was within the limits of its node, whatever they were. */
const LIMITS = { ...defaultLimits, frameBytesMax: Number.POSITIVE_INFINITY };
const NEWLINE = 10;

/** `CRC + base64` of a frame with the result alone: it is kept. */
export function keptLine(result: Result): string {
  return checkedLine(`+ ${Buffer.from(encodeFrame([result])).toString('base64')}`);
}

/** `CRC - TASK ATTEMPT`: it is not needed any more. */
export function goneLine(key: string): string {
  return checkedLine(`- ${key}`);
}

export interface OutboxLines {
  /** What is kept, by key, oldest first, and how many bytes its line has. */
  readonly kept: Map<string, { readonly result: Result; readonly bytes: number }>;
  /** The numbers of damaged lines. */
  readonly damaged: readonly number[];
  /** Where the last whole line ends: what follows was being written when the process ended, and never counted. */
  readonly end: number;
}

/** What a file says. Null: it is none of ours. */
export function readLines(bytes: Buffer): OutboxLines | null {
  const kept: OutboxLines['kept'] = new Map();
  const damaged: number[] = [];
  const header = Buffer.from(HEADER);
  if (bytes.length < header.length)
    return header.subarray(0, bytes.length).equals(bytes) ? { kept, damaged, end: 0 } : null;
  if (!bytes.subarray(0, header.length).equals(header)) return null;
  let start = header.length;
  for (let number = 2; ; number += 1) {
    const end = bytes.indexOf(NEWLINE, start);
    if (end < 0) return { kept, damaged, end: start };
    const said = parseLine(bytes.toString('latin1', start, end));
    if (said === null) damaged.push(number);
    else {
      // The last word of an attempt stands where it was said.
      kept.delete(said.key);
      if (said.result !== null) kept.set(said.key, { result: said.result, bytes: end + 1 - start });
    }
    start = end + 1;
  }
}

function parseLine(line: string): { readonly key: string; readonly result: Result | null } | null {
  const text = line.slice(9);
  if (line[8] !== ' ' || line.slice(0, 8) !== sumOf(text)) return null;
  if (text.startsWith('- ')) return { key: text.slice(2), result: null };
  try {
    const bytes = Buffer.from(text.slice(2), 'base64');
    const [packed] = decodeFrame(bytes, LIMITS);
    const result = MESSAGES.task_result.payload.parse(packed);
    return { key: keyOf(result), result };
  } catch {
    return null;
  }
}

function checkedLine(text: string): string {
  return `${sumOf(text)} ${text}\n`;
}

function sumOf(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

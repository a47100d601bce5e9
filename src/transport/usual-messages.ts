/**
 * The messages that are sent for every task, in their usual form, as msgpack: what they have in common is copied as it
 * stands, and only what differs is written. Any other message, or one with a rarer field, is for frame-writer.ts, and a property
 * test holds that both write the same.
 */
import type { Message } from '../protocol/message.ts';

/** More than a message has beside its texts and bytes: keys, numbers, heads. */
const FIXED_BYTES = 256;

/** Its fields, in the order in which they are usually there; the order on the wire is that of the message. */
const ENVELOPE = ['type', 'id', 'payload'];
const ANSWER = ['type', 'id', 're', 'payload'];
const FIELDS = {
  task_submit: ['taskId', 'type', 'payload', 'priority', 'timeout'],
  task_accepted: ['taskId', 'created', 'status'],
  task_assign: ['taskId', 'attempt', 'type', 'payload', 'priority', 'timeout'],
  task_result: ['taskId', 'attempt', 'status', 'duration', 'result'],
  task_settled: ['taskId', 'status', 'result', 'node', 'attempts', 'queuedMs', 'runMs'],
} as const;

/** The bytes that `writeUsual` may need for a message; 0 if it is none of those that it writes. */
export function usualBytes(message: Message): number {
  switch (message.type) {
    case 'task_submit':
    case 'task_assign': {
      const { type, payload } = message;
      return has(message, ENVELOPE) && has(payload, FIELDS[type])
        ? sizeOf(payload.taskId, payload.type, payload.payload)
        : 0;
    }
    case 'task_accepted': {
      const { payload } = message;
      return has(message, ANSWER) && has(payload, FIELDS.task_accepted) ? sizeOf(payload.taskId, payload.status) : 0;
    }
    case 'task_result': {
      const { payload } = message;
      return has(message, ENVELOPE) && has(payload, FIELDS.task_result)
        ? sizeOf(payload.taskId, payload.status, payload.result)
        : 0;
    }
    case 'task_settled': {
      const { payload } = message;
      return has(message, ENVELOPE) && has(payload, FIELDS.task_settled)
        ? sizeOf(payload.taskId, payload.status, payload.result) + (payload.node ?? '').length
        : 0;
    }
    default:
      return 0;
  }
}

/** Whether these are its fields, in this order. What is undefined is no field. */
function has(map: object, fields: readonly string[]): boolean {
  const values = map as Readonly<Record<string, unknown>>;
  let count = 0;
  for (const key in values) {
    if (values[key] === undefined) continue;
    if (key !== fields[count]) return false;
    count += 1;
  }
  return count === fields.length;
}

function sizeOf(text: string, other: string, bytes?: Uint8Array): number {
  return FIXED_BYTES + text.length + other.length + (bytes === undefined ? 0 : bytes.byteLength);
}

// What is written to, and how far: set by `writeUsual`, which calls nothing that could start another.
const NOTHING: Buffer = Buffer.alloc(0);
let buffer = NOTHING;
let at = 0;
let isUsual = true;

/** Writes a message for which `usualBytes` has room at `start`. Gives the end of it; -1: it has to be written otherwise. */
export function writeUsual(message: Message, target: Buffer, start: number): number {
  buffer = target;
  at = start;
  isUsual = true;
  write(message);
  buffer = NOTHING;
  return isUsual ? at : -1;
}

const [TYPE, ID, RE, PAYLOAD] = ['type', 'id', 're', 'payload'] as const;
const SUBMIT = head(3, TYPE, 'task_submit', ID);
const SUBMIT_TASK = head(PAYLOAD, 5, 'taskId');
const ASSIGN = head(3, TYPE, 'task_assign', ID);
const ASSIGN_TASK = head(PAYLOAD, 6, 'taskId');
const ACCEPTED = head(4, TYPE, 'task_accepted', ID);
const ACCEPTED_RE = head(RE);
const ACCEPTED_TASK = head(PAYLOAD, 3, 'taskId');
const CREATED = head('created');
const STATUS = head('status');
const RESULT_OF = head(3, TYPE, 'task_result', ID);
const RESULT_TASK = head(PAYLOAD, 5, 'taskId');
const SETTLED = head(3, TYPE, 'task_settled', ID);
const SETTLED_TASK = head(PAYLOAD, 7, 'taskId');
const ATTEMPT = head('attempt');
const TASK_TYPE = head(TYPE);
const BODY = head(PAYLOAD);
const PRIORITY = head('priority');
const TIMEOUT = head('timeout');
const DURATION = head('duration');
const RESULT = head('result');
const NODE = head('node');
const ATTEMPTS = head('attempts');
const QUEUED_MS = head('queuedMs');
const RUN_MS = head('runMs');

function write(message: Message): void {
  const id = message.id as number;
  switch (message.type) {
    case 'task_submit': {
      const { payload } = message;
      copy(SUBMIT);
      number(id);
      copy(SUBMIT_TASK);
      text(payload.taskId);
      copy(TASK_TYPE);
      text(payload.type);
      copy(BODY);
      binary(payload.payload);
      copy(PRIORITY);
      number(payload.priority);
      copy(TIMEOUT);
      number(payload.timeout);
      break;
    }
    case 'task_assign': {
      const { payload } = message;
      copy(ASSIGN);
      number(id);
      copy(ASSIGN_TASK);
      text(payload.taskId);
      copy(ATTEMPT);
      number(payload.attempt);
      copy(TASK_TYPE);
      text(payload.type);
      copy(BODY);
      binary(payload.payload);
      copy(PRIORITY);
      number(payload.priority);
      copy(TIMEOUT);
      number(payload.timeout);
      break;
    }
    case 'task_accepted': {
      const { payload, re } = message;
      copy(ACCEPTED);
      number(id);
      copy(ACCEPTED_RE);
      number(re as number);
      copy(ACCEPTED_TASK);
      text(payload.taskId);
      copy(CREATED);
      buffer[at++] = payload.created ? 0xc3 : 0xc2;
      copy(STATUS);
      text(payload.status);
      break;
    }
    case 'task_result': {
      const { payload } = message;
      copy(RESULT_OF);
      number(id);
      copy(RESULT_TASK);
      text(payload.taskId);
      copy(ATTEMPT);
      number(payload.attempt);
      copy(STATUS);
      text(payload.status);
      copy(DURATION);
      number(payload.duration);
      copy(RESULT);
      binary(payload.result as Uint8Array);
      break;
    }
    case 'task_settled': {
      const { payload } = message;
      copy(SETTLED);
      number(id);
      copy(SETTLED_TASK);
      text(payload.taskId);
      copy(STATUS);
      text(payload.status);
      copy(RESULT);
      binary(payload.result as Uint8Array);
      copy(NODE);
      text(payload.node as string);
      copy(ATTEMPTS);
      number(payload.attempts);
      copy(QUEUED_MS);
      number(payload.queuedMs);
      copy(RUN_MS);
      number(payload.runMs);
      break;
    }
    default:
      isUsual = false;
  }
}

/** Maps by their number of fields, and short texts, as they follow each other. */
function head(...parts: readonly (string | number)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === 'number' ? [0x80 | part] : [0xa0 | part.length, ...Buffer.from(part, 'latin1')],
    ),
  );
}

function copy(bytes: Uint8Array): void {
  const target = buffer;
  const from = at;
  const { length } = bytes;
  for (let index = 0; index < length; index += 1) target[from + index] = bytes[index] as number;
  at = from + length;
}

/** A text of at most 255 letters, all of them ASCII. */
function text(letters: string): void {
  const target = buffer;
  const { length } = letters;
  if (length < 32) target[at++] = 0xa0 | length;
  else {
    if (length > 0xff) isUsual = false;
    target[at++] = 0xd9;
    target[at++] = length;
  }
  const from = at;
  let all = 0;
  for (let index = 0; index < length; index += 1) {
    const code = letters.charCodeAt(index);
    all |= code;
    target[from + index] = code;
  }
  if (all > 0x7f) isUsual = false;
  at = from + length;
}

/** Writes a number that is no negative whole one; it takes at most 9 bytes. Gives the end of it. */
export function writeNumber(target: Buffer, from: number, value: number): number {
  if (value >>> 0 !== value) {
    target[from] = 0xcb;
    return target.writeDoubleBE(value, from + 1);
  }
  if (value < 0x80) {
    target[from] = value;
    return from + 1;
  }
  if (value < 0x100) {
    target[from] = 0xcc;
    target[from + 1] = value;
    return from + 2;
  }
  if (value < 0x1_0000) {
    target[from] = 0xcd;
    return target.writeUInt16BE(value, from + 1);
  }
  target[from] = 0xce;
  return target.writeUInt32BE(value, from + 1);
}

function number(value: number): void {
  if (value < 0) isUsual = false;
  at = writeNumber(buffer, at, value);
}

/** Writes what stands before that many bytes; it takes at most 5. Gives the end of it. */
export function writeBinaryHead(target: Buffer, from: number, length: number): number {
  if (length < 0x100) {
    target[from] = 0xc4;
    target[from + 1] = length;
    return from + 2;
  }
  if (length < 0x1_0000) {
    target[from] = 0xc5;
    return target.writeUInt16BE(length, from + 1);
  }
  target[from] = 0xc6;
  return target.writeUInt32BE(length, from + 1);
}

function binary(bytes: Uint8Array): void {
  const { length } = bytes;
  const from = writeBinaryHead(buffer, at, length);
  if (length < SHORT_BYTES)
    for (let index = 0; index < length; index += 1) buffer[from + index] = bytes[index] as number;
  else buffer.set(bytes, from);
  at = from + length;
}

/** Fewer are copied one by one in less time than it takes to ask for it. */
const SHORT_BYTES = 24;

/**
 * Says at once of the messages that are sent once or more for each task, in their common forms, that they fit. The schemas
 * of message.ts decide: what is not known to fit here is asked there, so nothing is refused by this page, and a test
 * compares it with the schemas. It only spares the usual message the way through them, which takes ten times as long.
 */
import { defaultLimits } from './limits.ts';

type Fields = Readonly<Record<string, unknown>>;

const IDENTIFIER = /^[A-Za-z0-9._:-]{1,64}$/;
const TASK_TYPE = /^[A-Za-z0-9._:/-]{1,128}$/;
const { payloadBytesMax, taskTimeoutMsMax, attemptsMax, capabilitiesMax } = defaultLimits;

/** True: the payload of a message of this type fits its schema. False: ask the schema. */
export function surelyFits(type: string, payload: unknown): boolean {
  if (typeof payload !== 'object' || payload === null) return false;
  const check = CHECKS[type];
  return check?.(payload as Fields) === true;
}

/** True: the specification of a task fits its schema, `TaskSpec`. False: ask the schema. */
export function isSurelySpec(spec: Fields): boolean {
  const known = knownOfSpec(spec);
  return known > 0 && known === fieldsOf(spec);
}

const CHECKS: Readonly<Record<string, (payload: Fields) => boolean>> = Object.assign(Object.create(null), {
  task_submit: isSubmit,
  task_accepted: isAccepted,
  task_assign: isAssign,
  task_started: isStarted,
  task_result: isResult,
  task_settled: isSettled,
  ack: isAck,
});

function isSubmit(payload: Fields): boolean {
  let known = knownOfSpec(payload);
  if (known === 0) return false;
  const { watch } = payload;
  if (watch !== undefined) {
    if (typeof watch !== 'boolean') return false;
    known += 1;
  }
  return known === fieldsOf(payload);
}

/** How many fields of a specification are known to fit; 0 if there is any doubt. */
function knownOfSpec(spec: Fields): number {
  const { taskId, type, payload, priority, timeout, needs, attempts, delay } = spec;
  if (!isId(taskId) || !isTaskType(type) || !isOpaque(payload)) return 0;
  if (!isWhole(priority, 1, 10) || !isWhole(timeout, 1, taskTimeoutMsMax)) return 0;
  let known = 5;
  if (needs !== undefined) {
    if (!Array.isArray(needs) || needs.length > capabilitiesMax || !needs.every(isId)) return 0;
    known += 1;
  }
  if (attempts !== undefined) {
    if (!isWhole(attempts, 1, attemptsMax)) return 0;
    known += 1;
  }
  if (delay !== undefined) {
    if (!isWhole(delay, 1, taskTimeoutMsMax)) return 0;
    known += 1;
  }
  return known;
}

function isAccepted(payload: Fields): boolean {
  const { taskId, created, status } = payload;
  const isKnownStatus = status === 'pending' || status === 'delayed' || status === 'completed';
  return isId(taskId) && typeof created === 'boolean' && isKnownStatus && fieldsOf(payload) === 3;
}

function isAssign(payload: Fields): boolean {
  const { taskId, attempt, type, payload: bytes, priority, timeout } = payload;
  if (!isId(taskId) || !isAttempt(attempt) || !isTaskType(type) || !isOpaque(bytes)) return false;
  return isWhole(priority, 1, 10) && isWhole(timeout, 1, taskTimeoutMsMax) && fieldsOf(payload) === 6;
}

function isStarted(payload: Fields): boolean {
  return isId(payload['taskId']) && isAttempt(payload['attempt']) && fieldsOf(payload) === 2;
}

function isResult(payload: Fields): boolean {
  const { taskId, attempt, status, result, duration } = payload;
  if (!isId(taskId) || !isAttempt(attempt) || status !== 'success') return false;
  return isOpaque(result) && isSpan(duration) && fieldsOf(payload) === 5;
}

function isSettled(payload: Fields): boolean {
  const { taskId, status, result, node, attempts, queuedMs, runMs } = payload;
  if (!isId(taskId) || status !== 'completed' || !isOpaque(result) || !isId(node)) return false;
  return isWhole(attempts, 0, 1_000) && isSpan(queuedMs) && isSpan(runMs) && fieldsOf(payload) === 7;
}

function isAck(payload: Fields): boolean {
  return isWhole(payload['received'], 0, Number.MAX_SAFE_INTEGER) && fieldsOf(payload) === 1;
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && IDENTIFIER.test(value);
}

function isTaskType(value: unknown): boolean {
  return typeof value === 'string' && TASK_TYPE.test(value);
}

function isOpaque(value: unknown): boolean {
  return value instanceof Uint8Array && value.byteLength <= payloadBytesMax;
}

function isAttempt(value: unknown): boolean {
  return isWhole(value, 1, 2 ** 31);
}

function isWhole(value: unknown, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}

function isSpan(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function fieldsOf(value: Fields): number {
  let count = 0;
  for (const _ in value) count += 1;
  return count;
}

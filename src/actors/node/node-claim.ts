/** What a node claims of itself when it registers, checked before it dials: a gateway would only hang up on what is wrong. */
import { PincerError } from '../../protocol/failure.ts';
import { plainText, TaskType } from '../../protocol/identifier.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { MESSAGES, type Payload, PROTOCOL_VERSIONS } from '../../protocol/message.ts';
import { hasProto, NodeKind, TASK_TYPES_MAX } from '../../protocol/node.ts';
import { encodePayload } from '../../transport/payload.ts';
import type { Registration } from './runner.ts';

/** What of a register stays the same from session to session, but for the task types. */
export type NodeClaim = Pick<
  Payload<'register'>,
  'nodeId' | 'nodeType' | 'incarnation' | 'capabilities' | 'maxTasks' | 'labels' | 'resources'
>;

/** The same as the application has said it. */
export interface NodeClaimed {
  readonly nodeId: string;
  readonly nodeType: NodeKind;
  readonly incarnation: string;
  readonly capabilities: readonly string[];
  readonly maxTasks: number;
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly resources: Readonly<Record<string, number>> | undefined;
}

/** The options as `createNode` names them, where the register has another name. */
const OPTIONS: Readonly<Record<string, string>> = { nodeId: 'id', nodeType: 'type', taskTypes: 'handlers' };

/** What is allowed, in words; the schemas say it of one value at a time. */
const ALLOWED: Readonly<Record<string, string>> = {
  id: 'must be 1–64 of A-Z a-z 0-9 . _ : -',
  type: 'must be agent or channel',
  capabilities: `must be at most ${defaultLimits.capabilitiesMax} names, each 1–64 of A-Z a-z 0-9 . _ : -`,
  maxTasks: `must be a whole number from 0 to ${defaultLimits.maxTasksMax}`,
  labels: 'labels are texts of at most 256 characters, each by a name of 1–64 of A-Z a-z 0-9 . _ : -',
  resources: 'resources are numbers from 0 to 1e15, each by a name of 1–64 of A-Z a-z 0-9 . _ : -',
};

/**
 * The handlers by their task types.
 * @throws PincerError `OPTION_INVALID`
 */
export function handlersOf(registrations: readonly Registration[]): Map<string, Registration> {
  check(Array.isArray(registrations), 'createNode: handlers must be an array of what defineHandler has made');
  const handlers = new Map<string, Registration>();
  for (const [index, registration] of registrations.entries()) {
    checkHandler(handlers, registration, `createNode: handlers.${index}`);
    handlers.set(registration.definition.type, registration);
  }
  return handlers;
}

/**
 * Checks one more handler.
 * @throws PincerError `OPTION_INVALID`, which begins with `where`
 */
export function checkHandler(
  handlers: ReadonlyMap<string, Registration>,
  registration: Registration,
  where: string,
): void {
  const given = registration as Partial<Record<'definition' | 'handler' | 'isolation', unknown>> | null | undefined;
  const type = (given?.definition as { readonly type?: unknown } | null | undefined)?.type;
  check(
    type !== undefined,
    `${where} has no task definition; make one with defineTask, and a handler with defineHandler`,
  );
  check(
    TaskType.safeParse(type).success,
    `${where}: the task type ${shown(type)} must be 1–128 of A-Z a-z 0-9 . _ : / -`,
  );
  check(
    typeof given?.handler === 'function' || typeof given?.isolation === 'object',
    `${where}: the handler of ${shown(type)} must be a function`,
  );
  check(
    handlers.has(type as string) || handlers.size < TASK_TYPES_MAX,
    `${where}: a node has handlers for at most ${TASK_TYPES_MAX} task types`,
  );
}

/**
 * What a node will say of itself, checked as its gateway will; a copy, which nobody changes any more.
 * @throws PincerError `OPTION_INVALID`, naming the option and what is allowed
 */
export function claimOf(claimed: NodeClaimed, handlers: ReadonlyMap<string, Registration>, limits: Limits): NodeClaim {
  const { labels, resources, ...others } = claimed;
  const said = {
    ...others,
    ...(labels === undefined ? {} : { labels }),
    ...(resources === undefined ? {} : { resources }),
  };
  check(NodeKind.safeParse(said.nodeType).success, `createNode: type: ${ALLOWED['type']}`);
  const register = { ...said, protocol: [...PROTOCOL_VERSIONS], taskTypes: [...handlers.keys()], running: [] };
  for (const [option, values] of Object.entries({ labels, resources })) {
    check(!hasProto(values), `createNode: ${option}.__proto__ is a name that cannot be sent`);
  }
  const parsed = MESSAGES.register.payload.safeParse(register);
  if (!parsed.success) {
    const [field = '', ...path] = (parsed.error.issues[0]?.path ?? []).map(String);
    const option = OPTIONS[field] ?? field;
    const why = ALLOWED[option] ?? parsed.error.issues[0]?.message ?? 'is invalid';
    throw new PincerError('OPTION_INVALID', `createNode: ${plainText([option, ...path].join('.'), 100)}: ${why}`);
  }
  checkSize(register, limits);
  checkReports(said.maxTasks, limits);
  return {
    ...others,
    capabilities: [...others.capabilities],
    ...(labels === undefined ? {} : { labels: { ...labels } }),
    ...(resources === undefined ? {} : { resources: { ...resources } }),
  };
}

/**
 * All that waits to be reported is said at the start of a session, before anything can be acknowledged. If that were more
 * than is kept, the session would end by it, and so would each that follows, and the gateway run all of it elsewhere.
 */
function checkReports(maxTasks: number, { outboxResultsMax, unacknowledgedMax }: Limits): void {
  check(
    maxTasks + outboxResultsMax <= unacknowledgedMax,
    `createNode: limits.unacknowledgedMax is ${unacknowledgedMax}, must be at least ${maxTasks + outboxResultsMax}: ` +
      `maxTasks, which is ${maxTasks}, and limits.outboxResultsMax, which is ${outboxResultsMax}`,
  );
}

/** It goes in one frame, together with the attempts that run. */
function checkSize(register: object, limits: Limits): void {
  let why = '';
  try {
    const { byteLength } = encodePayload(register, limits);
    if (byteLength > limits.payloadBytesMax) why = `${byteLength} bytes, more than ${limits.payloadBytesMax}`;
  } catch (error) {
    why = error instanceof Error ? error.message : String(error);
  }
  check(why === '', `createNode: labels, resources and handlers are too much for one message: ${why}`);
}

function shown(value: unknown): string {
  return typeof value === 'string' ? `'${plainText(value, 140)}'` : `(a ${typeof value})`;
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new PincerError('OPTION_INVALID', what);
}
